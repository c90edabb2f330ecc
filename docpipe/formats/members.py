"""Documents inside another one: attachments of a mail, members of an archive, files in a Word document."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from docpipe.errors import (
    DocpipeError,
    DocumentTooLargeError,
    MemoryExhaustedError,
    PermanentError,
    TooManyPagesError,
)
from docpipe.formats.base import Apart, RawPage, Reader, TextReader
from docpipe.formats.kinds import readable_kind
from docpipe.formats.paging import paginate
from docpipe.formats.request import ReadRequest
from docpipe.models import Warn


@dataclass(frozen=True, slots=True)
class Member:
    """A document inside another, opened when its turn comes; what that raises costs it alone.

    Args:
        label: what its pages are marked with.
        open: opens it, as a part of the other.
        name: its file name, as a document of its own.
        content: its bytes; None where it has none of its own, and can only be a part.
    """

    label: str
    open: Callable[[], Reader]
    name: str = ""
    content: Callable[[], bytes] | None = None

    @classmethod
    def of(cls, request: ReadRequest, label: str, name: str, content: Callable[[], bytes]) -> Member:
        """One that is opened from its bytes."""
        return cls(label, lambda: request.open_part(content(), name), name, content)


class Members:
    """Reads the documents inside another one by one, as pages that carry their label.

    Where they are to be documents of their own (`apart`), each is taken out, and a page lists them by label,
    MIME type and size. One that cannot be read becomes a warning, `attachment_<code of its error>`.
    """

    def __init__(
        self,
        request: ReadRequest,
        warnings: list[Warn],
        noun: str = "attachment",
        apart: Apart | None = None,
    ) -> None:
        self._request = request
        self._limits = request.limits
        self._apart = apart
        self._pages = 0
        self._characters = 0
        self._warnings = warnings
        self._noun = noun
        self._seen: dict[str, int] = {}
        self._open: list[Reader] = []

    def close(self) -> None:
        for reader in self._open:
            reader.close()

    def counted(self, page: RawPage) -> RawPage:
        """The page, counted as one of the whole document's.

        Raises:
            TooManyPagesError, DocumentTooLargeError: the whole document would break a limit with it.
        """
        characters = self._characters + sum(len(line.text) for line in page.lines)
        if self._pages >= self._limits.max_pages:
            raise TooManyPagesError(
                f"There are {self._limits.max_pages:,} pages before it, as many as may be."
            )
        if characters > self._limits.max_characters:
            raise DocumentTooLargeError(
                f"More than {self._limits.max_characters:,} characters came before it."
            )
        self._pages, self._characters = self._pages + 1, characters
        return page

    def pages(self, members: Sequence[Member], limit: int) -> Iterator[RawPage]:
        """The pages of the first `limit` members; the others become one warning."""
        if lines := [self._taken_out(each) for each in members[:limit] if self._goes_out(each)]:
            yield from map(self.counted, paginate(lines, self._limits.max_page_characters))
        for member in members[:limit]:
            if not self._goes_out(member):
                yield from self.pages_of(member)
        if (left := len(members) - limit) > 0:
            message = f"{left:,} {self._noun}(s) beyond the limit of {limit:,} were not read."
            self._warnings.append(Warn("attachment_too_many_parts", message))

    def pages_of(self, member: Member) -> Iterator[RawPage]:
        """The pages of one member, under a label that none before it had."""
        label, before = self._own_label(member.label), self._pages
        try:
            reader = member.open()
            self._open.append(reader)
            for page in reader.pages():
                yield replace(self.counted(page), part=f"{label}/{page.part}" if page.part else label)
        except (PermanentError, MemoryExhaustedError) as error:
            self._warn(label, error)
        else:
            self._warnings.extend(_moved(warn, label, before) for warn in reader.warnings)

    def _goes_out(self, member: Member) -> bool:
        return self._apart is not None and member.content is not None

    def _taken_out(self, member: Member) -> str:
        """The member's line in the list, after it was taken out or could not be."""
        assert self._apart is not None and member.content is not None
        label = self._own_label(member.label)
        try:
            data = member.content()
            kind = readable_kind(data, member.name, self._request.part_limits())
        except (PermanentError, MemoryExhaustedError) as error:
            self._warn(label, error)
            return f"{label}\tnot read"
        self._apart.take(member.name, kind, data)
        return f"{label}\t{kind}\t{len(data):,} bytes"

    def _warn(self, label: str, error: DocpipeError) -> None:
        message = f"The {self._noun} {label} was not read: {error.message}"
        self._warnings.append(Warn(f"attachment_{error.code}", message))

    def _own_label(self, label: str) -> str:
        repeat = self._seen[label] = self._seen.get(label, 0) + 1
        return label if repeat == 1 else f"{label} ({repeat})"


def _moved(warn: Warn, label: str, pages_before: int) -> Warn:
    page = None if warn.page is None else warn.page + pages_before
    return Warn(warn.code, f"{label}: {warn.message}", page)


class MembersReader:
    """An open container that holds documents and no text of its own."""

    def __init__(
        self,
        request: ReadRequest,
        members: Sequence[Member],
        noun: str,
        closed: Callable[[], None] | None = None,
    ) -> None:
        self.file_type = request.file_type
        self.metadata: dict[str, str] = {"members": str(len(members))}
        self.warnings: list[Warn] = []
        self._limit = request.limits.max_parts
        self._members = members
        self._closed = closed
        self._reading = Members(request, self.warnings, noun, request.apart)

    def pages(self) -> Iterator[RawPage]:
        if not self._members:
            yield RawPage(None, None)
        yield from self._reading.pages(self._members, self._limit)

    def close(self) -> None:
        self._reading.close()
        if self._closed is not None:
            self._closed()


class ReaderWithMembers:
    """An open text with documents inside, which are pages of their own at its end."""

    def __init__(self, request: ReadRequest, text: TextReader, members: Sequence[Member], noun: str) -> None:
        self.file_type = text.file_type
        self.metadata = text.metadata
        self.warnings = text.warnings
        self._text = text
        self._limit = request.limits.max_attachments
        self._members = members
        self._reading = Members(request, self.warnings, noun)

    def pages(self) -> Iterator[RawPage]:
        yield from map(self._reading.counted, self._text.pages())
        yield from self._reading.pages(self._members, self._limit)

    def close(self) -> None:
        self._reading.close()
