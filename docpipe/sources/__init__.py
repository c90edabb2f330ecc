"""Where a document's bytes come from and where they rest: one file per technology.

A document is named by a locator, never by a path relative to some machine: `file://`, `s3://`,
`https://` (off unless allowed) or `supabase://bucket/key`. A worker fetches the bytes into a file of its
own and checks their digest, so what is processed is what was submitted.
"""

from __future__ import annotations

import hashlib
import io
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import IO, BinaryIO, Protocol
from urllib.parse import unquote

from docpipe.errors import (
    ConfigurationError,
    DocumentTooLargeError,
    EmptyDocumentError,
    MissingExtraError,
    SourceChangedError,
    SourceForbiddenError,
    SourceRejectedError,
)
from docpipe.sources.local import LocalFiles
from docpipe.sources.working_copy import working_copy

_BLOCK = 1 << 20
_UNFINISHED = (".crdownload", ".part", ".partial", ".download", ".opdownload")
"""What browsers and download programs call a file while it grows."""

SourceLike = str | Path | bytes | BinaryIO


class Place(Protocol):
    """One technology that holds bytes.

    All methods raise `SourceNotFoundError`, `SourceForbiddenError` or `SourceUnavailableError`.
    """

    def open(self, uri: str) -> Iterator[bytes]:
        """The bytes at `uri`, in blocks."""
        ...

    def put(self, uri: str, data: IO[bytes]) -> None:
        """Write the bytes there; writing the same again is harmless."""
        ...

    def remove(self, uri: str) -> None:
        """Remove the bytes there; it is harmless if there are none."""
        ...


@dataclass(frozen=True, slots=True)
class TakenIn:
    """A source that was read once: its locator, label, SHA-256 (hex) and size in bytes."""

    uri: str
    name: str
    digest: str
    size: int


class Sources:
    """Takes documents in and fetches them again.

    Args:
        uploads: where docpipe keeps copies: a folder, `s3://bucket/prefix` or `supabase://bucket/prefix`.
            Bytes and file objects rest there; without it they cannot be taken in.
        keep_copies: also copy sources that have a locator of their own, so that workers on other
            machines reach them and later changes of the file do no harm.
        allow_https: whether `https://` sources are read.
        max_bytes: the largest document.
        supabase: address and secret key, for `supabase://`.
        places: further technologies, or others for the same schemes: `{"gs": …}`.
    """

    def __init__(
        self,
        *,
        uploads: str | Path | None = None,
        keep_copies: bool = False,
        allow_https: bool = False,
        max_bytes: int = 200_000_000,
        supabase: tuple[str, str] | None = None,
        places: Mapping[str, Place] | None = None,
    ) -> None:
        self.uploads = None if uploads is None else _as_uri(uploads)
        self.keep_copies = keep_copies
        self.allow_https = allow_https
        self.max_bytes = max_bytes
        self._supabase = supabase
        self._places: dict[str, Place] = {"file": LocalFiles(), **(places or {})}

    def take_in(self, source: SourceLike, name: str | None = None) -> TakenIn:
        """Read the source once, and keep a copy where one is wanted or needed.

        Raises:
            SourceNotFoundError, SourceForbiddenError, SourceRejectedError, SourceUnavailableError
            EmptyDocumentError: there are no bytes.
            DocumentTooLargeError: more than `max_bytes`.
        """
        uri, label, blocks = self._opened(source, name)
        with tempfile.SpooledTemporaryFile(max_size=16 * _BLOCK) as kept:
            digest, size = self._copied(blocks, kept, label)
            if size == 0:
                raise EmptyDocumentError(f"{label} is empty: it has no bytes.")
            if uri is None or self.keep_copies:
                uri = self._upload(kept, digest, label)
        return TakenIn(uri, label, digest, size)

    def _opened(self, source: SourceLike, name: str | None) -> tuple[str | None, str, Iterator[bytes]]:
        if isinstance(source, bytes):
            if not name:
                raise SourceRejectedError("Bytes need a name: submit(data, name='letter.pdf').")
            return None, _label(name), _blocks(io.BytesIO(source))
        if isinstance(source, str | Path):
            uri = _as_uri(source)
            shown = _label(name or _name_of(uri))
            if shown.lower().endswith(_UNFINISHED):
                raise SourceRejectedError(f"{shown} is a download that has not ended. Submit it then.")
            return uri, shown, self._place(uri).open(uri)
        label = name or getattr(source, "name", None)
        if not isinstance(label, str):
            raise SourceRejectedError("A file object needs a name: submit(file, name='letter.pdf').")
        if isinstance(source.read(0), str):
            raise SourceRejectedError(f"{label} is open in text mode. Open it with open(path, 'rb').")
        return None, _label(label), _blocks(source)

    def _copied(self, blocks: Iterator[bytes], to: IO[bytes], label: str) -> tuple[str, int]:
        sha, size = hashlib.sha256(), 0
        for block in blocks:
            size += len(block)
            if size > self.max_bytes:
                raise DocumentTooLargeError(f"{label} is larger than {self.max_bytes:,} bytes.")
            sha.update(block)
            to.write(block)
        to.seek(0)
        return sha.hexdigest(), size

    def _upload(self, data: IO[bytes], digest: str, label: str) -> str:
        if self.uploads is None:
            raise ConfigurationError(
                f"{label} has no place of its own, and there is none to keep it."
                " Set DOCPIPE_UPLOADS to a folder, s3://bucket/prefix or supabase://bucket/prefix."
            )
        uri = f"{self.uploads.rstrip('/')}/{digest[:2]}/{digest}"
        self._place(uri).put(uri, data)
        return uri

    def discard(self, uri: str) -> None:
        """Remove a copy that docpipe made; bytes that rest anywhere else are not docpipe's, and stay."""
        if self.uploads is not None and uri.startswith(f"{self.uploads.rstrip('/')}/"):
            self._place(uri).remove(uri)

    @contextmanager
    def fetch(self, uri: str, digest: str | None, label: str) -> Iterator[Path]:
        """The document's bytes in a file of this process's own, removed afterwards.

        Args:
            digest: None where nobody knows it: a document that was taken over from another system.

        Raises:
            SourceChangedError: the bytes are no longer those that were submitted.
        """
        with working_copy() as file:
            found, _ = self._copied(self._place(uri).open(uri), file, label)
            if digest is not None and found != digest:
                raise SourceChangedError(f"{label} ({uri}) changed after it was submitted.")
            file.flush()
            yield Path(file.name)

    def _place(self, uri: str) -> Place:
        scheme = uri.partition("://")[0].lower()
        if scheme not in self._places:
            self._places[scheme] = self._new_place(scheme, uri)
        return self._places[scheme]

    def _new_place(self, scheme: str, uri: str) -> Place:
        place: Place
        if scheme == "s3":
            try:
                place = import_module("docpipe.sources.s3").S3()
            except ModuleNotFoundError as error:
                raise MissingExtraError.for_module(error.name or "boto3", "s3") from error
        elif scheme == "https" and self.allow_https:
            place = import_module("docpipe.sources.https").Https(max_bytes=self.max_bytes)
        elif scheme == "https":
            raise SourceForbiddenError(f"{uri}: https sources are off. Set DOCPIPE_ALLOW_HTTPS=true.")
        elif scheme == "supabase" and self._supabase:
            place = import_module("docpipe.sources.supabase").SupabaseStorage(*self._supabase)
        elif scheme == "supabase":
            raise ConfigurationError(f"{uri}: set SUPABASE_URL and SUPABASE_SECRET_KEY to read it.")
        else:
            raise SourceForbiddenError(
                f"{uri}: sources of type {scheme}: are not read. Use a path, s3:// or https://."
            )
        return place


def _as_uri(source: str | Path) -> str:
    text = str(source)
    if isinstance(source, str) and "://" in text:
        return text
    # absolute, but links are not followed: the place refuses them and says so
    return Path(text).expanduser().absolute().as_uri()


def _name_of(uri: str) -> str:
    """The last part of the path: in object stores keys are written as they are, elsewhere they are quoted."""
    if uri.startswith(("s3://", "supabase://")):
        return uri.rpartition("/")[2] or uri
    return unquote(uri.partition("?")[0].partition("#")[0].rpartition("/")[2]) or uri


def _label(name: str) -> str:
    """A name to show, never a path: last component, printable, bounded."""
    last = name.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]
    shown = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in last)
    return shown[:255] or "document"


def _blocks(file: BinaryIO) -> Iterator[bytes]:
    while block := file.read(_BLOCK):
        yield block
