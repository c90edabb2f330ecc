"""Reading documents in a process of its own, so that a hang or crash costs the document, not the worker.

A time-out inside the worker cannot stop native code (MuPDF holds the interpreter's lock for as long as it
likes), so the bytes are parsed, rendered and recognised by a child: the parent waits with a deadline,
watches the child's memory, kills it when it goes too far, and says which limit that was. The child lives
on from document to document, so that models are loaded once.
"""

from __future__ import annotations

import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docpipe.errors import (
    DocpipeError,
    ReadingCrashError,
    ReadingMemoryError,
    ReadingTimeoutError,
    WorkerLostError,
)
from docpipe.formats.base import Limits
from docpipe.models import StageOutput

if TYPE_CHECKING:
    from docpipe.plan import Options

_POLL_SECONDS = 0.05
_DOCUMENTS_PER_CHILD = 200
_PAGE_SIZE = resource.getpagesize()


@dataclass(frozen=True, slots=True)
class Task:
    """One document for the child."""

    path: Path
    name: str
    options: Options


class ReaderProcess:
    """The child, started when first needed and again after it was killed.

    Belongs to one process and one thread at a time; after a fork the new process gets a child of its own.
    """

    def __init__(self, options: Options) -> None:
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection[Any, Any] | None = None
        self._pid = 0
        self._documents = 0

    def read(self, path: Path, name: str, report: Callable[[int], None]) -> StageOutput:
        """Read the document in the child; `report` is told each page when it is done.

        Raises:
            ReadingTimeoutError: no page was finished for `max_seconds`.
            ReadingMemoryError: the child took more than `max_memory_bytes`.
            ReadingCrashError: native code crashed.
            WorkerLostError: somebody else killed the child (the system, short of memory).
            DocpipeError: as reading raises it.
        """
        connection = self._started()
        try:
            connection.send(Task(path, name, self._options))
            return self._answer(connection, name, report)
        except BaseException as error:
            if not isinstance(error, DocpipeError) or isinstance(error, _KILLED):
                self.close()  # whatever the child is doing now, nobody waits for it any more
            raise
        finally:
            self._documents += 1
            if self._documents >= _DOCUMENTS_PER_CHILD or self._memory() > self._limits.max_memory_bytes // 2:
                self.close()

    @property
    def _limits(self) -> Limits:
        return self._options.limits

    def close(self) -> None:
        """Kill the child, if there is one of this process's own."""
        process, connection, mine = self._process, self._connection, self._pid == os.getpid()
        self._process = self._connection = None
        if connection is not None:
            connection.close()
        if process is not None and mine:
            process.kill()
            process.wait()

    def _started(self) -> Connection[Any, Any]:
        if self._pid != os.getpid():
            self._process = self._connection = None  # the parent's, from before a fork
        if self._connection is None or self._process is None or self._process.poll() is not None:
            self.close()
            self._start()
        assert self._connection is not None
        return self._connection

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        command = [sys.executable, "-m", "docpipe.isolation.child", str(theirs.fileno())]
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own module
                command, pass_fds=(theirs.fileno(),), stdin=subprocess.DEVNULL, start_new_session=True
            )
        self._connection = Connection(ours.detach())
        self._pid, self._documents = os.getpid(), 0
        # third parties' engines are found where this process finds them
        self._connection.send((sys.path, os.getpid(), self._limits.max_memory_bytes))

    def _answer(
        self, connection: Connection[Any, Any], name: str, report: Callable[[int], None]
    ) -> StageOutput:
        deadline = time.monotonic() + self._limits.max_seconds
        while True:
            if connection.poll(_POLL_SECONDS):
                kind, value = self._received(connection, name)
                if kind == "done":
                    output: StageOutput = value
                    return output
                if kind == "error":
                    raise value
                report(value)
                deadline = time.monotonic() + self._limits.max_seconds
            self._check(name, deadline)

    def _received(self, connection: Connection[Any, Any], name: str) -> tuple[str, Any]:
        try:
            message: tuple[str, Any] = connection.recv()
        except (EOFError, ConnectionResetError):
            raise self._death(name) from None
        return message

    def _death(self, name: str) -> DocpipeError:
        assert self._process is not None
        code = self._process.wait()
        if code == -signal.SIGKILL:
            return WorkerLostError(f"The process that read {name} was killed, perhaps for want of memory.")
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        return ReadingCrashError(f"Reading {name} crashed ({how}).")

    def _check(self, name: str, deadline: float) -> None:
        if time.monotonic() > deadline:
            seconds = self._limits.max_seconds
            raise ReadingTimeoutError(f"Reading {name} made no progress for {seconds:g} seconds.")
        if self._memory() > self._limits.max_memory_bytes:
            limit = self._limits.max_memory_bytes // 1_000_000
            raise ReadingMemoryError(f"Reading {name} took more than {limit:,} MB of memory.")

    def _memory(self) -> int:
        """Resident bytes of the child; 0 where the system does not tell (only Linux has /proc)."""
        if self._process is None:
            return 0
        try:
            fields = Path(f"/proc/{self._process.pid}/statm").read_bytes().split()
        except OSError:
            return 0
        return int(fields[1]) * _PAGE_SIZE if len(fields) > 1 else 0


_KILLED = (ReadingTimeoutError, ReadingMemoryError, ReadingCrashError, WorkerLostError)
