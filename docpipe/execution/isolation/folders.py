"""The folder of one reading process: where its documents are put, and where it may write."""

from __future__ import annotations

import os
import shutil
import stat
import sys
import tempfile
import time
from contextlib import suppress
from functools import cache
from pathlib import Path

from docpipe.sources.working_copy import temporary

if sys.platform != "win32":  # whoever only submits may be there
    import fcntl

_PREFIX = "docpipe-reading-"
_YOUNG_SECONDS = 60.0
"""A folder this young may not be locked yet."""
_MOST_ENTRIES = 10_000
"""Files and folders in the scratch folder: beyond it they are not counted, but too many."""


class Folders:
    """A new folder, locked as long as this process lives: what a killed one leaves, the next removes."""

    def __init__(self) -> None:
        with temporary():
            _remove_leftovers()
            self._root = Path(tempfile.mkdtemp(prefix=_PREFIX))
        self._lock = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self.document = self._root / "document"
        self.scratch = self._root / "scratch"
        self.document.mkdir()
        self.scratch.mkdir()

    def put(self, path: Path) -> Path:
        """The document, where the process may read it: the same bytes, or a copy where that cannot be."""
        here = self.document / "bytes"
        here.unlink(missing_ok=True)
        found = path.stat()
        if stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid():
            with suppress(OSError):  # on another disk, or a file that may have no second name
                os.link(path, here, follow_symlinks=False)
                return here
        shutil.copyfile(path, here)
        return here

    def clear(self) -> None:
        """Remove the document, and what the process has written."""
        (self.document / "bytes").unlink(missing_ok=True)
        with os.scandir(self.scratch) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    shutil.rmtree(entry.path, ignore_errors=True)
                else:
                    Path(entry.path).unlink(missing_ok=True)

    def written(self) -> int | None:
        """Bytes in the scratch folder; None where there are too many files to count."""
        total, seen, folders = 0, 0, [str(self.scratch)]
        while folders:
            with suppress(FileNotFoundError), os.scandir(folders.pop()) as entries:
                for entry in entries:
                    seen += 1
                    if seen > _MOST_ENTRIES:
                        return None
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                    else:
                        total += entry.stat(follow_symlinks=False).st_blocks * 512
        return total

    def remove(self) -> None:
        shutil.rmtree(self._root, ignore_errors=True)
        os.close(self._lock)


@cache  # once in every process is often enough
def _remove_leftovers() -> None:
    for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError):  # it is another user's, in use (locked), or gone already
            if time.time() - path.lstat().st_mtime > _YOUNG_SECONDS:
                _remove_unlocked(path)


def _remove_unlocked(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(path, ignore_errors=True)
    finally:
        os.close(folder)
