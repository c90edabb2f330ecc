"""Files of this machine. Only regular files: links, pipes, devices and folders are refused.

Every folder on the way is opened by itself and below the one before it, and none may be a symbolic link:
what was decided about a path is true of the file that is opened, whoever renames folders meanwhile.
"""

from __future__ import annotations

import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from docpipe.errors import (
    NoRoomError,
    SourceForbiddenError,
    SourceNotFoundError,
    SourceRejectedError,
    SourceUnavailableError,
)
from docpipe.models.private_files import make_private_folder
from docpipe.sources.locators import parsed

_BLOCK = 1 << 20
_CAN_READ = os.open in os.supports_dir_fd
"""Windows cannot open a file below a folder that is open."""
_FOLDER = _FILE = _NEW = os.O_RDONLY
if _CAN_READ:
    _FOLDER = os.O_DIRECTORY | os.O_NOFOLLOW | getattr(os, "O_PATH", os.O_RDONLY)
    _FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
    _NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW


class LocalFiles:
    """The `file://` place."""

    def open(self, uri: str) -> Iterator[bytes]:
        path = _path(uri)
        with os.fdopen(_regular_file(path), "rb") as file:
            while block := _read(file, path):
                yield block

    def put(self, uri: str, data: IO[bytes]) -> None:
        """Written aside and renamed, so that half a file is never visible."""
        path = _path(uri)
        try:
            make_private_folder(path.parent)
            with _folder(path.parent) as folder:
                _put(folder, path.name, data)
        except OSError as error:
            raise NoRoomError.of(error, path) or SourceUnavailableError(
                f"{path} cannot be written: {error.strerror}."
            ) from error

    def remove(self, uri: str) -> None:
        """Remove the file, or nothing where a folder on the way is gone or has become a symbolic link."""
        path = _path(uri)
        try:
            with suppress(FileNotFoundError, NotADirectoryError), _folder(path.parent) as folder:
                os.unlink(path.name, dir_fd=folder)
        except OSError as error:
            raise SourceUnavailableError(f"{path} cannot be removed: {error.strerror}.") from error


def _path(uri: str) -> Path:
    return Path(parsed(uri).path)


@contextmanager
def _folder(path: Path) -> Iterator[int]:
    """A descriptor of the folder. Raises `OSError`, `NotADirectoryError` for a symbolic link on the way."""
    if not _CAN_READ:
        raise SourceRejectedError(
            f"{path}: files of this operating system are not read or written. Submit the bytes themselves,"
            " and let them rest in Supabase Storage or S3 (DOCPIPE_UPLOADS)."
        )
    descriptor = os.open("/", _FOLDER)
    try:
        for name in path.parts[1:]:
            below = os.open(name, _FOLDER, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = below
        yield descriptor
    finally:
        os.close(descriptor)


def _put(folder: int, name: str, data: IO[bytes]) -> None:
    aside = f".{name}.{secrets.token_hex(8)}.part"
    with os.fdopen(os.open(aside, _NEW, 0o600, dir_fd=folder), "wb") as file:
        try:
            shutil.copyfileobj(data, file)
            file.flush()
            os.rename(aside, name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            os.unlink(aside, dir_fd=folder)
            raise


def _read(file: IO[bytes], path: Path) -> bytes:
    try:
        return file.read(_BLOCK)
    except OSError as error:
        raise SourceUnavailableError(f"{path} cannot be read: {error.strerror}.") from error


def _regular_file(path: Path) -> int:
    """An open descriptor; O_NONBLOCK keeps a pipe from blocking before it can be refused."""
    try:
        with _folder(path.parent) as folder:
            descriptor = os.open(path.name or ".", _FILE, dir_fd=folder)
    except FileNotFoundError:
        raise SourceNotFoundError(f"There is no file {path}. Check its name and folder.") from None
    except PermissionError:
        raise SourceForbiddenError(f"{path} may not be read. Give this user read access.") from None
    except OSError as error:
        if os.path.islink(path):  # noqa: PTH114 - Path.is_symlink fails for a name that is too long
            raise SourceRejectedError(f"{path} is a symbolic link. Submit the file it points to.") from None
        raise SourceRejectedError(f"{path} cannot be opened: {error.strerror}.") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise SourceRejectedError(f"{path} is not a regular file. Name the files themselves.")
    return descriptor
