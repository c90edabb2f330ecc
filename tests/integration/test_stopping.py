"""A run that is stopped, well or badly and at any moment, leaves no process and no open port."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import psutil
import pytest

from tests.workers import REPOSITORY, wait_until

MARK = "STOPPED_RUN"
ENDLESS = "tests/integration/endless.py"


@dataclass
class Run:
    """A run of tests that never end, and what is known of its processes."""

    process: subprocess.Popen[bytes]
    folder: Path
    mark: str

    def begun(self, name: str) -> bool:
        """Whether it came as far as this file; raises `AssertionError` when it has ended before."""
        assert self.process.poll() is None, (self.folder / "log").read_text()
        return any(self.folder.rglob(name))

    def ports(self) -> list[int]:
        """Where its servers listen, or will."""
        states = [json.loads(file.read_text() or "{}") for file in self.folder.rglob("stack.json")]
        return [int(state[name]) for state in states for name in ("redis", "postgres", "api") if state]

    def homes(self) -> list[str]:
        """Folders that its processes' command lines name."""
        return [str(self.folder), *(file.read_text() for file in self.folder.rglob("postgres/home"))]


def living(run: Run, homes: list[str]) -> list[str]:
    """The commands of its processes."""
    return [" ".join(command) for command in _commands(run, homes)]


def _commands(run: Run, homes: list[str]) -> Iterator[list[str]]:
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            command = process.cmdline()
            ours = process.environ().get(MARK) == run.mark or any(home in " ".join(command) for home in homes)
            if ours and process.status() != psutil.STATUS_ZOMBIE:
                yield command


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[[int | None], Run]]:
    """Starts a run of so many processes, in a group of its own as a shell does; None: as `make` runs it."""
    started: list[Run] = []

    def start(processes: int | None) -> Run:
        mark = uuid.uuid4().hex
        arguments = [
            "-p",
            "no:cacheprovider",
            f"--basetemp={tmp_path / 'run'}",
            "tests/integration/endless.py",
        ]
        command = [sys.executable, "-m", "pytest", "-n", str(processes), *arguments]
        if processes is None:
            command = ["make", "test", "PROCESSES=2", f"ARGS={' '.join(arguments)} -m slow"]
        foreign = ("PYTEST_", "DOCPIPE_")
        env = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        with (tmp_path / "log").open("wb") as log:
            process = subprocess.Popen(
                command,
                cwd=REPOSITORY,
                env=env | {MARK: mark, "BEGUN": str(tmp_path)},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        started.append(Run(process, tmp_path, mark))
        return started[-1]

    yield start
    for each in started:
        each.process.kill()
        each.process.wait()


def press_ctrl_c(process: subprocess.Popen[bytes]) -> None:
    """As a terminal does: to all processes of the group."""
    os.killpg(process.pid, signal.SIGINT)


WAYS: dict[str, Callable[[subprocess.Popen[bytes]], None]] = {
    "Ctrl-C": press_ctrl_c,
    "SIGTERM": lambda process: process.terminate(),
    "SIGKILL": lambda process: process.kill(),
}


@pytest.mark.parametrize(
    ("way", "milestone", "processes"),
    [
        *((way, *each) for each in (("stack.json", 2), ("worker", 2), ("worker", 0)) for way in WAYS),
        ("Ctrl-C", "worker", None),
        ("SIGTERM", "worker", None),
    ],
)
def test_a_run_that_is_stopped_leaves_no_process_and_no_port(
    run: Callable[[int | None], Run], way: str, milestone: str, processes: int | None
) -> None:
    running = run(processes)
    wait_until(lambda: running.begun(milestone), f"{milestone} is there")
    Event().wait(random.random())  # whatever it does at that moment
    ports, homes = running.ports(), running.homes()
    WAYS[way](running.process)
    running.process.wait()
    homes += running.homes()
    wait_until(lambda: not living(running, homes), "no process is left")
    assert [port for port in ports if listens(port)] == []
