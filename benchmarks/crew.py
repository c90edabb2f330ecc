"""The processes of one contender, and what it costs them to read pages."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from queue import SimpleQueue

from benchmarks.contenders import CONTENDERS, Page

_ENV = {name: value for name, value in os.environ.items() if not name.startswith(("DOCPIPE_", "OMP_"))}


@dataclass(frozen=True, slots=True)
class Result:
    """One run over all pages."""

    texts: list[str]
    seconds: float
    cpu: float
    memory: float
    """Peak of the largest process, megabytes."""

    @property
    def pages_per_second(self) -> float:
        return len(self.texts) / self.seconds

    @property
    def cpu_per_page(self) -> float:
        return self.cpu / len(self.texts)


class Crew:
    """Processes that have loaded their models and read one page before they are timed."""

    def __init__(self, name: str, jobs: int, warm_up: Page) -> None:
        self._contender = CONTENDERS[name]
        number = 1 if self._contender.alone else jobs
        command = [sys.executable, "-m", "benchmarks.contenders", name]
        self._processes = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=_ENV)
            for _ in range(number)
        ]
        for process in self._processes:
            _send(process, [warm_up])
        for process in self._processes:
            if _line(process) != "ready\n":
                raise RuntimeError(f"{name} did not start.")

    def read(self, pages: Sequence[Page]) -> Result:
        """Let each process take the next page when it is free, and time them together."""
        batches = [list(pages)] if self._contender.whole else [[page] for page in pages]
        idle: SimpleQueue[subprocess.Popen[str]] = SimpleQueue()
        for process in self._processes:
            idle.put(process)

        def answer(batch: list[Page]) -> dict[str, list[str] | float]:
            process = idle.get()
            _send(process, batch)
            found: dict[str, list[str] | float] = json.loads(_line(process))
            idle.put(process)
            return found

        start = time.perf_counter()
        with ThreadPoolExecutor(len(self._processes)) as threads:
            answers = list(threads.map(answer, batches))
        seconds = time.perf_counter() - start
        texts = [text for found in answers for text in found["texts"]]  # type: ignore[union-attr]
        cpu, memory = ([float(found[key]) for found in answers] for key in ("cpu", "memory"))  # type: ignore[arg-type]
        return Result(texts, seconds, sum(cpu), max(memory))

    def close(self) -> None:
        for process in self._processes:
            process.communicate()


def _send(process: subprocess.Popen[str], pages: Sequence[Page]) -> None:
    assert process.stdin is not None
    process.stdin.write(json.dumps(pages) + "\n")
    process.stdin.flush()


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()
