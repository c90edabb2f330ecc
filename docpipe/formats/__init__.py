"""Readers of file formats: `open_document` finds out what a document is and opens it.

Each reader's module is imported when the first document of its kind is opened, so that a worker
needs only the extras for the formats it meets.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from docpipe.errors import (
    DocumentTooLargeError,
    EmptyDocumentError,
    EncryptedDocumentError,
    MissingExtraError,
    SourceForbiddenError,
    SourceNotFoundError,
    SourceRejectedError,
    UnsupportedFormatError,
)
from docpipe.formats import plugins, sniff
from docpipe.formats.base import Data, Limits, Reader
from docpipe.formats.clean import clean_label
from docpipe.formats.guard import GuardedReader, translated
from docpipe.formats.request import ReadRequest

__all__ = ["READERS", "detect", "open_document"]

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
    sniff.ODS: ("sheets", "office"),
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


def open_document(data: Data, name: str, limits: Limits = Limits()) -> GuardedReader:  # noqa: B008 - frozen value
    """Open a document of any format docpipe reads; close the reader when its pages are read.

    A page's `image` may be called while the reader is open, and raises `PermanentError` classes
    when that page's picture is damaged or too large.

    Raises:
        EmptyDocumentError: no bytes.
        DocumentTooLargeError: beyond one of `limits`; also later, from `pages()`.
        UnsupportedFormatError, EncryptedDocumentError, CorruptDocumentError: by its content.
        ConfigurationError: a reader that another package brings cannot be loaded.
        MissingExtraError: the format needs an extra that is not installed.
        MemoryExhaustedError: reading it takes more memory than there is; also from `pages()`.
        SourceNotFoundError, SourceForbiddenError, SourceRejectedError: as `detect`.
    """
    label = clean_label(name, "The document")
    _check_size(data, label, limits)
    with translated(label):
        if plugin := plugins.claiming(sniff.read_head(data), name):
            request = ReadRequest(data, label, plugin.file_type, limits, open_document)
            return GuardedReader(plugin.open_reader(request), label, limits)
        kind = sniff.detect(data, name)
        _check_readable(kind, label)
        request = ReadRequest(data, label, kind, limits, open_document)
        return GuardedReader(_open_reader(request), label, limits)


def _size(path: Path) -> int:
    try:
        if not path.is_file():
            raise (SourceRejectedError if path.exists() else SourceNotFoundError)(f"{path} is not a file.")
        with path.open("rb") as file:
            return file.seek(0, 2)
    except PermissionError as error:
        raise SourceForbiddenError(f"{path} may not be read. Give the worker's user read access.") from error


def _check_size(data: Data, label: str, limits: Limits) -> None:
    size = _size(data) if isinstance(data, Path) else len(data)
    if size == 0:
        raise EmptyDocumentError(f"{label} has no bytes.")
    if size > limits.max_bytes:
        raise DocumentTooLargeError(f"{label} has {size:,} bytes; the limit is {limits.max_bytes:,}.")


def _check_readable(kind: str, label: str) -> None:
    if kind == sniff.ENCRYPTED_OFFICE:
        raise EncryptedDocumentError(f"{label} is an Office document protected by a password.")
    if kind not in READERS:
        words, remedy = sniff.KINDS.get(kind, kind), sniff.REMEDIES.get(kind, "")
        raise UnsupportedFormatError(f"{label} is {words}, which docpipe does not read. {remedy}".rstrip())


def _open_reader(request: ReadRequest) -> Reader:
    module, extra = READERS[request.file_type]
    try:
        reader = import_module(f"docpipe.formats.{module}")
    except ImportError as error:
        raise MissingExtraError.for_module(error.name or module, extra) from error
    opened: Reader = reader.open_reader(request)
    return opened
