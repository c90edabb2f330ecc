"""Real `celery worker` processes for tests: started, awaited, shown when they fail, and never left behind.

    with Workers(folder, env) as workers:
        workers.start("ocr")
        workers.start("text", "entity", "graph")
        workers.wait_until_ready()

Run as a program (`python -m tests.workers COMMAND…`) it is the guard of one worker: it ends the command
when its standard input closes, which the kernel does when the tests' process ends, by SIGKILL too.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import psutil

REPOSITORY = Path(__file__).resolve().parents[1]
HANG_SECONDS = 600.0
"""Whoever waits longer hangs. No verdict: on a busy machine everything may take minutes."""
POLL_SECONDS = 0.05

_OURS = re.compile(r"^(DOCPIPE_|SUPABASE_|REDIS_|CELERY_|AWS_)")
_READY = re.compile(r"@\S+ ready\.")

T = TypeVar("T")


class WorkerError(AssertionError):
    """A worker did not do what it should; the message holds the end of its log."""


def clean_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """This process's environment without anything that docpipe reads, and `extra`."""
    return {key: value for key, value in os.environ.items() if not _OURS.match(key)} | dict(extra)


def wait_until(condition: Callable[[], T | None], what: str, seconds: float = HANG_SECONDS) -> T:
    """The condition's first true value. Raises `AssertionError` saying `what` was waited for."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"after {seconds:g} s still waiting until {what}"
        time.sleep(POLL_SECONDS)
    return value


class Worker:
    """One `celery -A app worker`, with its children, behind a guard."""

    def __init__(
        self,
        log: Path,
        env: Mapping[str, str],
        queues: tuple[str, ...],
        *,
        app: str = "docpipe.worker",
        cwd: Path = REPOSITORY,
        concurrency: int = 1,
        pool: str = "prefork",
    ) -> None:
        self.name = f"{'-'.join(queues)}@test"
        self.log = log
        with log.open("wb") as output:
            self._guard = subprocess.Popen(
                [sys.executable, "-m", "tests.workers", *self._command(app, queues, concurrency, pool, cwd)],
                cwd=REPOSITORY,
                env=clean_environment(env) | {"PYTHONUNBUFFERED": "1"},
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def _command(
        self, app: str, queues: tuple[str, ...], concurrency: int, pool: str, cwd: Path
    ) -> list[str]:
        command = [sys.executable, "-m", "celery", "--workdir", str(cwd), "-A", app, "worker"]
        options = ["-Q", ",".join(queues), "-n", self.name, "-P", pool, "-c", str(concurrency)]
        return [*command, *options, "--loglevel", "INFO", "--without-mingle", "--without-gossip"]

    @property
    def ready(self) -> bool:
        """Whether it consumes its queues. Raises `WorkerError` when it has ended instead."""
        if self._guard.poll() is not None:
            raise WorkerError(f"worker {self.name} ended with {self._guard.returncode}:\n{self.tail()}")
        return bool(_READY.search(self._text()))

    def processes(self) -> list[psutil.Process]:
        """Celery's main process, then its children; empty when it has ended."""
        with contextlib.suppress(psutil.NoSuchProcess):
            return psutil.Process(self._guard.pid).children(recursive=True)
        return []

    def stop(self) -> None:
        """End it warmly; what hangs is killed, and that is an error."""
        family = self.processes()
        assert self._guard.stdin is not None
        self._guard.stdin.close()
        _, left = psutil.wait_procs(family, HANG_SECONDS)
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self._guard.wait()
        if left:
            raise WorkerError(f"worker {self.name} did not end when told to:\n{self.tail()}")

    def tail(self, lines: int = 40) -> str:
        """The end of its log."""
        return "\n".join(self._text().splitlines()[-lines:])

    def _text(self) -> str:
        return self.log.read_text(errors="replace")


class Workers:
    """Several workers that share an environment; leaving the block stops them all."""

    def __init__(self, folder: Path, env: Mapping[str, str], *, app: str = "docpipe.worker") -> None:
        self._folder, self._env, self._app = folder, env, app
        self._all: list[Worker] = []

    @property
    def all(self) -> list[Worker]:
        """Every worker that was started, in that order."""
        return list(self._all)

    def start(self, *queues: str, cwd: Path = REPOSITORY, pool: str = "prefork") -> Worker:
        """Start one worker for these queues; it is not ready yet."""
        log = self._folder / f"worker-{len(self._all)}-{'-'.join(queues)}.log"
        self._all.append(Worker(log, self._env, queues, app=self._app, cwd=cwd, pool=pool))
        return self._all[-1]

    def wait_until_ready(self) -> None:
        """Return when all consume their queues. Raises `WorkerError` with the log of one that does not."""
        try:
            wait_until(lambda: all(worker.ready for worker in self._all), "all workers are ready")
        except AssertionError as error:
            raise WorkerError(f"{error}\n{self.tails()}") from None

    def tails(self) -> str:
        """The ends of all logs, for a failure's message."""
        return "\n".join(f"--- {worker.name}\n{worker.tail()}" for worker in self._all)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.ExitStack() as stops:
            for worker in self._all:
                stops.callback(worker.stop)
        if error is not None:
            sys.stderr.write(self.tails())


def _guard(command: list[str]) -> int:
    worker = subprocess.Popen(command, stdin=subprocess.DEVNULL)

    def end_with_parent() -> None:
        sys.stdin.buffer.read()
        worker.terminate()

    threading.Thread(target=end_with_parent, daemon=True).start()
    return worker.wait()


if __name__ == "__main__":
    sys.exit(_guard(sys.argv[1:]))
