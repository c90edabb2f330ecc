"""What every reader keeps to, as a check to run on any: `docpipe.testing.check_reader`."""

from __future__ import annotations

from docpipe.errors import DocpipeError
from docpipe.formats import open_document, sniff
from docpipe.formats.base import Limits, RawPage, Reader
from docpipe.formats.plugins import ReaderPlugin
from docpipe.formats.request import ReadRequest

_FOREIGN = {
    "foreign.bin": bytes(range(256)),
    "foreign.txt": b"A letter.\n",
    "foreign.pdf": b"%PDF-1.7\n",
    "empty": b"",
}
_CUTS = (0.01, 0.3, 0.6, 0.9)
"""Where a document is cut to see what a damaged one does."""


def check(plugin: ReaderPlugin, document: bytes, name: str) -> list[RawPage]:
    """Raise `AssertionError` with a sentence when the reader breaks the contract; the pages it read.

    Args:
        document: one of the reader's format that has text.
        name: its file name.
    """
    assert "/" in plugin.file_type, f"{plugin.file_type!r} is not a MIME type."
    assert plugin.sniff(sniff.read_head(document), name), (
        f"sniff says that {name} is not of the reader's format."
    )
    for other, content in _FOREIGN.items():
        assert not plugin.sniff(content, other), f"sniff takes {other} ({content[:20]!r}) for its own."
    reader = plugin.open_reader(_request(plugin, document, name))
    pages = _read(reader)
    assert reader.file_type == plugin.file_type, f"The reader says file_type {reader.file_type!r}."
    assert any(line.text.strip() for page in pages for line in page.lines) or any(p.image for p in pages), (
        f"No page of {name} has text or a picture."
    )
    again = _read(plugin.open_reader(_request(plugin, document, name)))
    assert _texts(again) == _texts(pages), "The same document was read differently the second time."
    for share in _CUTS:
        _check_cut(plugin, document[: int(len(document) * share) + 1], name)
    return pages


def _request(plugin: ReaderPlugin, document: bytes, name: str) -> ReadRequest:
    return ReadRequest(document, name, plugin.file_type, Limits(), open_document)


def _read(reader: Reader) -> list[RawPage]:
    try:
        return list(reader.pages())
    finally:
        reader.close()


def _texts(pages: list[RawPage]) -> list[list[str]]:
    return [[line.text for line in page.lines] for page in pages]


def _check_cut(plugin: ReaderPlugin, document: bytes, name: str) -> None:
    try:
        _read(plugin.open_reader(_request(plugin, document, name)))
    except DocpipeError:
        return
    except Exception as error:  # whatever it is, it is the reader's fault
        what = f"{name} cut after {len(document):,} bytes"
        raise AssertionError(f"{what} raised {type(error).__name__}, not a docpipe error.") from error
