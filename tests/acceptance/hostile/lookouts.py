"""Lookouts: who opened a file that is nobody's business, who called, and how much memory processes take."""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

_IN_ACCESS, _IN_OPEN = 0x1, 0x20
_LOOK_SECONDS = 0.2


@contextmanager
def watched(paths: Iterable[Path]) -> Iterator[Callable[[], bool]]:
    """Tells whether any process opened or read these files, or what lies in these folders (by inotify)."""
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        for path in paths:
            if libc.inotify_add_watch(descriptor, os.fsencode(path), _IN_ACCESS | _IN_OPEN) < 0:
                raise OSError(ctypes.get_errno(), f"{path} cannot be watched")
        yield lambda: _has_news(descriptor)
    finally:
        os.close(descriptor)


def _has_news(descriptor: int) -> bool:
    with contextlib.suppress(BlockingIOError):
        return bool(os.read(descriptor, 65_536))
    return False


class Listener:
    """A port of this machine on which nobody should call; 0: any that is free."""

    def __init__(self, port: int = 0) -> None:
        self._server = socket.create_server(("127.0.0.1", port))
        self._server.settimeout(_LOOK_SECONDS)
        self.port: int = self._server.getsockname()[1]
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="listener", daemon=True)
        self.callers: list[str] = []
        """Command lines of this process's descendants that called: other programs may use the port, too."""

    def _listen(self) -> None:
        while not self._done.is_set():
            with contextlib.suppress(TimeoutError):
                connection, (_, port) = self._server.accept()
                with connection:  # the caller waits for an answer, and can be looked at
                    self.callers += _own_process_at(port)

    def __enter__(self) -> Listener:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()
        self._server.close()


def _own_process_at(port: int) -> list[str]:
    """The command line of who uses this port of this machine, unless it is no descendant of this process;
    one that is gone counts as one."""
    for found in psutil.net_connections("tcp"):
        if found.laddr and found.laddr.port == port and found.pid:
            with contextlib.suppress(psutil.NoSuchProcess):
                caller = psutil.Process(found.pid)
                is_own = any(each.pid == os.getpid() for each in [caller, *caller.parents()])
                return [" ".join(caller.cmdline())] if is_own else []
    return ["a program that is gone"]


class Scales:
    """Weighs processes from a thread: the most that any of them took."""

    def __init__(self, processes: Callable[[], Iterable[psutil.Process]]) -> None:
        self._processes = processes
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._weigh, name="scales", daemon=True)
        self.most = 0

    def _weigh(self) -> None:
        while not self._done.wait(_LOOK_SECONDS):
            self.most = max([self.most, *map(resident, self._processes())])

    def __enter__(self) -> Scales:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()


def resident(process: psutil.Process) -> int:
    """Bytes; 0 when it is gone."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.memory_info().rss
    return 0


def wait_quietly(condition: Callable[[], bool], seconds: float, pause: float = 1.0) -> bool:
    """Whether it became true in time; looks seldom, for conditions that cost."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
    return True
