"""Reading documents in a process of its own, so that a hang or crash costs the document, not the worker.

A time-out inside the worker cannot stop native code (MuPDF holds the interpreter's lock for as long as it
likes), so the bytes are parsed, rendered and recognised by a child: the parent waits with a deadline,
watches the child's memory, kills it when it goes too far, and says which limit that was. The child lives
on from document to document, so that models are loaded once.
"""

from __future__ import annotations

import pickle
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

from docpipe.errors import (
    ConfigurationError,
    DocpipeError,
    ReadingCrashError,
    ReadingMemoryError,
    ReadingTimeoutError,
    WorkerLostError,
)
from docpipe.execution.isolation.child import BUSY_FACTOR
from docpipe.execution.isolation.process import Child
from docpipe.execution.isolation.task import ReadTask
from docpipe.execution.options import Options, PageRequest
from docpipe.formats.base import Limits
from docpipe.models import StageOutput

_POLL_SECONDS = 0.02
"""How often memory is looked at: a process can take some 2 MB in a millisecond."""
_DOCUMENTS_PER_CHILD = 200


class _Patience:
    """How long the child may go on without a sign: a machine busy with other things costs no document."""

    def __init__(self, child: Child, seconds: float) -> None:
        self._child, self._seconds = child, seconds
        self._begin, self._kept = time.monotonic(), child.kept_waiting()

    def is_over(self) -> bool:
        spent = time.monotonic() - self._begin
        if spent <= self._seconds:
            return False
        own = spent - (self._child.kept_waiting() - self._kept)
        return own > self._seconds or spent > BUSY_FACTOR * self._seconds


class ReaderProcess:
    """The child, started when first needed and again after it was killed.

    Every thread that reads has a child of its own, and so has every process after a fork.
    """

    def __init__(self, options: Options) -> None:
        self._options = options
        self._here = threading.local()

    def read(
        self, path: Path, name: str, report: Callable[[int], None], request: PageRequest | None = None
    ) -> StageOutput:
        """Read the document in the child; `report` is told each page when it is done, and may raise.

        However the call ends, nobody works on the document any more afterwards.

        Raises:
            ReadingTimeoutError: no page was finished for `max_seconds`, those not counted in which other
                programs kept the child from a processor, or for `BUSY_FACTOR` times as long.
            ReadingMemoryError: the child took more than `max_memory_bytes`.
            ReadingCrashError: native code crashed.
            WorkerLostError: somebody else killed the child (the system, short of memory).
            ConfigurationError: the options cannot be sent to another process.
            DocpipeError: as reading raises it.
        """
        try:
            task = pickle.dumps(ReadTask(path, name, self._options, request or PageRequest()))
        except (pickle.PicklingError, TypeError, AttributeError) as error:
            raise ConfigurationError(
                f"The options cannot be sent to the process that reads documents: {error}."
                " Give engines by name and plain values, or set Options(isolate=False)."
            ) from error
        child = self._child()
        try:
            answer = self._answer(child, task, name, report)
        except BaseException:
            self.close()  # whatever the child is doing now, nobody waits for it any more
            raise
        if self._has_served(child) or isinstance(answer, ReadingMemoryError):
            self.close()
        if isinstance(answer, DocpipeError):
            raise answer
        return answer

    def close(self) -> None:
        """Kill this thread's child, if it has one; the next document starts another."""
        child: Child | None = getattr(self._here, "child", None)
        if child is not None:
            child.end()
            self._here.child = None

    @property
    def _limits(self) -> Limits:
        return self._options.limits

    def _child(self) -> Child:
        child: Child | None = getattr(self._here, "child", None)
        if child is None or not child.alive:
            self.close()
            child = self._here.child = Child(self._limits.max_memory_bytes)
        return child

    def _has_served(self, child: Child) -> bool:
        """Whether a fresh child should take its place: whatever leaks in libraries ends with it."""
        child.documents += 1
        return child.documents >= _DOCUMENTS_PER_CHILD or child.memory() > self._limits.max_memory_bytes // 2

    def _answer(
        self, child: Child, task: bytes, name: str, report: Callable[[int], None]
    ) -> StageOutput | DocpipeError:
        """What the child says in the end; raises what it cannot say itself."""
        patience = _Patience(child, self._limits.max_seconds)
        try:
            child.send(task)
            while True:
                kind, value = child.receive(_POLL_SECONDS)
                if kind == "output" or kind == "error":
                    final: StageOutput | DocpipeError = value
                    return final
                if kind == "page":
                    report(value)
                    patience = _Patience(child, self._limits.max_seconds)
                self._check(child, name, patience)
        except (EOFError, ConnectionError):
            raise _death(child, name, self._limits) from None

    def _check(self, child: Child, name: str, patience: _Patience) -> None:
        if patience.is_over():
            raise _timeout(name, self._limits)
        if child.memory() > self._limits.max_memory_bytes:
            limit = self._limits.max_memory_bytes // 1_000_000
            raise ReadingMemoryError(f"Reading {name} took more than {limit:,} MB of memory.")


def _timeout(name: str, limits: Limits) -> ReadingTimeoutError:
    return ReadingTimeoutError(f"Reading {name} made no progress for {limits.max_seconds:g} seconds.")


def _death(child: Child, name: str, limits: Limits) -> DocpipeError:
    code, last_words = child.last_words()
    error: DocpipeError
    if code == -signal.SIGKILL:
        error = WorkerLostError(f"The process that read {name} was killed, perhaps for want of memory.")
    elif code == -signal.SIGALRM:
        error = _timeout(name, limits)
    elif code is None:
        error = ReadingCrashError(f"Reading {name} broke off: the process that read it no longer answers.")
    elif code < 0:
        error = ReadingCrashError(f"Reading {name} crashed: {signal.strsignal(-code) or -code}.")
    else:
        error = ReadingCrashError(f"Reading {name} ended the process that read it (exit code {code}).")
    if last_words:
        error.add_note(f"The last that the process wrote:\n{last_words}")
    return error
