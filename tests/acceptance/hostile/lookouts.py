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


@contextmanager
def listening(port: int = 0) -> Iterator[socket.socket]:
    """A port of this machine on which nobody should call; 0: any that is free."""
    with socket.create_server(("127.0.0.1", port)) as server:
        server.setblocking(False)
        yield server


def called(server: socket.socket) -> bool:
    """Whether somebody did."""
    with contextlib.suppress(BlockingIOError):
        server.accept()[0].close()
        return True
    return False


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
