"""Which kinds of documents docpipe reads, and of which kind a document is."""

from __future__ import annotations

from pathlib import Path

from docpipe.errors import (
    DocumentTooLargeError,
    EmptyDocumentError,
    EncryptedDocumentError,
    SourceForbiddenError,
    SourceNotFoundError,
    SourceRejectedError,
    UnsupportedFormatError,
)
from docpipe.formats import plugins, sniff
from docpipe.formats.base import Data, Limits

READERS: dict[str, tuple[str, str]] = {
    sniff.PDF: ("pdf", "pdf"),
    sniff.DOCX: ("docx", "office"),
    sniff.EML: ("eml", "office"),
    sniff.HTML: ("html", "office"),
    sniff.MARKDOWN: ("text", "office"),
    sniff.TEXT: ("text", "office"),
    sniff.CALENDAR: ("ics", "office"),
    sniff.VCARD: ("ics", "office"),
    sniff.MBOX: ("mbox", "office"),
    sniff.SIGNED: ("cms", "office"),
    sniff.ZIP: ("archive", "office"),
    sniff.TNEF: ("tnef", "office"),
    sniff.MSG: ("msg", "office"),
    sniff.RTF: ("rtf", "office"),
    sniff.CSV: ("sheets", "office"),
    sniff.XLSX: ("xlsx", "office"),
    sniff.XLS: ("sheets", "office"),
    sniff.XLSB: ("sheets", "office"),
    sniff.PPTX: ("pptx", "office"),
    sniff.ODT: ("odf", "office"),
    sniff.ODP: ("odf", "office"),
    sniff.ODS: ("odf", "office"),
    **dict.fromkeys(sniff.IMAGES, ("image", "ocr")),
    sniff.HEIF: ("heif", "heif"),
}
"""MIME type to (module of this package, extra that brings what the module needs)."""


def detect(data: Data, name: str) -> str:
    """The MIME type of a document by its content; `name` only decides between look-alikes.

    Raises:
        SourceNotFoundError, SourceForbiddenError, SourceRejectedError: `data` is a path that leads
            to no readable regular file.
    """
    if isinstance(data, Path):
        _size(data)
    plugin = plugins.claiming(sniff.read_head(data), name)
    return plugin.file_type if plugin else sniff.detect(data, name)


def readable_kind(data: Data, name: str, limits: Limits) -> str:
    """The MIME type of a document that docpipe reads.

    Raises:
        EmptyDocumentError: no bytes.
        DocumentTooLargeError: more bytes than the limit.
        UnsupportedFormatError, EncryptedDocumentError: by its content.
        SourceNotFoundError, SourceForbiddenError, SourceRejectedError: as `detect`.
    """
    check_size(data, name, limits)
    if plugin := plugins.claiming(sniff.read_head(data), name):
        return plugin.file_type
    kind = sniff.detect(data, name)
    check_readable(kind, name)
    return kind


def _size(path: Path) -> int:
    try:
        if not path.is_file():
            raise (SourceRejectedError if path.exists() else SourceNotFoundError)(f"{path} is not a file.")
        with path.open("rb") as file:
            return file.seek(0, 2)
    except PermissionError as error:
        raise SourceForbiddenError(f"{path} may not be read. Give the worker's user read access.") from error


def check_size(data: Data, label: str, limits: Limits) -> None:
    """Raises `EmptyDocumentError` or `DocumentTooLargeError`; for a path, as `detect`."""
    size = _size(data) if isinstance(data, Path) else len(data)
    if size == 0:
        raise EmptyDocumentError(f"{label} has no bytes.")
    if size > limits.max_bytes:
        raise DocumentTooLargeError(f"{label} has {size:,} bytes; the limit is {limits.max_bytes:,}.")


def check_readable(kind: str, label: str) -> None:
    """Raises `UnsupportedFormatError` or `EncryptedDocumentError` for what docpipe does not read."""
    if kind == sniff.ENCRYPTED_OFFICE:
        raise EncryptedDocumentError(f"{label} is an Office document protected by a password.")
    if kind not in READERS:
        words, remedy = sniff.KINDS.get(kind, kind), sniff.REMEDIES.get(kind, "")
        raise UnsupportedFormatError(f"{label} is {words}, which docpipe does not read. {remedy}".rstrip())
