"""The parent's side of a child process: starting it, talking to it, and ending it whatever it does."""

from __future__ import annotations

import contextlib
import os
import pickle
import resource
import signal
import socket
import subprocess
import sys
import weakref
from multiprocessing import spawn
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docpipe.errors import WorkerLostError

_PROGRAM = Path(__file__).with_name("child.py")
_LAST_WORDS = 4_000
_PIPE_BYTES = 65_536
_END_SECONDS = 2.0
"""A process that was killed, or hung up, is gone in milliseconds; where the system holds it, or it lives on,
nobody waits longer."""
_PAGE_SIZE = resource.getpagesize()

if TYPE_CHECKING:
    Pipe = Connection[Any, Any]  # generic for the type checker only


class Child:
    """A running child. It dies with this object, with the thread that made it, and with this process."""

    def __init__(self, max_memory_bytes: int) -> None:
        """Start it; raises `WorkerLostError` when the system cannot."""
        self.documents = 0
        self._owner = os.getpid()
        self._noise = b""
        ours, theirs = socket.socketpair()
        with theirs:
            self._connection: Pipe = Connection(ours.detach())
            self._process = _started(theirs.fileno())
        self._statm = _opened(f"/proc/{self._process.pid}/statm")
        self._schedstat = _opened(f"/proc/{self._process.pid}/schedstat")
        files = (self._statm, self._schedstat)
        self._end = weakref.finalize(self, _end, self._owner, self._process, self._connection, files)
        assert self._process.stdout is not None
        self._output = self._process.stdout.fileno()
        os.set_blocking(self._output, False)
        self._listening: list[Pipe | int] = [self._connection, self._output]
        with contextlib.suppress(ConnectionError):  # gone already: that is told when it is asked
            # third parties' engines are found where this process finds them
            self._connection.send((sys.path, os.getpid(), max_memory_bytes))

    @property
    def alive(self) -> bool:
        """Whether it may be asked; not so in a process that was forked from the one that started it."""
        return self._end.alive and self._owner == os.getpid() and self._process.poll() is None

    def send(self, message: bytes) -> None:
        """Raises `ConnectionError` when the child is gone."""
        self._noise = b""
        self._connection.send_bytes(message)

    def receive(self, seconds: float) -> tuple[str, Any]:
        """The next message (kind, value), or ("nothing", None) when none came for so long.

        Raises:
            EOFError, ConnectionError: the child is gone.
        """
        ready = wait(self._listening, seconds)
        if self._output in ready:
            self._listen()
        if self._connection not in ready:
            if self._process.poll() is not None and not self._connection.poll():
                raise EOFError  # another process, forked at a bad time, may hold the connection open
            return "nothing", None
        try:
            message: tuple[str, Any] = pickle.loads(self._connection.recv_bytes())  # noqa: S301 - our own child
        except OSError as error:  # in the middle of a message, too
            raise EOFError from error
        return message

    def last_words(self) -> tuple[int | None, str]:
        """Its exit code (None: it does not talk, but lives) and the end of what it wrote."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_SECONDS)
        _kill_group(self._process)
        self._listen()
        return self._process.returncode, self._noise.decode(errors="replace").strip()

    def memory(self) -> int:
        """Resident bytes; 0 where the system does not tell (only Linux has /proc)."""
        return _second_field(self._statm) * _PAGE_SIZE

    def kept_waiting(self) -> float:
        """Seconds, since it was started, that it could have run but had no processor, because others had
        them; 0 where the system does not tell (Linux, Documentation/scheduler/sched-stats.rst)."""
        return _second_field(self._schedstat) / 1e9

    def end(self) -> None:
        """Kill it; harmless when it is dead, or another process's."""
        self._end()

    def _listen(self) -> None:
        """Empty the pipe that it writes to, so that libraries can neither flood the log nor block."""
        with contextlib.suppress(BlockingIOError):
            heard = os.read(self._output, _PIPE_BYTES)
            self._noise = (self._noise + heard)[-_LAST_WORDS:]
            if not heard:
                self._listening = [self._connection]


def _started(descriptor: int) -> subprocess.Popen[bytes]:
    # By its file and with -P: a module of the same name in the current folder must not run instead.
    command = [os.fsdecode(spawn.get_executable()), "-P", str(_PROGRAM), str(descriptor)]
    try:
        return subprocess.Popen(  # noqa: S603 - our own program
            command,
            pass_fds=(descriptor,),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for the parent, which then kills the child's group
        )
    except OSError as error:
        raise WorkerLostError(f"No process to read documents can be started: {error}.") from error


def _second_field(file: int | None) -> int:
    try:
        fields = os.pread(file, 200, 0).split() if file is not None else []
    except OSError:
        return 0
    return int(fields[1]) if len(fields) > 1 else 0


def _opened(path: str) -> int | None:
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill it and what it started; not when it was reaped long ago, for its number may be another's now."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _end(
    owner: int, process: subprocess.Popen[bytes], connection: Pipe, files: tuple[int | None, ...]
) -> None:
    if owner == os.getpid():
        if process.returncode is None:
            _kill_group(process)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_END_SECONDS)
    else:
        process.returncode = 0  # forked from the owner: not ours to wait for
    connection.close()
    if process.stdout is not None:
        process.stdout.close()
    for file in files:
        if file is not None:
            os.close(file)
