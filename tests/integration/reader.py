"""A reader of the how-to pages: does what their shell blocks say, in order, in one folder.

What a command is expected to do differently from exiting with 0 at once is said here, once for all pages.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from tests.workers import HANG_SECONDS, REPOSITORY, clean_environment, wait_until

HOW_TO = REPOSITORY / "docs" / "how-to"

NOT_HERE = {
    "pip install": "the tests run the project itself, with every extra",
    "sudo cp": "changes the machine; test_services.py runs the commands of the units",
    "sudo systemctl": "changes the machine; test_services.py runs the commands of the units",
    "docker ": "needs Docker; test_services.py runs the commands of the services",
    "kubectl": "needs a cluster; the manifests run the commands of the services",
    "pip wheel": "needs a clone as the folder, and half a minute",
}
"""Beginnings of lines that no test can run, and why."""

ENDLESS = {
    "docpipe worker": r"@\S+ ready\.",
    "docpipe watch": "watching ",
    "docpipe s3 listen": "listening to ",
    "docpipe metrics": "metrics at ",
    "docpipe web": "web pages at ",
    "docpipe reap --every": "",
    "celery -A docpipe.worker beat": "is starting",
    "celery -A docpipe.worker flower": "Registered tasks",
}
"""Beginnings of commands that go on until they are told to stop, and what they say when they are ready."""

_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.M | re.S)
_STOPPED = {0, 128 + 15, 256 - 15}
"""Ends that systemd too takes for a clean one after SIGTERM."""


def sections(page: str) -> dict[str, list[str]]:
    """The shell lines below each heading of a how-to; continued lines are joined."""
    text = re.sub(r"^(#+ .*)$", "\0\\1", (HOW_TO / page).read_text(), flags=re.M)
    found = {}
    for part in text.split("\0"):
        heading, _, rest = part.partition("\n")
        lines = "".join(_BLOCK.findall(rest)).replace("\\\n", " ").splitlines()
        found[heading.lstrip("# ")] = [line for line in lines if shlex.split(line, comments=True)]
    return {heading: lines for heading, lines in found.items() if lines}


class Reader:
    """Follows pages in a folder of his own.

    Args:
        env: the settings that he has: `export NAME=…` of a page does not change these.
        places: what stands in the pages to what it is here (a folder, an address, a port).
        exits: the codes of commands that end with another one than 0.
        before: what happens in the world just before a command.
    """

    def __init__(
        self,
        folder: Path,
        env: Mapping[str, str],
        *,
        places: Mapping[str, str] | None = None,
        exits: Mapping[str, set[int]] | None = None,
        before: Mapping[str, Callable[[], object]] | None = None,
    ) -> None:
        self.folder, self.places = folder, places or {}
        self.exits, self.before = exits or {}, before or {}
        home = {"HOME": str(folder), "XDG_DATA_HOME": str(folder / "data"), "PYTHONPATH": str(REPOSITORY)}
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self.env = clean_environment(env) | home | {"PATH": path, "PYTHONUNBUFFERED": "1"}
        self.own = set(env)
        self.said: dict[str, str] = {}
        """What each command printed."""
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def follow(self, page: str, *headings: str) -> None:
        """Do what stands below the headings; without headings, the whole page."""
        found = sections(page)
        for line in (line for heading in headings or found for line in found[heading]):
            self.do(" ".join(line.split()))

    def do(self, line: str) -> None:
        """One line."""
        if any(line.startswith(each) for each in NOT_HERE):
            return
        if match := re.fullmatch(r"export (\w+)=(.*)", line):
            if match[1] not in self.own:
                self.env[match[1]] = self._here("".join(shlex.split(match[2])))
            return
        self.before.get(line, lambda: None)()
        endless = [ready for start, ready in ENDLESS.items() if line.startswith(start)]
        if endless:
            self._start(line, endless[0])
        else:
            self._run(line)

    def _here(self, line: str) -> str:
        for place, here in self.places.items():
            line = line.replace(place, here)
        return line

    def _run(self, line: str) -> None:
        done = subprocess.run(
            ["bash", "-euc", self._here(line)], cwd=self.folder, env=self.env, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=HANG_SECONDS,
        )  # fmt: skip
        said = done.stdout + done.stderr
        self.said[line] = self.said.get(line, "") + said
        assert done.returncode in self.exits.get(line, {0}), f"{line}\n{said}\n{self._logs()}"

    def _start(self, line: str, ready: str) -> None:
        log = self.folder / f"{len(self.running)}.log"
        guarded = [sys.executable, "-m", "tests.workers", "bash", "-c", f"exec {self._here(line)}"]
        with log.open("wb") as output:
            self.running[line] = subprocess.Popen(
                guarded, cwd=self.folder, env=self.env, stdin=subprocess.PIPE, stdout=output, stderr=output
            )

        def is_ready() -> bool:
            assert self.running[line].poll() is None, f"{line} ended:\n{log.read_text()}"
            return bool(re.search(ready, log.read_text(errors="replace")))

        wait_until(is_ready, f"{line} is ready")

    def stop(self) -> None:
        """Tell what runs to stop, and see that it ends well."""
        for process in self.running.values():
            assert process.stdin is not None
            process.stdin.close()
        ended = {line: process.wait(HANG_SECONDS) for line, process in self.running.items()}
        logs, self.running = self._logs(), {}
        assert set(ended.values()) <= _STOPPED, f"{ended}\n{logs}"

    def _logs(self) -> str:
        return "\n".join(self._each_log())

    def _each_log(self) -> Iterator[str]:
        for number, line in enumerate(self.running):
            yield f"--- {line}\n{(self.folder / f'{number}.log').read_text(errors='replace')[-3000:]}"

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
