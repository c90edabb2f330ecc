"""Files and folders that their owner alone may read, whatever the umask: they hold what documents say."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

_FILE, _FOLDER = 0o600, 0o700


def make_private_file(path: Path) -> None:
    """Make the file, empty, or take the rights of others from the one that is there; to be written to next.

    What is no regular file (`/dev/stdout`) stays as it is, and so does the file of another user. One that is
    there is not opened: whoever closes a file gives up every lock that its process has on it, and SQLite's
    are such locks.

    Raises:
        OSError: it cannot be made.
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _FILE))
    mode = path.stat().st_mode
    if stat.S_ISREG(mode) and stat.S_IMODE(mode) & ~_FILE:
        with suppress(PermissionError):
            path.chmod(_FILE)


def make_private_folder(path: Path) -> None:
    """Make the folder and those above it where they are missing; one that is there stays as it is."""
    if path.is_dir():  # as for nearly every document
        return
    for folder in reversed([path, *path.parents]):
        with suppress(FileExistsError):
            if not folder.is_dir():
                folder.mkdir(mode=_FOLDER)
