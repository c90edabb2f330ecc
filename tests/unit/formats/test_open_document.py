"""What holds for every format: limits, clean strings, errors that say what to do."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from docpipe.errors import (
    DocumentTooLargeError,
    EmptyDocumentError,
    EncryptedDocumentError,
    MemoryExhaustedError,
    MissingExtraError,
    SourceNotFoundError,
    TooDeepError,
    TooManyPagesError,
    UnsupportedFormatError,
)
from docpipe.formats import open_document
from docpipe.formats.base import Limits, RawPage, TextLine, TextReader
from docpipe.formats.guard import GuardedReader
from docpipe.models import Warn


def test_a_path_and_its_bytes_read_the_same(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"one\ntwo")
    assert list(open_document(path, "a.txt").pages()) == list(open_document(b"one\ntwo", "a.txt").pages())


def test_no_bytes_is_empty(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").touch()
    for data in (b"", tmp_path / "a.pdf"):
        with pytest.raises(EmptyDocumentError, match=r"a\.pdf has no bytes"):
            open_document(data, "a.pdf")


def test_too_many_bytes_are_refused_unread() -> None:
    with pytest.raises(DocumentTooLargeError, match="11 bytes; the limit is 10"):
        open_document(b"x" * 11, "a.txt", Limits(max_bytes=10))


def test_an_unsupported_kind_is_named_with_the_remedy() -> None:
    with pytest.raises(UnsupportedFormatError, match=r"letter\.docx is a file of another.*right suffix"):
        open_document(b"{\\rtf1 x}", "letter.docx")


def test_a_protected_office_document_asks_for_the_password_to_go() -> None:
    data = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le")
    with pytest.raises(EncryptedDocumentError):
        open_document(data, "a.docx")


def test_a_missing_file_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFoundError):
        open_document(tmp_path / "gone.pdf", "gone.pdf")


def test_a_missing_package_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "docpipe.formats.text", None)
    with pytest.raises(MissingExtraError, match=r"\[office\]"):
        open_document(b"text", "a.txt")


def test_opening_a_text_does_not_import_the_pdf_engine() -> None:
    code = (
        "import sys; from docpipe.formats import open_document; open_document(b'x', 'a.txt');"
        "print([m for m in ('pymupdf', 'PIL', 'numpy', 'lxml') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def guarded(pages: list[RawPage], limits: Limits | None = None) -> GuardedReader:
    inner = TextReader("text/plain", pages, {"a\0": "b\n"}, [Warn("x", "y\0")])
    return GuardedReader(inner, "a.txt", limits or Limits())


def test_every_string_that_leaves_is_clean() -> None:
    reader = guarded([RawPage(None, None, (TextLine("a\0b\ud800c\nd"),), part="p\0")])
    (page,) = reader.pages()
    assert ([line.text for line in page.lines], page.part) == (["ab\ufffdc d"], "p")
    assert (reader.metadata, reader.warnings) == ({"a": "b "}, [Warn("x", "y")])


def test_pages_and_characters_are_counted_while_they_are_read() -> None:
    pages = [RawPage(None, None, (TextLine("12345"),))] * 3
    assert len(list(guarded(pages, Limits(max_pages=3, max_characters=15)).pages())) == 3
    with pytest.raises(TooManyPagesError, match="more than 2 pages"):
        list(guarded(pages, Limits(max_pages=2)).pages())
    with pytest.raises(DocumentTooLargeError, match="more than 14 characters"):
        list(guarded(pages, Limits(max_characters=14)).pages())
    with pytest.raises(DocumentTooLargeError, match=r"Page 1 of a\.txt holds 5 characters; the limit is 4"):
        list(guarded(pages, Limits(max_page_characters=4)).pages())


@pytest.mark.parametrize(
    ("raised", "expected"), [(RecursionError, TooDeepError), (MemoryError, MemoryExhaustedError)]
)
def test_running_out_of_stack_or_memory_is_translated(
    raised: type[Exception], expected: type[Exception]
) -> None:
    class Failing(TextReader):
        def pages(self) -> Iterator[RawPage]:
            if not self.raw_pages:
                raise raised
            yield from super().pages()

    with pytest.raises(expected, match=r"a\.txt"):
        list(GuardedReader(Failing("text/plain", []), "a.txt", Limits()).pages())
