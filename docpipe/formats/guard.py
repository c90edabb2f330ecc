"""The border all readers share: limits, clean strings and translated errors, in one place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

from docpipe.errors import DocumentTooLargeError, MemoryExhaustedError, TooDeepError, TooManyPagesError
from docpipe.formats.base import Limits, PagedReader, PageImage, RawPage, Reader, TextLine
from docpipe.formats.clean import clean_line
from docpipe.models import Warn


@contextmanager
def translated(name: str) -> Iterator[None]:
    """Turn Python running out of stack or memory into the errors that say so."""
    try:
        yield
    except RecursionError as error:
        raise TooDeepError(f"{name} is nested too deeply to be read.") from error
    except MemoryError as error:
        raise MemoryExhaustedError(f"Reading {name} took more memory than there is.") from error


class GuardedReader:
    """A reader whose strings are clean and whose pages stay within the limits."""

    def __init__(self, inner: Reader, name: str, limits: Limits) -> None:
        self._inner = inner
        self._name = name
        self._limits = limits
        self._characters = 0
        self.file_type = inner.file_type
        self.page_count = inner.page_count if isinstance(inner, PagedReader) else None
        """None where only reading tells."""
        self.metadata = _clean_metadata(inner.metadata)
        self.warnings: list[Warn] = []
        self._take_warnings()

    def pages(self, first: int = 1, last: int | None = None) -> Iterator[RawPage]:
        """The pages, or those from `first` to `last` of a document that has `page_count`."""
        with translated(self._name):
            for number, page in enumerate(self._inner_pages(first, last), first):
                self._count(number, page)
                self._take_warnings()
                yield self._clean(page)
        self._take_warnings()
        self.metadata = _clean_metadata(self._inner.metadata)

    def close(self) -> None:
        self._inner.close()

    def _inner_pages(self, first: int, last: int | None) -> Iterator[RawPage]:
        if isinstance(self._inner, PagedReader):
            return self._inner.pages(first, last)
        assert (first, last) == (1, None)
        return self._inner.pages()

    def _count(self, number: int, page: RawPage) -> None:
        limits = self._limits
        if number > limits.max_pages:
            raise TooManyPagesError(f"{self._name} has more than {limits.max_pages:,} pages.")
        characters = sum(len(line.text) for line in page.lines)
        if characters > limits.max_page_characters:
            raise DocumentTooLargeError(
                f"Page {number} of {self._name} holds {characters:,} characters; "
                f"the limit is {limits.max_page_characters:,}."
            )
        self._characters += characters
        if self._characters > limits.max_characters:
            raise DocumentTooLargeError(f"{self._name} holds more than {limits.max_characters:,} characters.")

    def _clean(self, page: RawPage) -> RawPage:
        image = partial(_guarded_image, page.image, self._name) if page.image else None
        lines = tuple(_clean_text_line(line) for line in page.lines)
        return replace(page, lines=lines, image=image, part=clean_line(page.part))

    def _take_warnings(self) -> None:
        new = self._inner.warnings[len(self.warnings) :]
        self.warnings.extend(replace(warn, message=clean_line(warn.message)) for warn in new)


def _clean_metadata(metadata: dict[str, str]) -> dict[str, str]:
    return {clean_line(key): clean_line(value) for key, value in metadata.items()}


def _clean_text_line(line: TextLine) -> TextLine:
    text = clean_line(line.text)
    return line if text == line.text else replace(line, text=text)


def _guarded_image(render: Callable[[int], PageImage], name: str, dpi: int) -> PageImage:
    with translated(name):
        return render(dpi)
