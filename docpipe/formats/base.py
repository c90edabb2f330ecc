"""What a reader of a file format gives to the ocr stage."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from docpipe.models import Box, Warn

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a document may ask for; beyond it the reader raises a `DocumentTooLargeError` class.

    The starting values come from runs over hostile files (docs/reference/limits.md).
    """

    max_bytes: int = 200_000_000
    max_pages: int = 5_000
    max_image_pixels: int = 100_000_000
    max_image_side: int = 30_000
    max_image_frames: int = 500
    max_render_pixels: int = 40_000_000
    max_render_side: int = 10_000
    max_expanded_bytes: int = 300_000_000
    max_expansion_ratio: int = 200
    max_archive_members: int = 10_000
    max_depth: int = 30
    max_parts: int = 1_000
    max_attachments: int = 100
    max_attachment_depth: int = 5
    max_descendants: int = 10_000
    max_page_characters: int = 1_000_000
    max_characters: int = 50_000_000
    max_seconds: float = 60.0
    max_memory_bytes: int = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Apart:
    """What becomes of documents inside another one that are to be documents of their own.

    Args:
        take: is given the name, the MIME type and the bytes of each, while the pages are read.
        attachments: of mails, too; else only the files of an archive and the mails of a mailbox.
    """

    take: Callable[[str, str, bytes], None]
    attachments: bool = False


@dataclass(frozen=True, slots=True)
class PageImage:
    """A page as a picture.

    `pixels` has shape (height, width, 3), uint8, channels blue-green-red (OpenCV's order).
    """

    pixels: NDArray[np.uint8]
    points_per_pixel: float


@dataclass(frozen=True, slots=True)
class TextLine:
    """One line (or paragraph, where the format has no lines); box in points, origin top left."""

    text: str
    box: Box | None = None
    confidence: float = 1.0
    joint: str = "\n"
    """What parts it from the line before: a tab or a space where both stand on one line."""
    apart: bool = False
    """It stands across the page's text, as a watermark does, and is read after it."""
    words: tuple[float, ...] = ()
    """Where each of its words begins and ends along it; see `docpipe.models.Line.words`."""
    slope: float = 0.0
    """See `docpipe.models.Line.slope`."""


@dataclass(frozen=True, slots=True)
class RawPage:
    """A page as its file gives it, before anything is recognised.

    Attributes:
        width, height: points; None where the format has no page geometry.
        lines: the text the file itself holds, in the file's order.
        image: renders the page on demand (`dpi` is a wish; the pixel limits win); None where the
            page has no picture that recognition could read.
        image_share: part 0..1 of the page's area that pictures cover.
        picture_lines: lines of text that its small pictures seem to show.
        hidden_text: the text is there but not shown, as recognition lays it over a scan.
        turned: degrees (0, 90, 180, 270) to turn the page counter-clockwise so that most of `lines`
            stand upright.
        fields: the names of form fields of a page without `lines`; as a screen reader does, they are read
            where the page shows nothing else.
        part: the attachment the page belongs to; empty for the document itself.
    """

    width: float | None
    height: float | None
    lines: tuple[TextLine, ...] = ()
    image: Callable[[int], PageImage] | None = None
    image_share: float = 0.0
    picture_lines: int = 0
    hidden_text: bool = False
    turned: int = 0
    fields: tuple[TextLine, ...] = ()
    part: str = ""


class Reader(Protocol):
    """An open document. Pages come one at a time, so that memory stays flat in the page count.

    A format whose pages can be counted and reached without reading those before has `page_count`, and its
    `pages` take `first` and `last` (numbers from 1, the last included): `PagedReader`.
    """

    file_type: str
    metadata: dict[str, str]
    warnings: list[Warn]
    """Grows while pages are read; complete once `pages()` is exhausted."""

    def pages(self) -> Iterator[RawPage]: ...

    def close(self) -> None: ...


@runtime_checkable
class PagedReader(Reader, Protocol):
    """A reader that can begin at any page, where its format can."""

    @property
    def page_count(self) -> int | None: ...

    def pages(self, first: int = 1, last: int | None = None) -> Iterator[RawPage]: ...


@dataclass
class TextReader:
    """A reader whose pages are already in memory (text formats)."""

    file_type: str
    raw_pages: list[RawPage]
    metadata: dict[str, str] = field(default_factory=dict)
    warnings: list[Warn] = field(default_factory=list)

    def pages(self) -> Iterator[RawPage]:
        yield from self.raw_pages

    def close(self) -> None:
        pass


Data = Path | bytes
"""A document's bytes, or the regular file that holds them."""
