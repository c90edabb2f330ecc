"""Documents inside another one: attachments of a mail, members of an archive, files in a Word document."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from docpipe.errors import DocumentTooLargeError, MemoryExhaustedError, PermanentError, TooManyPagesError
from docpipe.formats.base import Limits, RawPage, Reader
from docpipe.formats.request import ReadRequest
from docpipe.models import Warn


@dataclass(frozen=True, slots=True)
class Member:
    """A document inside another, opened when its turn comes; what `open` raises costs it alone."""

    label: str
    open: Callable[[], Reader]


class Members:
    """Reads the documents inside another one by one, as pages that carry their label.

    One that cannot be read becomes a warning, `attachment_<code of its error>`.
    """

    def __init__(self, limits: Limits, warnings: list[Warn], noun: str = "attachment") -> None:
        self._limits = limits
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
        for member in members[:limit]:
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
            message = f"The {self._noun} {label} was not read: {error.message}"
            self._warnings.append(Warn(f"attachment_{error.code}", message))
        else:
            self._warnings.extend(_moved(warn, label, before) for warn in reader.warnings)

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
        self._reading = Members(request.limits, self.warnings, noun)

    def pages(self) -> Iterator[RawPage]:
        if not self._members:
            yield RawPage(None, None)
        yield from self._reading.pages(self._members, self._limit)

    def close(self) -> None:
        self._reading.close()
        if self._closed is not None:
            self._closed()
