"""Processes under a supervisor that starts them again whenever they end, as systemd's `Restart=always`.

Celery 5.7's main process ends when Redis goes away in mid-work; a worker without a supervisor stays down.

Run as a program (`python -m tests.faults.fleet COMMAND…`) it is the supervisor; it ends what it started
when its standard input closes, which the kernel does when the tests' process ends.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from tests.workers import HANG_SECONDS, REPOSITORY, WorkerError, clean_environment, wait_until

APP = "tests.faults.app"
_PAUSE_SECONDS = 0.3
_READY = re.compile(r"@\S+ ready\.")


class Supervised:
    """One command behind its supervisor."""

    def __init__(self, command: list[str], env: Mapping[str, str], log: Path) -> None:
        self.log = log
        with log.open("ab") as output:
            self._supervisor = subprocess.Popen(
                [sys.executable, "-m", "tests.faults.fleet", *command],
                cwd=REPOSITORY,
                env=clean_environment(env) | {"PYTHONUNBUFFERED": "1"},
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def family(self) -> list[psutil.Process]:
        """The command's main process, then its children; empty between an end and the next start."""
        with contextlib.suppress(psutil.NoSuchProcess):
            return psutil.Process(self._supervisor.pid).children(recursive=True)
        return []

    def kill(self) -> None:
        """SIGKILL to the main process and all its children at once, as when the machine loses power."""
        for process in self.family():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()

    def signal(self, number: signal.Signals) -> psutil.Process:
        """The signal to the main process alone, which is returned."""
        main = self.family()[0]
        main.send_signal(number)
        return main

    @property
    def starts(self) -> int:
        """How often the worker became ready."""
        return len(_READY.findall(self.text()))

    def text(self) -> str:
        return self.log.read_text(errors="replace")

    def tail(self, lines: int = 60) -> str:
        return "\n".join(self.text().splitlines()[-lines:])

    def stop(self) -> None:
        """End supervisor and command, by force after a while."""
        family = self.family()
        assert self._supervisor.stdin is not None
        self._supervisor.stdin.close()
        try:
            self._supervisor.wait(HANG_SECONDS)
        except subprocess.TimeoutExpired:
            self._supervisor.kill()
            self._supervisor.wait()
        for process in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()


class Fleet:
    """Workers on all queues, and a reaper."""

    def __init__(self, folder: Path, env: Mapping[str, str]) -> None:
        self.folder, self.env = folder, dict(env)
        self.workers: list[Supervised] = []
        self.others: list[Supervised] = []

    def start_worker(self, queues: str, concurrency: int, env: Mapping[str, str] | None = None) -> Supervised:
        name = f"worker-{len(self.workers)}"
        command = [sys.executable, "-m", "celery", "-A", APP, "worker", "-Q", queues, "-n", f"{name}@faults"]
        command += ["-P", "prefork", "-c", str(concurrency), "--loglevel", "INFO"]
        command += ["--without-mingle", "--without-gossip"]
        worker = Supervised(command, self.env | dict(env or {}), self.folder / f"{name}.log")
        self.workers.append(worker)
        return worker

    def start_reaper(self, seconds: float) -> Supervised:
        program = str(Path(sys.executable).with_name("docpipe"))
        return self._start_other("reaper", [program, "reap", "--every", str(seconds)])

    def start_beat(self) -> Supervised:
        schedule = str(self.folder / "beat-schedule")
        command = [sys.executable, "-m", "celery", "-A", APP, "beat", "-s", schedule, "--pidfile", ""]
        return self._start_other("beat", command)

    def _start_other(self, name: str, command: list[str]) -> Supervised:
        other = Supervised(command, self.env, self.folder / f"{name}.log")
        self.others.append(other)
        return other

    def wait_until_ready(self) -> None:
        try:
            wait_until(lambda: all(worker.starts for worker in self.workers), "the workers are ready")
        except AssertionError as error:
            raise WorkerError(f"{error}\n{self.tails()}") from None

    def tails(self, lines: int = 60) -> str:
        return "\n".join(f"--- {each.log.name}\n{each.tail(lines)}" for each in [*self.workers, *self.others])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.ExitStack() as stops:
            for each in [*self.workers, *self.others]:
                stops.callback(each.stop)


def _supervise(command: list[str]) -> None:
    ending = threading.Event()
    running: list[subprocess.Popen[bytes]] = []

    def end_with_parent() -> None:
        sys.stdin.buffer.read()
        ending.set()
        for process in running:
            process.terminate()

    threading.Thread(target=end_with_parent, daemon=True).start()
    while not ending.is_set():
        running[:] = [subprocess.Popen(command, stdin=subprocess.DEVNULL)]
        code = running[0].wait()
        sys.stderr.write(f"supervisor: {os.path.basename(command[0])} ended with {code}\n")  # noqa: PTH119
        ending.wait(_PAUSE_SECONDS)


if __name__ == "__main__":
    _supervise(sys.argv[1:])
