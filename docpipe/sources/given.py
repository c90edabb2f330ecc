"""What a host hands over: bytes, files, uploads and paths, of any class, which may raise anything."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from inspect import iscoroutinefunction
from typing import Any, BinaryIO

from docpipe.errors import SourceRejectedError, SourceUnavailableError

_BLOCK = 1 << 20


def name_of(name: object) -> str | None:
    """The name as text. Raises `SourceRejectedError`: it is none."""
    if not isinstance(name, str | os.PathLike | None):
        raise SourceRejectedError(f"A name is a string, and this is a {type(name).__name__}.")
    return None if name is None else path_of(name)


def path_of(path: str | os.PathLike[Any]) -> str:
    """The path as text. Raises `SourceRejectedError`: it says something else."""
    try:
        return os.fsdecode(path)
    except TypeError as error:
        raise SourceRejectedError(f"A {type(path).__name__} gives no path: {error}.") from None


def label_of(name: str) -> str:
    """A name to show, never a path: last component, printable, bounded."""
    last = name.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]
    shown = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in last)
    return shown[:255] or "document"


def of_bytes(given: bytes | bytearray | memoryview, name: str | None) -> tuple[str, Iterator[bytes]]:
    """Label and blocks. Raises `SourceRejectedError`: there is no name."""
    if not name:
        raise SourceRejectedError("Bytes need a name: submit(data, name='letter.pdf').")
    data = given.tobytes() if isinstance(given, memoryview) else given  # a view may leave bytes out
    label = label_of(name)
    return label, _blocks(io.BytesIO(data), label)


def of_file(given: Any, name: str | None) -> tuple[str, Iterator[bytes]]:
    """Label and blocks of a binary file, or of an upload of a web framework: an object with `file` and
    `filename`.

    Raises:
        SourceRejectedError: it is neither.
        SourceUnavailableError: it breaks off.
    """
    source = getattr(given, "file", given) if hasattr(given, "filename") else given
    label = name or getattr(given, "filename", None) or getattr(source, "name", None)
    if not callable(getattr(source, "read", None)) or iscoroutinefunction(source.read):
        raise SourceRejectedError(
            f"A {type(given).__name__} cannot be read. Give a path, a locator, bytes or a binary file."
        )
    if not isinstance(label, str):
        raise SourceRejectedError("A file object needs a name: submit(file, name='letter.pdf').")
    label = label_of(label)
    if isinstance(_read(source, 0, label), str):
        raise SourceRejectedError(f"{label} is open in text mode. Open it with open(path, 'rb').")
    return label, _blocks(source, label)


def _blocks(file: BinaryIO, label: str) -> Iterator[bytes]:
    while True:
        block = _read(file, _BLOCK, label)
        if not isinstance(block, bytes | bytearray | memoryview):
            raise SourceRejectedError(
                f"{label} gives a {type(block).__name__} where its bytes are read. Open it in binary mode."
            )
        if not block:
            return
        yield bytes(block)


def _read(file: BinaryIO, size: int, label: str) -> Any:
    try:
        return file.read(size)
    except ValueError as error:  # closed, or not open for reading
        raise SourceRejectedError(
            f"{label} cannot be read: {error}. Open it with open(path, 'rb')."
        ) from error
    except Exception as error:  # a stream of any library: they share no base
        said = str(error) or type(error).__name__
        raise SourceUnavailableError(f"{label} broke off while it was read: {said}.") from error
