"""Long documents in ranges of pages: what is joined is what reading at once would give."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docpipe.errors import (
    CorruptDocumentError,
    DocpipeError,
    DocumentTooLargeError,
    EmptyDocumentError,
    ReadingTimeoutError,
)
from docpipe.formats.base import RawPage, TextLine, TextReader
from docpipe.models import Failure, Method, Page, PageRange, StageOutput, Warn
from docpipe.stages.ocr.document import read_document, read_pages
from docpipe.stages.ocr.page_ranges import cut, join
from tests.engines import OneLine

FAILURE = Failure("reading_timeout", "ReadingTimeoutError", "It took too long.", "ocr")


@dataclass
class PagedText(TextReader):
    """Pages in memory that can be reached one by one."""

    @property
    def page_count(self) -> int:
        return len(self.raw_pages)

    def pages(self, first: int = 1, last: int | None = None) -> Iterator[RawPage]:
        yield from self.raw_pages[first - 1 : last]


def reader(*texts: str) -> PagedText:
    pages = [RawPage(100.0, 200.0, tuple(TextLine(line) for line in text.split("\n"))) for text in texts]
    return PagedText("application/pdf", pages, {"title": "T"}, [Warn("damaged", "It is damaged.")])


def read(document: PagedText, pages: PageRange) -> StageOutput:
    return read_pages(document, pages, engine=OneLine())


def page(text: str, number: int = 1) -> StageOutput:
    return StageOutput(text=text, pages=(Page(number, 0, len(text), 1.0, 1.0, Method.OCR),), engine="e 1")


def test_pages_are_cut_into_ranges_and_the_last_may_be_shorter() -> None:
    assert cut(7, 3) == (PageRange(1, 3), PageRange(4, 6), PageRange(7, 7))
    assert cut(3, 3) == (PageRange(1, 3),)


@given(st.lists(st.text("ab \n\u00fc", max_size=9), min_size=1, max_size=9), st.integers(1, 10))
def test_what_is_joined_is_what_reading_at_once_gives(texts: list[str], size: int) -> None:
    document = reader("some text", *texts)
    parts = [(pages, read(document, pages)) for pages in cut(document.page_count, size)]
    assert join(parts) == read_document(document, engine=OneLine())


def test_pages_of_a_range_are_numbered_as_in_the_document() -> None:
    told: list[int] = []
    output = read_pages(reader("a", "b", "c"), PageRange(2, 3), engine=OneLine(), on_page=told.append)
    assert ([each.number for each in output.pages or ()], output.text, told) == ([2, 3], "b\n\nc", [2, 3])


def test_a_failed_page_is_empty_with_a_warning_and_keeps_its_place() -> None:
    parts: list[tuple[PageRange, StageOutput | Failure]] = [
        (PageRange(1, 1), page("one")),
        (PageRange(2, 2), FAILURE),
        (PageRange(3, 3), page("three", 3)),
    ]
    joined = join(parts)
    assert joined.text == "one\n\n\n\nthree"
    assert [(each.number, each.start, each.end) for each in joined.pages or ()] == [
        (1, 0, 3),
        (2, 5, 5),
        (3, 7, 12),
    ]
    assert joined.warnings == (Warn("page_failed", "The page could not be read: It took too long.", 2),)
    assert joined.engine == "e 1"


def test_a_document_without_text_says_why() -> None:
    torn = replace(page(" "), warnings=(Warn("page_failed", "Torn.", 1),))
    cases: list[tuple[StageOutput | Failure, type[DocpipeError]]] = [
        (page(" "), EmptyDocumentError),
        (torn, CorruptDocumentError),
        (FAILURE, ReadingTimeoutError),
    ]
    for output, error in cases:
        with pytest.raises(error):
            join([(PageRange(1, 1), output)])
    hidden = replace(page(" "), warnings=(Warn("content_hidden", "The hidden slide 1 was not read."),))
    with pytest.raises(EmptyDocumentError, match=r"holds no text\. The hidden slide 1 was not read\."):
        join([(PageRange(1, 1), hidden)])


def test_a_document_is_no_larger_joined_than_it_may_be() -> None:
    parts = [(PageRange(1, 1), page("12345")), (PageRange(2, 2), page("12345", 2))]
    assert join(parts, 12).text == "12345\n\n12345"
    with pytest.raises(DocumentTooLargeError, match="more than 11 characters"):
        join(parts, 11)
