"""Files of this machine. Only regular files: links, pipes, devices and folders are refused."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO
from urllib.parse import unquote_to_bytes, urlsplit

from docpipe.errors import (
    SourceForbiddenError,
    SourceNotFoundError,
    SourceRejectedError,
    SourceUnavailableError,
)

_BLOCK = 1 << 20
_REMEDY = "Workers on other machines need DOCPIPE_UPLOADS (s3:// or supabase://) or a shared folder."


class LocalFiles:
    """The `file://` place."""

    def open(self, uri: str) -> Iterator[bytes]:
        path = _path(uri)
        with os.fdopen(_regular_file(path), "rb") as file:
            while block := _read(file, path):
                yield block

    def put(self, uri: str, data: IO[bytes]) -> None:
        """Written aside and renamed, so that nobody ever sees half a file."""
        path = _path(uri)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as aside:
                shutil.copyfileobj(data, aside)
            Path(aside.name).replace(path)
        except OSError as error:
            raise SourceUnavailableError(f"{path} cannot be written: {error.strerror}.") from error

    def remove(self, uri: str) -> None:
        path = _path(uri)
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise SourceUnavailableError(f"{path} cannot be removed: {error.strerror}.") from error


def _path(uri: str) -> Path:
    return Path(os.fsdecode(unquote_to_bytes(urlsplit(uri).path)))  # names need not be UTF-8


def _read(file: IO[bytes], path: Path) -> bytes:
    try:
        return file.read(_BLOCK)
    except OSError as error:
        raise SourceUnavailableError(f"{path} cannot be read: {error.strerror}.") from error


def _regular_file(path: Path) -> int:
    """An open descriptor; O_NONBLOCK keeps a pipe from blocking before it can be refused."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, ValueError):  # ValueError: a zero character, which no name has
        raise SourceNotFoundError(f"There is no file {path}. {_REMEDY}") from None
    except PermissionError:
        raise SourceForbiddenError(f"{path} may not be read. Give this user read access.") from None
    except OSError as error:
        if path.is_symlink():
            raise SourceRejectedError(f"{path} is a symbolic link. Submit the file it points to.") from None
        raise SourceRejectedError(f"{path} cannot be opened: {error.strerror}.") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise SourceRejectedError(f"{path} is not a regular file. Submit the files themselves.")
    return descriptor
