"""Readers of file formats: `open_document` finds out what a document is and opens it.

Each reader's module is imported when the first document of its kind is opened, so that a worker
needs only the extras for the formats it meets.
"""

from __future__ import annotations

from importlib import import_module

from docpipe.errors import MissingExtraError
from docpipe.formats import plugins, sniff
from docpipe.formats.base import Apart, Data, Limits, Reader
from docpipe.formats.clean import clean_label
from docpipe.formats.guard import GuardedReader, translated
from docpipe.formats.kinds import READERS, check_readable, check_size, detect
from docpipe.formats.request import ReadRequest

__all__ = ["READERS", "detect", "open_document"]


def open_document(
    data: Data,
    name: str,
    limits: Limits = Limits(),  # noqa: B008 - frozen value
    apart: Apart | None = None,
) -> GuardedReader:
    """Open a document of any format docpipe reads; close the reader when its pages are read.

    Documents inside it are pages of it, or, with `apart`, taken out while its pages are read.

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
    check_size(data, label, limits)
    with translated(label):
        if plugin := plugins.claiming(sniff.read_head(data), name):
            request = ReadRequest(data, label, plugin.file_type, limits, open_document, apart)
            return GuardedReader(plugin.open_reader(request), label, limits)
        kind = sniff.detect(data, name)
        check_readable(kind, label)
        request = ReadRequest(data, label, kind, limits, open_document, apart)
        return GuardedReader(_open_reader(request), label, limits)


def _open_reader(request: ReadRequest) -> Reader:
    module, extra = READERS[request.file_type]
    try:
        reader = import_module(f"docpipe.formats.{module}")
    except ImportError as error:
        raise MissingExtraError.for_module(error.name or module, extra) from error
    opened: Reader = reader.open_reader(request)
    return opened
