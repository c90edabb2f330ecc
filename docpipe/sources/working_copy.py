"""Files in which workers keep a document's bytes while they work on it."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import IO

from docpipe.errors import NoRoomError

if sys.platform != "win32":  # whoever only submits may be there
    import fcntl

_PREFIX = "docpipe-working-copy-"
_YOUNG_SECONDS = 60.0
"""A file this young may not be locked yet."""


@contextmanager
def temporary() -> Iterator[None]:
    """Around what makes a temporary file or folder: its folder may be full, gone or not to be written to.

    Raises:
        NoRoomError: it is.
    """
    try:
        yield
    except OSError as error:
        raise NoRoomError.of(error, "A temporary file") or NoRoomError(
            f"{error.filename or 'A temporary file'} cannot be made: {error.strerror}."
        ) from error


@contextmanager
def closing_quietly(file: IO[bytes]) -> Iterator[IO[bytes]]:
    """On a full disk, what is still to be written fails again as the file is closed: nobody wants it then."""
    try:
        yield file
    finally:
        with suppress(OSError):
            file.close()


@contextmanager
def working_copy() -> Iterator[IO[bytes]]:
    """A new file with a name, removed afterwards.

    What a killed process left behind is removed by the next that works here: its lock went with it.

    Raises:
        NoRoomError: it cannot be made.
    """
    _remove_leftovers()
    with temporary():
        made = tempfile.NamedTemporaryFile(prefix=_PREFIX)  # noqa: SIM115 - it is closed below
    with closing_quietly(made) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file


@cache  # once in every process is often enough
def _remove_leftovers() -> None:
    for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError):  # it is another user's, in use (locked), or gone already
            if time.time() - path.lstat().st_mtime > _YOUNG_SECONDS:
                _remove_unlocked(path)


def _remove_unlocked(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink()
    finally:
        os.close(descriptor)
