"""Where a document's bytes come from and where they rest: one file per technology.

A document is named by a locator, never by a path relative to some machine: `file://`, `s3://`,
`https://` or `supabase://bucket/key`, of the places that may be read. A worker fetches the bytes into a
file of its own and checks their digest, so what is processed is what was submitted.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import IO, BinaryIO, Protocol, Self

from docpipe.errors import (
    ConfigurationError,
    DocumentTooLargeError,
    EmptyDocumentError,
    MissingExtraError,
    SourceChangedError,
    SourceForbiddenError,
    SourceNotFoundError,
    SourceRejectedError,
    SourceUnavailableError,
)
from docpipe.models.masking import masked
from docpipe.sources.allowed import (
    EVERYWHERE_BY_DEFAULT,
    Allowed,
    Trusted,
    place_of,
    places_of,
    refuse_system_files,
)
from docpipe.sources.given import label_of, name_of, of_bytes, of_file, path_of
from docpipe.sources.local import LocalFiles
from docpipe.sources.locators import Locator, names_a_place, of_path, parsed, resolved
from docpipe.sources.working_copy import closing_quietly, temporary, working_copy

_BLOCK = 1 << 20
_UNFINISHED = (".crdownload", ".part", ".partial", ".download", ".opdownload")
"""What browsers and download programs call a file while it grows."""

_DIGEST = re.compile(r"[0-9a-f]{64}")
SupabaseAccess = tuple[str, str] | tuple[str, str, str | None]
"""Address, key and, where a role's own is sent with it, a token."""
_SCHEMES = frozenset({"file", "s3", "supabase", "https"})

SourceLike = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO | Trusted


_KEEP = (
    "It was there when it was submitted: keep it in place and in reach of all workers, or set"
    " DOCPIPE_UPLOADS so that docpipe keeps a copy."
)


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
    copied: bool = False
    """Whether docpipe made the copy at `uri`."""


class Sources:
    """Takes documents in and fetches them again.

    Args:
        uploads: where docpipe keeps copies: a folder, `s3://bucket/prefix` or `supabase://bucket/prefix`.
            Bytes and file objects rest there; without it they cannot be taken in.
        keep_copies: also copy sources that have a locator of their own, so that workers on other
            machines reach them and later changes of the file do no harm.
        allow: what may be read, and nothing else: folders, `s3://bucket/prefix`, `supabase://bucket/prefix`,
            `https://host`. None: all files, `s3://`, and what lies in the uploads. Bytes always may be.
        allow_https: whether `https://` of any public host is read.
        max_bytes: the largest document.
        supabase: address, key and, if a role's own, the token that goes with it, for `supabase://`.
        places: further technologies, or others for the same schemes: `{"gs": …}`.

    Raises:
        ConfigurationError: `uploads` or `allow` names no place.
    """

    def __init__(
        self,
        *,
        uploads: str | Path | None = None,
        keep_copies: bool = False,
        allow: Iterable[str | Path] | None = None,
        allow_https: bool = False,
        max_bytes: int = 200_000_000,
        supabase: SupabaseAccess | None = None,
        places: Mapping[str, Place] | None = None,
    ) -> None:
        own = None if uploads is None else place_of(uploads, "DOCPIPE_UPLOADS")
        self.uploads = None if own is None else str(own)
        self.keep_copies = keep_copies
        self.allow_https = allow_https
        self.max_bytes = max_bytes
        self._supabase = supabase
        self._places: dict[str, Place] = {"file": LocalFiles(), **(places or {})}
        copies = Allowed(prefixes=() if own is None else (own,))
        web = Allowed(frozenset({"https"} if allow_https else ()))
        if allow is None:
            self._allowed = Allowed(EVERYWHERE_BY_DEFAULT | (places or {}).keys()) | copies | web
        else:
            self._allowed = places_of(allow) | web
        self._fetched = self._allowed | copies
        self._only_bytes = False

    @classmethod
    def only_bytes(
        cls, uploads: str | Path, *, max_bytes: int = 200_000_000, supabase: SupabaseAccess | None = None
    ) -> Self:
        """Sources that take in bytes and file objects and refuse every path and locator: for hosts that pass
        on what somebody sent, so that a text sent instead of a file reaches nothing.
        """
        made = cls(uploads=uploads, allow=(), max_bytes=max_bytes, supabase=supabase)
        made._only_bytes = True
        return made

    def take_in(self, source: SourceLike, name: str | os.PathLike[str] | None = None) -> TakenIn:
        """Read the source once, and keep a copy where one is wanted or needed.

        Raises:
            SourceNotFoundError, SourceForbiddenError, SourceRejectedError, SourceUnavailableError
            EmptyDocumentError: there are no bytes.
            DocumentTooLargeError: more than `max_bytes`.
            NoRoomError: there is no room for them.
        """
        locator, label, blocks = self._opened(source, name)
        with closing_quietly(tempfile.SpooledTemporaryFile(max_size=16 * _BLOCK)) as kept:
            digest, size = self._copied(blocks, kept, label)
            if size == 0:
                raise EmptyDocumentError(f"{label} is empty: it has no bytes.")
            if locator is None or self._needs_copy(locator):
                return TakenIn(self._upload(kept, digest, label), label, digest, size, copied=True)
        return TakenIn(str(locator), label, digest, size)

    def _needs_copy(self, locator: Locator) -> bool:
        """A query may be a key, and is stored nowhere: what it leads to is kept instead."""
        return self.keep_copies or locator not in self._fetched or bool(locator.query)

    def _opened(
        self, source: SourceLike, name: str | os.PathLike[str] | None
    ) -> tuple[Locator | None, str, Iterator[bytes]]:
        name = name_of(name)
        if isinstance(source, bytes | bytearray | memoryview):
            return None, *of_bytes(source, name)
        if isinstance(source, Trusted):
            return self._located(source.source, name, Allowed(_SCHEMES | self._places.keys()))
        if isinstance(source, str | os.PathLike):
            place = source if isinstance(source, str) else Path(path_of(source))
            self._refuse_all_but_bytes(place)
            return self._located(place, name, self._allowed)
        return None, *of_file(source, name)

    def _located(
        self, source: str | Path, name: str | None, allowed: Allowed
    ) -> tuple[Locator, str, Iterator[bytes]]:
        locator = _locator(source)
        shown = label_of(name or locator.name)
        if shown.lower().endswith(_UNFINISHED):
            raise SourceRejectedError(f"{shown} is an unfinished download. Submit it when it is complete.")
        return locator, shown, self._read(locator, allowed)

    def _refuse_all_but_bytes(self, source: str | Path) -> None:
        if self._only_bytes:
            raise SourceForbiddenError(
                f"{masked(str(source))} is not read: only bytes are taken in here."
                " Read the upload and submit(data, name='letter.pdf')."
            )

    def _read(self, locator: Locator, allowed: Allowed) -> Iterator[bytes]:
        """The bytes of a place that may be read."""
        refuse_system_files(locator)
        if locator not in allowed:
            raise self._forbidden(locator)
        return self._place(locator, allowed).open(str(locator))

    def _forbidden(self, locator: Locator) -> SourceForbiddenError:
        shown = masked(str(locator))
        if locator.scheme not in _SCHEMES | self._places.keys():
            return SourceForbiddenError(
                f"{shown}: sources of type {locator.scheme}: are not read. Use a path, s3:// or https://."
            )
        web = ", or DOCPIPE_ALLOW_HTTPS=true for every public host" if locator.scheme == "https" else ""
        return SourceForbiddenError(
            f"{shown} is not among the places that may be read."
            f" Name its folder, bucket or host in DOCPIPE_SOURCES or Sources(allow=[…]){web}."
        )

    def _copied(self, blocks: Iterator[bytes], to: IO[bytes], label: str) -> tuple[str, int]:
        sha, size = hashlib.sha256(), 0
        for block in blocks:
            size += len(block)
            if size > self.max_bytes:
                raise DocumentTooLargeError(f"{label} is larger than {self.max_bytes:,} bytes.")
            sha.update(block)
            with temporary():
                to.write(block)
        with temporary():
            to.seek(0)  # writes what is left
        return sha.hexdigest(), size

    def _upload(self, data: IO[bytes], digest: str, label: str) -> str:
        uri = self._destination(digest, label)
        self.keep(uri, data)
        return uri

    def _destination(self, digest: str, label: str) -> str:
        if self.uploads is None:
            raise ConfigurationError(
                f"{label} needs a copy of docpipe's own, and there is no place for it."
                " Set DOCPIPE_UPLOADS to a folder, s3://bucket/prefix or supabase://bucket/prefix."
            )
        return self._copy(digest)

    def destined(self, data: bytes, name: str) -> TakenIn:
        """These bytes as they will be taken in, when `keep` has made their copy.

        Raises:
            ConfigurationError: there is no place for copies.
        """
        label, digest = label_of(name), hashlib.sha256(data).hexdigest()
        return TakenIn(self._destination(digest, label), label, digest, len(data), copied=True)

    def keep(self, uri: str, data: IO[bytes]) -> None:
        """Make the copy of docpipe's own that rests at this locator; making it again is harmless.

        Raises:
            SourceForbiddenError, SourceUnavailableError
        """
        self._place(parsed(uri), self._fetched).put(uri, data)

    def discard(self, uri: str, made: bool | None = None) -> None:
        """Remove a copy that docpipe made, wherever uploads are kept by now; it is harmless if it is gone.

        Args:
            made: what was recorded when the locator was: true, docpipe made the copy; None, an earlier
                docpipe did not say, and only a copy in the present uploads is removed, by the very locator
                that it was given: whatever else lies there is not docpipe's to remove.

        Raises:
            SourceUnavailableError: the place does not answer, or the folder of the uploads is not there.
            SourceForbiddenError: it may not be removed.
        """
        if self.is_copy(uri, made):
            locator = parsed(uri)
            _require_mounted(locator)
            self._place(locator, Allowed(frozenset({locator.scheme}))).remove(uri)

    def is_copy(self, uri: str, made: bool | None = None) -> bool:
        """Whether `discard` removes it."""
        digest = uri.rpartition("/")[2]
        if made is False or not _DIGEST.fullmatch(digest):
            return False
        own = self.uploads is not None and uri == self._copy(digest)
        return own or (made is True and uri.endswith(f"/{digest[:2]}/{digest}"))

    def holds(self, uri: str) -> bool:
        """Whether there are bytes at a copy's locator. Raises as `Place`, but not `SourceNotFoundError`."""
        locator = parsed(uri)
        try:
            next(self._place(locator, Allowed(frozenset({locator.scheme}))).open(uri), None)
        except SourceNotFoundError:
            return False
        return True

    def _copy(self, digest: str) -> str:
        return f"{(self.uploads or '').rstrip('/')}/{digest[:2]}/{digest}"

    @contextmanager
    def fetch(self, uri: str, digest: str | None, label: str) -> Iterator[Path]:
        """The document's bytes in a file of this process's own, removed afterwards.

        Args:
            digest: None where it is unknown: a document that was taken over from another system.

        Raises:
            SourceChangedError: the bytes are no longer those that were submitted.
            SourceForbiddenError: they rest in none of the places that may be read.
        """
        locator = resolved(parsed(uri))
        with working_copy() as file:
            try:
                found, _ = self._copied(self._read(locator, self._fetched), file, label)
            except SourceNotFoundError as error:
                if locator.scheme == "file":
                    raise SourceNotFoundError(f"{label} ({masked(uri)}) is gone. {_KEEP}") from error
                raise
            if digest is not None and found != digest:
                raise SourceChangedError(f"{label} ({masked(uri)}) changed after it was submitted.")
            file.flush()
            yield Path(file.name)

    def _place(self, locator: Locator, allowed: Allowed) -> Place:
        scheme = locator.scheme
        if scheme == "https" and scheme not in self._places:  # made anew: it follows redirects as it may
            https: Place = import_module("docpipe.sources.https").Https(
                max_bytes=self.max_bytes, permitted=lambda target: target in allowed
            )
            return https
        if scheme not in self._places:
            self._places[scheme] = self._new_place(locator)
        return self._places[scheme]

    def _new_place(self, locator: Locator) -> Place:
        place: Place
        if locator.scheme == "s3":
            try:
                place = import_module("docpipe.sources.s3").S3()
            except ModuleNotFoundError as error:
                raise MissingExtraError.for_module(error.name or "boto3", "s3") from error
        elif locator.scheme == "supabase" and self._supabase:
            place = import_module("docpipe.sources.supabase").SupabaseStorage(*self._supabase)
        elif locator.scheme == "supabase":
            raise ConfigurationError(
                f"{masked(str(locator))}: set SUPABASE_URL and SUPABASE_SECRET_KEY to read it."
            )
        else:
            raise self._forbidden(locator)
        return place


def _require_mounted(locator: Locator) -> None:
    """docpipe made the folder that holds its copies and never removes it: without it, a share is away."""
    folder = Path(locator.path).parent.parent
    if locator.scheme == "file" and not folder.is_dir():
        raise SourceUnavailableError(
            f"The uploads folder {folder} is not there. Mount it, or make an empty one if its files are gone."
        )


def _locator(source: str | Path) -> Locator:
    if isinstance(source, str) and names_a_place(source):
        locator = parsed(source)
        refuse_system_files(locator)
        return resolved(locator)
    refuse_system_files(Locator("file", "", os.path.abspath(source)))  # noqa: PTH100 - keeps links as they are
    return of_path(source)
