"""Long documents in ranges of pages: where to cut, and how what was read becomes one text again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from docpipe.errors import (
    CorruptDocumentError,
    DocumentTooLargeError,
    EmptyDocumentError,
    from_code,
)
from docpipe.models import PAGE_FAILED, Failure, Line, Method, Page, PageRange, StageOutput, Warn
from docpipe.stages.ocr.running_titles import mark_running_titles

PAGE_BREAK = "\n\n"
_LEFT_OUT = frozenset(
    {"content_hidden", "content_unread", "hidden_text", "redaction_not_real", "xfa_not_read"}
)
"""Warnings of what a document holds and its text does not."""
_MOST_NAMED = 3


def cut(page_count: int, size: int) -> tuple[PageRange, ...]:
    """Ranges of `size` pages; the last may be shorter."""
    firsts = range(1, page_count + 1, size)
    return tuple(PageRange(first, min(first + size - 1, page_count)) for first in firsts)


def around(page: int, page_count: int) -> tuple[PageRange, ...]:
    """The pages before one, the page itself, and those after it."""
    parts = (PageRange(1, page - 1), PageRange(page, page), PageRange(page + 1, page_count))
    return tuple(part for part in parts if part.first <= part.last)


@dataclass
class _Joined:
    parts: list[str] = field(default_factory=list)
    length: int = 0
    pages: list[Page] = field(default_factory=list)
    warnings: dict[Warn, None] = field(default_factory=dict)
    """Without repeats: each range opens the document, and finds it damaged."""
    first: StageOutput | None = None
    failure: Failure | None = None
    engine: str | None = None

    def add(self, pages: PageRange, output: StageOutput | Failure) -> None:
        if self.pages:
            self._append(PAGE_BREAK)
        if isinstance(output, Failure):
            self.failure = self.failure or output
            output = _unread(pages.first, output)
        else:
            self.first = self.first or output
        self.pages += _moved(output.pages or (), self.length)
        self._append(output.text or "")
        self.warnings |= dict.fromkeys(output.warnings)
        self.engine = self.engine or output.engine

    def _append(self, text: str) -> None:
        self.parts.append(text)
        self.length += len(text)


def join(
    ranges: Iterable[tuple[PageRange, StageOutput | Failure]], max_characters: int | None = None
) -> StageOutput:
    """One document out of its ranges, in the order of their pages: what reading it at once would give.

    A range that failed is a single page; it is empty, with a warning.

    Raises:
        DocumentTooLargeError: more than `max_characters` in all.
        EmptyDocumentError: no page holds text; or, when that is why, the first failed page's error.
    """
    joined = _Joined()
    for pages, output in ranges:
        joined.add(pages, output)
        if max_characters is not None and joined.length > max_characters:
            raise DocumentTooLargeError(f"The document holds more than {max_characters:,} characters.")
    text = "".join(joined.parts)
    if joined.first is None or not text.strip():
        raise _why_empty(joined)
    return replace(
        joined.first,
        text=text,
        pages=mark_running_titles(text, joined.pages),
        warnings=tuple(joined.warnings),
        engine=joined.engine,
    )


def _why_empty(joined: _Joined) -> Exception:
    if joined.failure is not None:
        failure = joined.failure
        return from_code(failure.code, f"No page could be read. {failure.message}")
    for warn in joined.warnings:
        if warn.code == PAGE_FAILED:
            return CorruptDocumentError(warn.message)
    return nothing_shown(joined.warnings)


def nothing_shown(warnings: Iterable[Warn]) -> EmptyDocumentError:
    """There is no text; the message names what was left out, if anything was."""
    left_out = dict.fromkeys(warn.message for warn in warnings if warn.code in _LEFT_OUT)
    return EmptyDocumentError(" ".join(["It holds no text.", *left_out][: 1 + _MOST_NAMED]))


def _unread(number: int, failure: Failure) -> StageOutput:
    """An empty page, and a warning."""
    page = Page(number, 0, 0, None, None, Method.OCR, reason=f"could not be read: {failure.code}")
    warn = Warn("page_failed", f"The page could not be read: {failure.message}", number)
    return StageOutput(text="", pages=(page,), warnings=(warn,))


def _moved(pages: Iterable[Page], by: int) -> Iterator[Page]:
    for page in pages:
        lines = tuple(_moved_line(line, by) for line in page.lines)
        yield replace(page, start=page.start + by, end=page.end + by, lines=lines)


def _moved_line(line: Line, by: int) -> Line:
    return replace(line, start=line.start + by, end=line.end + by)
