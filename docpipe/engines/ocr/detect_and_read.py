"""Reading a page with two models: one finds boxes of text, the other reads them one by one.

What is common to every engine of that kind lives here: how large the picture is shown to the
detector, cutting lines out of it, and the vote on which way up the page is.
"""

from __future__ import annotations

import math
import os
import weakref
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Generic, NamedTuple, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from docpipe.engines.ocr.ctc import Line
from docpipe.engines.ocr.raised import with_marks
from docpipe.engines.ports import Quad, RecognisedLine

Pixels = NDArray[np.uint8]
Boxes = NDArray[np.float32]
"""Shape (n, 4, 2): corners (x, y) in pixels, clockwise from the top left."""

Models = TypeVar("Models")

_CELL = 32
"""The detector's input sides are multiples of this."""
_MIN_SIDE = 8
"""Pixels; a thinner picture cannot hold a readable line."""
_MARGIN = 32
"""Pixels of paper added around a picture thinner than twice this: text at the rim goes unseen."""
_MAX_PAGE_ASPECT = 1.6
"""Height by width up to which a page is shown to the detector in one piece."""
_MAX_LINE_ASPECT = 100.0
"""Width by height of the longest line read; 6 point type across A4 landscape has about this."""
_SMALL_LETTERS = 6.0
_GOOD_LETTERS = 7.0
"""Letter heights in pixels as the detector sees them. Measured: print at 7 and more is found whole;
from 4 downwards lines melt into blocks."""
_INK_PIXELS = 2_000_000
"""As many are searched for letters at a time, because the search takes ten times the picture's memory."""
_SKEW = 0.05
"""A line may climb by this part of the width (3 degrees) and still lie whole in its strip."""
_STRAIGHT = 0.04
"""Part of a box's height by which its corners may lie beside those of an upright box."""
_BODY = (0.12, 0.87)
"""The detector's boxes are higher than the letters. Measured on the boxes of FUNSD's words."""
_VOTERS = 12
_TURNED = 0.5
"""A line that is upside down with a greater likelihood votes for a page that is."""
_inherited: list[object] = []
"""Models of the process this one was forked from. They are never freed: OpenVINO would wait for threads
that stayed behind."""


class _Strip(NamedTuple):
    """Rows `top:bottom` are looked at; boxes centred in `first:last` are kept."""

    top: int
    bottom: int
    first: int
    last: int


class DetectAndRead(ABC, Generic[Models]):
    """An `OcrEngine` of two models; a subclass loads and calls them.

    The models are loaded when first used and again after a fork: ONNX Runtime's threads do not
    survive one (microsoft/onnxruntime#9800).
    """

    name: str

    def __init__(self, *, detection_pixels: int, min_score: float) -> None:
        self._detection_pixels = detection_pixels
        self._min_score = min_score
        self._loaded: tuple[int, Models] | None = None
        self._seen: tuple[weakref.ref[Pixels], Boxes] | None = None

    @abstractmethod
    def _load(self) -> Models:
        """Load the models into this process."""

    @abstractmethod
    def _detect(self, pixels: Pixels) -> Boxes:
        """The boxes of text in a picture whose sides are multiples of 32."""

    @abstractmethod
    def _recognise(self, crop: Pixels) -> Line:
        """One horizontal line; the places of its words, if they are known, as parts 0..1 of its length."""

    @abstractmethod
    def _upside_down(self, crop: Pixels) -> float:
        """How likely, 0..1, a horizontal crop at most four times as wide as high is upside down."""

    @property
    def _models(self) -> Models:
        if self._loaded is None or self._loaded[0] != os.getpid():
            _inherited.append(self._loaded)
            self._loaded = (os.getpid(), self._load())
        return self._loaded[1]

    def read(self, pixels: Pixels) -> list[RecognisedLine]:
        """Recognise an upright picture; lines below `min_score` come without their text.

        Raises `PermanentError` when the models refuse the picture, `MemoryExhaustedError`.
        """
        found = []
        for box in self._boxes(pixels):
            crop = line_crop(pixels, box)
            line = with_marks(crop, self._recognise(crop))
            if not line.text.strip():
                continue
            if line.confidence >= self._min_score:
                found.append(RecognisedLine(line.text, _quad(box), line.confidence, _BODY, line.words))
            else:
                found.append(RecognisedLine("", _quad(box), line.confidence))
        return found

    def find_lines(self, pixels: Pixels) -> list[Quad]:
        """See `FindsLines`; `read` of the same picture does not search again."""
        return [_quad(box) for box in self._boxes(pixels)]

    def orientation(self, pixels: Pixels) -> int:
        """Degrees counter-clockwise that bring the picture upright: the longest lines vote.

        A page whose boxes are mostly taller than wide lies on its side. Which way up is the
        median of the line classifier's answers for undistorted 4:1 crops (left, middle, right)
        of up to 12 lines: per line it errs too often, and a whole line squeezed into its
        192 x 48 pixels misleads it.
        """
        boxes = self._boxes(pixels)
        if not len(boxes):
            return 0
        widths, heights = _sides(boxes)
        sideways = bool(np.mean(heights > widths) > 0.5)
        lengths = heights if sideways else widths
        longest = boxes[np.argsort(-lengths, kind="stable")[:_VOTERS]]
        crops = [np.rot90(_crop(pixels, box)) if sideways else _crop(pixels, box) for box in longest]
        flipped = self._are_upside_down([crop for crop in crops if _votes(crop)])
        return (90 if sideways else 0) + (180 if flipped else 0)

    def _are_upside_down(self, crops: Sequence[Pixels]) -> bool:
        """The median of the crops' answers; no more are asked than it takes to know it."""
        votes: list[float] = []
        for crop in crops:
            votes.append(float(np.mean([self._upside_down(window) for window in _windows(crop)])))
            against = sum(vote > _TURNED for vote in votes)
            if 2 * max(against, len(votes) - against) > len(crops):
                break
        return bool(votes) and float(np.median(votes)) > _TURNED

    def _boxes(self, pixels: Pixels) -> Boxes:
        """The page's boxes; `orientation`, `find_lines` and `read` of one picture detect only once."""
        if self._seen is None or self._seen[0]() is not pixels:
            self._seen = (weakref.ref(pixels), self._find_boxes(pixels))
        return self._seen[1]

    def _find_boxes(self, pixels: Pixels) -> Boxes:
        height, width = pixels.shape[:2]
        if min(height, width) < _MIN_SIDE:
            return _no_boxes()
        if min(height, width) < 2 * _MARGIN:
            framed = cv2.copyMakeBorder(pixels, _MARGIN, _MARGIN, _MARGIN, _MARGIN, cv2.BORDER_REPLICATE)
            return _clip(self._find_boxes(_as_pixels(framed)) - _xy(_MARGIN, _MARGIN), width, height)
        return self._detect_at(pixels, self._scale(pixels))

    def _scale(self, pixels: Pixels) -> float:
        """How much of its size the detector needs: one look at the whole page, unless the print is small."""
        height, width = pixels.shape[:2]
        page = width * min(height, _MAX_PAGE_ASPECT * width)
        scale = min(1.0, math.sqrt(self._detection_pixels / page))
        if scale == 1.0 or not 0 < (letters := _letter_height(pixels)) * scale < _SMALL_LETTERS:
            return scale
        return min(1.0, _GOOD_LETTERS / letters)

    def _detect_at(self, pixels: Pixels, scale: float) -> Boxes:
        """Detect in strips of the page's width, each of at most `detection_pixels` after scaling."""
        height, width = pixels.shape[:2]
        strip_height = int(self._detection_pixels / (width * scale * scale)) + 1
        found = [
            _within(self._detect_strip(pixels[s.top : s.bottom], scale) + _xy(0, s.top), s)
            for s in _strips(height, strip_height, int(_SKEW * width))
        ]
        return _clip(np.concatenate(found), width, height)

    def _detect_strip(self, strip: Pixels, scale: float) -> Boxes:
        height, width = strip.shape[:2]
        seen_width, seen_height = _cells(width * scale), _cells(height * scale)
        smooth = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        seen = cv2.resize(strip, (seen_width, seen_height), interpolation=smooth)
        boxes = self._detect(_as_pixels(seen))
        return boxes * _xy(width / seen_width, height / seen_height)


def _strips(height: int, strip_height: int, overlap: int) -> Iterator[_Strip]:
    if strip_height >= 0.95 * height:
        yield _Strip(0, height, 0, height)
        return
    overlap = min(overlap, strip_height // 4)
    step = max(1, strip_height - 2 * overlap)
    for first in range(0, height, step):
        last = min(first + step, height)
        yield _Strip(max(0, first - overlap), min(height, last + overlap), first, last)


def _within(boxes: Boxes, strip: _Strip) -> Boxes:
    centres = boxes[:, :, 1].mean(axis=1)
    kept: Boxes = boxes[(centres >= strip.first) & (centres < strip.last)]
    return kept


def _clip(boxes: Boxes, width: int, height: int) -> Boxes:
    # Whole pixels: between them, the crop would be blurred.
    return np.clip(np.round(boxes), 0, _xy(width, height)).astype(np.float32)


def _xy(x: float, y: float) -> NDArray[np.float32]:
    return np.array([x, y], np.float32)


def _no_boxes() -> Boxes:
    return np.empty((0, 4, 2), np.float32)


def _cells(side: float) -> int:
    return max(1, round(side / _CELL)) * _CELL


def _sides(boxes: Boxes) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The width and height of each box along its own edges, in pixels."""
    edges = np.linalg.norm(boxes - np.roll(boxes, -1, axis=1), axis=2)
    return np.maximum(edges[:, 0], edges[:, 2]), np.maximum(edges[:, 1], edges[:, 3])


def _letter_height(pixels: Pixels) -> float:
    """Median height in pixels of the connected pieces of ink, weighted by ink so that specks do not count.

    0 where there is none. Pieces of the shape of rules, frames and pictures are left out.
    """
    rows = max(1, _INK_PIXELS // pixels.shape[1])
    found = [_letters(pixels[top : top + rows]) for top in range(0, pixels.shape[0], rows)]
    heights, areas = np.concatenate(found, axis=1)
    if not len(heights):
        return 0.0
    order = np.argsort(heights, kind="stable")
    inked = np.cumsum(areas[order])
    return float(heights[order][np.searchsorted(inked, inked[-1] / 2)])


def _letters(pixels: Pixels) -> NDArray[np.int64]:
    """Shape (2, n): height and ink, in pixels, of each connected piece that may be a letter."""
    gray = cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY)
    ink = cv2.adaptiveThreshold(gray, 255, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY_INV, 31, 15)
    # in three fifths of the time of OpenCV's own choice
    stats = cv2.connectedComponentsWithStatsWithAlgorithm(ink, 8, cv2.CV_32S, cv2.CCL_BBDT)[2]
    pieces = np.asarray(stats, np.int64)[1:]
    widths, heights, areas = pieces[:, 2], pieces[:, 3], pieces[:, 4]
    letters = (heights >= 4) & (heights <= 150) & (widths <= 4 * heights) & (heights <= 6 * widths)
    return np.stack([heights[letters], areas[letters]])


def _quad(box: NDArray[np.float32]) -> Quad:
    a, b, c, d = ((float(x), float(y)) for x, y in box)
    return a, b, c, d


def _crop(pixels: Pixels, box: NDArray[np.float32]) -> Pixels:
    """The box's content, its edges made straight; as it stands where they are straight already."""
    (left, top), (right, bottom) = box.min(axis=0).astype(int), box.max(axis=0).astype(int)
    upright = np.array([[left, top], [right, top], [right, bottom], [left, bottom]])
    if right > left and bottom > top and np.abs(box - upright).max() <= _STRAIGHT * (bottom - top):
        return pixels[top:bottom, left:right]
    widths, heights = _sides(box[np.newaxis])
    width, height = max(1, int(widths[0])), max(1, int(heights[0]))
    target = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    straighten = cv2.getPerspectiveTransform(box, target)
    return _as_pixels(
        cv2.warpPerspective(
            pixels, straighten, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
        )
    )


def line_crop(pixels: Pixels, box: NDArray[np.float32]) -> Pixels:
    """The crop as the recogniser wants it: lying (a tall box is turned), and no wider than it can take."""
    crop = _crop(pixels, box)
    if crop.shape[0] >= 1.5 * crop.shape[1]:
        crop = np.rot90(crop)
    height, width = crop.shape[:2]
    if width > _MAX_LINE_ASPECT * height:
        crop = _as_pixels(cv2.resize(crop, (int(_MAX_LINE_ASPECT * height), height)))
    return np.ascontiguousarray(crop)


def _votes(crop: Pixels) -> bool:
    """Whether the crop is large and long enough for the classifier to judge."""
    height, width = crop.shape[:2]
    return bool(height >= 6 and width >= 2 * height)


def _windows(crop: Pixels) -> list[Pixels]:
    """Up to three crops at most four times as wide as high: left, middle, right."""
    height, width = crop.shape[:2]
    spare = width - 4 * height
    offsets = [0] if spare <= 0 else [0, spare // 2, spare]
    return [np.ascontiguousarray(crop[:, x : x + 4 * height]) for x in offsets]


def _as_pixels(picture: object) -> Pixels:
    return np.asarray(picture, dtype=np.uint8)
