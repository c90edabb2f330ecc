"""The parent's side of a child process: starting it, talking to it, and ending it whatever it does."""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import socket
import subprocess
import sys
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from multiprocessing import spawn
from multiprocessing.connection import wait
from pathlib import Path

from docpipe.errors import WorkerLostError
from docpipe.execution.isolation.family import Family
from docpipe.execution.isolation.folders import Folders
from docpipe.execution.isolation.sandbox import SCRATCH_BYTES, Rules
from docpipe.execution.isolation.wire import Layers, Listener, Said
from docpipe.formats.base import Limits

if sys.platform != "win32":  # whoever only submits may be there
    import resource

_PROGRAM = Path(__file__).with_name("child.py")
_LAST_WORDS = 4_000
_PIPE_BYTES = 65_536
_END_SECONDS = 2.0
"""A process that was killed, or hung up, is gone in milliseconds; where the system holds it, or it lives on,
nobody waits longer."""
_MOST_PROGRAMS = 32
_MOST_THREADS = 1_000


class Child:
    """A running child. It dies with this object, with the thread that made it, and with this process."""

    def __init__(
        self, limits: Limits, folders: Folders, rules: Rules, environment: Mapping[str, str] | None
    ) -> None:
        """Start it; raises `WorkerLostError` when the system cannot.

        Args:
            environment: None gives it this process's own.
        """
        self.documents = 0
        self.folders = folders
        self._alone = False
        self._owner = os.getpid()
        self._noise = b""
        ours, theirs = socket.socketpair()
        watched, watching = os.pipe()
        with theirs:
            self._process = _started(theirs.fileno(), watched, environment)
        os.close(watched)
        self._family = Family(self._process.pid)
        parts = _Parts(self._process, ours, watching, self._family, folders)
        self._end = weakref.finalize(self, _end, self._owner, parts)
        assert self._process.stdout is not None
        self._output = self._process.stdout.fileno()
        os.set_blocking(self._output, False)
        self._socket = ours
        self._listener = Listener(ours, limits)
        self._listening: list[socket.socket | int] = [ours, self._output]
        with contextlib.suppress(OSError):  # gone already: that is reported when it is asked
            # third parties' engines are found where this process finds them
            self._socket.sendall(pickle.dumps((sys.path, os.getpid(), watched)))
            self._socket.sendall(pickle.dumps(rules))

    @property
    def alive(self) -> bool:
        """Whether it may be asked; not so in a process that was forked from the one that started it."""
        return self._end.alive and self._owner == os.getpid() and self._process.poll() is None

    def send(self, message: bytes, seconds: float) -> None:
        """Raises `EOFError` when the child is gone, or does not listen for so long."""
        self._noise = b""
        self._socket.settimeout(seconds)
        try:
            self._socket.sendall(message)
        except OSError as error:
            raise EOFError from error
        finally:
            self._socket.settimeout(None)

    def receive(self, seconds: float) -> Said | None:
        """The next message; None when none came for so long.

        Raises:
            EOFError: the child is gone.
            RefusedError: what came is no message.
        """
        message = self._listener.next()
        if message is None:
            ready = wait(self._listening, seconds)
            if self._output in ready:
                self._listen()
            gone = self._process.poll() is not None
            message = self._listener.next()
            if message is None and gone:
                raise EOFError  # another process, forked at a bad time, may hold the connection open
        if isinstance(message, Layers):
            self._alone = message.layers.get("programs", "") is None
        return message

    def last_words(self) -> tuple[int | None, str]:
        """Its exit code (None: it does not talk, but lives) and the end of what it wrote."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_SECONDS)
        self._family.kill_descendants()
        _kill_group(self._process)
        self._listen()
        return self._process.returncode, self._noise.decode(errors="replace").strip()

    def memory(self) -> int:
        """Resident bytes, of the programs that it started too; 0 where the system does not tell."""
        return self._family.memory(self._descendants())

    def excess(self) -> str | None:
        """What it takes too much of: programs, threads or space on the disk."""
        if len(self._descendants()) > _MOST_PROGRAMS:
            return f"more than {_MOST_PROGRAMS} programs"
        if self._family.threads() > _MOST_THREADS:
            return f"more than {_MOST_THREADS:,} threads"
        written = self.folders.written()
        if written is None or written > SCRATCH_BYTES:
            return f"more than {SCRATCH_BYTES // 1_000_000:,} MB, or too many files, in its scratch folder"
        return None

    def leaves_programs(self) -> bool:
        """Whether programs that it started are still there; the one that ends them does not count."""
        return len(self._descendants()) > 1

    def allow_processor(self, seconds: float) -> None:
        """So much more processor time, of all its threads together, and the system ends it."""
        if hasattr(resource, "prlimit"):
            used = ceil(self._family.processor_seconds() + seconds)
            with contextlib.suppress(OSError):  # it is gone
                _, hard = resource.prlimit(self._process.pid, resource.RLIMIT_CPU)
                resource.prlimit(self._process.pid, resource.RLIMIT_CPU, (used, hard))

    def kept_waiting(self) -> float:
        """Seconds, since it was started, in which others kept it from a processor; 0 if that is not known."""
        return self._family.kept_waiting()

    def end(self) -> None:
        """Kill it; harmless when it is dead, or another process's."""
        self._end()

    def _descendants(self) -> list[int]:
        return [] if self._alone else self._family.descendants()

    def _listen(self) -> None:
        """Empty the pipe that it writes to, so that libraries can neither flood the log nor block."""
        with contextlib.suppress(BlockingIOError):
            heard = os.read(self._output, _PIPE_BYTES)
            self._noise = (self._noise + heard)[-_LAST_WORDS:]
            if not heard:
                self._listening = [self._socket]


def _started(descriptor: int, watched: int, environment: Mapping[str, str] | None) -> subprocess.Popen[bytes]:
    # By its file and with -P: a module of the same name in the current folder must not run instead.
    command = [os.fsdecode(spawn.get_executable()), "-P", str(_PROGRAM), str(descriptor)]
    try:
        return subprocess.Popen(  # noqa: S603 - our own program
            command,
            pass_fds=(descriptor, watched),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,  # Ctrl-C is for the parent, which then kills the child's group
        )
    except OSError as error:
        raise WorkerLostError(f"No process to read documents can be started: {error}.") from error


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill it and what it started; not when it was reaped long ago, for its number may be another's now."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


@dataclass(frozen=True, slots=True)
class _Parts:
    """What ends with a child."""

    process: subprocess.Popen[bytes]
    connection: socket.socket
    watching: int
    family: Family
    folders: Folders


def _end(owner: int, parts: _Parts) -> None:
    process = parts.process
    if owner == os.getpid():
        if process.returncode is None:
            parts.family.kill_descendants()
            _kill_group(process)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_END_SECONDS)
        parts.folders.remove()
    else:
        process.returncode = 0  # forked from the owner: not ours to wait for
    parts.connection.close()
    os.close(parts.watching)
    parts.family.close()
    if process.stdout is not None:
        process.stdout.close()
