"""Runs a command where nothing can be reached, and writes down whom it tried to reach.

    heard = listen(command, env)
    heard.lookups == [] and heard.packets == []

The command runs in a network namespace of its own, in which every address leads back to the same machine:
a name server there answers every question, and whatever is then sent is seen, whoever it is for.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
REDIS_PORT = 16379
"""Of the run with a worker."""
_SECONDS = 280.0


@dataclass(frozen=True, slots=True)
class Heard:
    """What a command did on the network, and how it ended."""

    lookups: list[str]
    """The names it asked for."""
    packets: list[str]
    """Where else it sent something, each once: `tcp 192.0.2.1 443`."""
    code: int
    output: str


def unavailable() -> str | None:
    """Why no namespace can be made here; None where one can."""
    for program in ("unshare", "ip", "mount"):
        if shutil.which(program) is None:
            return f"{program} is not installed"
    tried = subprocess.run([*_namespace(), "true"], capture_output=True, text=True, check=False)
    return tried.stderr.strip() if tried.returncode else None


def listen(command: Sequence[str], env: Mapping[str, str], *, served: Sequence[int] = ()) -> Heard:
    """Run the command and hear what it says; `served` are the ports of services it is meant to use.

    Raises `AssertionError` with its output when the listener itself fails.
    """
    done = subprocess.run(
        [*_namespace(), sys.executable, "-m", "tests.outbound", json.dumps([*served]), *command],
        cwd=REPOSITORY,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return Heard(**json.loads(done.stdout))


def _namespace() -> list[str]:
    mapped = [] if os.geteuid() == 0 else ["--map-root-user"]
    return ["unshare", *mapped, "--net", "--mount"]
