"""The tools a stage asks for: Protocols that `docpipe/engines/` implements, one file per technology."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

from docpipe.models import Warn

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Quad = tuple[tuple[float, float], tuple[float, float], tuple[float, float], tuple[float, float]]
"""Corners in pixels: top left, top right, bottom right, bottom left of the text as it reads."""


@dataclass(frozen=True, slots=True)
class RecognisedLine:
    """One line an OCR engine read, in the pixel coordinates of the image it was given.

    Without text it is a line that was seen and could not be read: it lowers the page's confidence.
    """

    text: str
    quad: Quad
    confidence: float
    body: tuple[float, float] = (0.0, 1.0)
    """Between which parts of the height of `quad`, from the top, its letters stand, where `quad` is wider."""
    words: tuple[float, ...] = ()
    """Where each of its words, by its blanks, begins and ends, as parts 0..1 of the line's length. Without
    them letters are taken to be equally wide."""


class OcrEngine(Protocol):
    """Reads pictures. One instance belongs to one process and one thread."""

    name: str
    """Technology and version, stored with the results."""

    def read(self, pixels: NDArray[np.uint8]) -> list[RecognisedLine]:
        """Recognise an upright picture of shape (height, width, 3), uint8, blue-green-red.

        The lines come in any order.
        """
        ...

    def orientation(self, pixels: NDArray[np.uint8]) -> int:
        """Degrees (0, 90, 180, 270) to turn the picture counter-clockwise so that it stands upright."""
        ...


@runtime_checkable
class FindsLines(Protocol):
    """An OCR engine that knows where lines are before it reads them. Crooked pages are then read once."""

    def find_lines(self, pixels: NDArray[np.uint8]) -> list[Quad]:
        """The lines in an upright picture, as `OcrEngine.read` takes it."""
        ...


@dataclass(frozen=True, slots=True)
class WhenNeeded:
    """An OCR engine that is loaded for the first page that needs one; in most documents no page does."""

    load: Callable[[], OcrEngine]


class Span(NamedTuple):
    """A mention in the text an NER engine was given; `text[start:end]` is exactly the mention."""

    start: int
    end: int
    label: str
    score: float = 1.0


class NerEngine(Protocol):
    """Finds names in texts. One instance belongs to one process."""

    name: str
    """Technology, model and version, stored with the results."""

    def find(self, texts: Sequence[str]) -> Iterator[list[Span]]:
        """The spans of each text, in the order of the texts."""
        ...


@runtime_checkable
class ReadsLayout(Protocol):
    """An NER engine that knows what the ends of lines, tabs and capitals mean: its text keeps them."""

    reads_layout: bool


@runtime_checkable
class LeavesTimes(Protocol):
    """An NER engine that names no dates: times in words are found by patterns in its place."""

    leaves_times: bool


@runtime_checkable
class KnowsLanguages(Protocol):
    """An NER engine that was made for some languages: it is given no text in others."""

    languages: frozenset[str]
    """Their codes (ISO 639): `en`."""


class EmbedEngine(Protocol):
    """Turns texts into vectors, so that those of texts that mean alike are near each other. One instance
    belongs to one process.
    """

    name: str
    """Technology, model and version, stored with the vectors: those of two models are never compared."""
    max_characters: int
    """The longest text it is given; longer chunks are cut."""

    def embed(self, texts: Sequence[str]) -> Iterator[Sequence[float]]:
        """The vector of each text, in the order of the texts; all have the same number of values."""
        ...


@dataclass(frozen=True, slots=True)
class Report:
    """What an engine has to say of its work since it was asked last."""

    warnings: tuple[Warn, ...] = ()
    usage: Mapping[str, float] = field(default_factory=dict)
    """What the work cost, stored as `Document.extras["entities"]`: requests, tokens, money."""


@runtime_checkable
class Reporting(Protocol):
    """An NER engine that can report what it dropped, and what it cost."""

    def report(self) -> Report:
        """What there is to report since the last call; asked once after each document."""
        ...
