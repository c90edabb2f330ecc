"""The little squares of forms on a page's picture, ticked or empty: recognisers take them for letters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from docpipe.engines.ports import Quad

_SIDES = (7.0, 22.0)
"""Points: a smaller frame is a sign of print, a larger one a cell or a picture."""
_STRAIGHT = 0.6
"""Times the least side: so long are straight strokes that may be a frame's; those of a cross are slanted."""
_SQUARE = 1.25
_MOSTLY = 0.8
_FRAME = 0.95
"""Part of each side of a frame that is drawn: of one that a tick may reach over, and without a gap."""
_THICKEST = 0.13
"""Times the side: the corners of QR codes are thicker."""
_MARGIN = 0.2
"""Times the side: what is so near to the frame does not tell whether the box is ticked."""
_BEYOND = 0.5
"""Part of a side beside which a tick may stand that reaches over it: more is the bow of a `D`."""
_TICK = 0.05
"""Part of a box that a tick's ink covers, at least."""
_COMB, _COMB_GAP = 3, 0.6
"""So many boxes in a row, nearer than this by their side, hold a letter each."""
_Mask = NDArray[np.uint8]


class TickBox(NamedTuple):
    """One box, in pixels."""

    x0: int
    y0: int
    x1: int
    y1: int
    is_ticked: bool

    @property
    def quad(self) -> Quad:
        return (self.x0, self.y0), (self.x1, self.y0), (self.x1, self.y1), (self.x0, self.y1)

    @property
    def side(self) -> int:
        return self.y1 - self.y0


def tick_boxes(pixels: NDArray[np.uint8], points_per_pixel: float) -> list[TickBox]:
    """The boxes in a picture that stands upright, from top to bottom; those of comb fields are none."""
    least, most = (side / points_per_pixel for side in _SIDES)
    length = round(_STRAIGHT * least)
    if length < 4:
        return []
    grey = cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY)
    ink = np.asarray(cv2.threshold(grey, 0, 1, cv2.THRESH_BINARY_INV | cv2.THRESH_OTSU)[1], np.uint8)
    across, down = _straight(ink, 1, length), _straight(ink, length, 1)
    parts = [
        (slice(y, y + height), slice(x, x + width))
        for x, y, width, height in sorted(_pieces(across | down), key=lambda piece: (piece[1], piece[0]))
        if min(width, height) >= least and max(width, height) <= most
    ]
    found = [
        box for part in parts if (box := _box(ink, across[part], down[part], part)) and box.side >= least
    ]
    return [box for box in found if not _is_of_comb(box, found)]


def painted_over(pixels: NDArray[np.uint8], boxes: Sequence[TickBox]) -> NDArray[np.uint8]:
    """The picture without these boxes, in the colour of its paper; the same one where there are none."""
    if not boxes:
        return pixels
    clean = pixels.copy()
    paper = np.median(pixels[::8, ::8].reshape(-1, 3), axis=0).astype(np.uint8)
    for x0, y0, x1, y1, _ in boxes:
        clean[max(0, y0 - 1) : y1 + 1, max(0, x0 - 1) : x1 + 1] = paper
    return clean


def _straight(ink: _Mask, height: int, width: int) -> _Mask:
    """The ink that stands in strokes of at least this size."""
    return np.asarray(cv2.morphologyEx(ink, cv2.MORPH_OPEN, np.ones((height, width), np.uint8)), np.uint8)


def _pieces(ink: _Mask) -> Iterator[Sequence[int]]:
    """Left, top, width and height of each connected piece, by its outline: labels for all pixels take ten
    times as long."""
    outlines, inside = cv2.findContours(ink, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    for outline, (*_, around) in zip(outlines, inside[0] if outlines else (), strict=True):
        if around < 0:  # no hole
            yield cv2.boundingRect(outline)


def _box(ink: _Mask, across: _Mask, down: _Mask, part: tuple[slice, slice]) -> TickBox | None:
    """The box in a part of the picture, without the ends of a tick that reach beyond its frame."""
    rows = np.flatnonzero(across.mean(axis=1) >= _MOSTLY)
    columns = np.flatnonzero(down.mean(axis=0) >= _MOSTLY)
    if not len(rows) or not len(columns):
        return None
    top, bottom, left, right = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
    inside, around = ink[part][top:bottom, left:right], ink[part].copy()
    margin = max(2, round(_MARGIN * min(inside.shape)))
    if max(inside.shape) > _SQUARE * min(inside.shape) or min(inside.shape) <= 3 * margin:
        return None
    around[max(0, top - 1) : bottom + 1, max(0, left - 1) : right + 1] = 0  # a frame that slopes by a pixel
    if max(around.any(axis=0).mean(), around.any(axis=1).mean()) > _BEYOND or not _is_framed(inside):
        return None
    is_ticked = float(inside[margin:-margin, margin:-margin].mean()) > _TICK
    y, x = part[0].start, part[1].start
    return TickBox(x + left, y + top, x + right, y + bottom, is_ticked)


def _is_framed(square: _Mask) -> bool:
    """Whether a thin straight line, or one that slopes by a pixel, runs along each of its sides."""
    thickest = max(2, round(_THICKEST * min(square.shape)))
    return all(
        _is_line(side[: 2 * thickest], thickest) for side in (square, square[::-1], square.T, square.T[::-1])
    )


def _is_line(edge: _Mask, thickest: int) -> bool:
    line = np.ascontiguousarray((edge[:-1] | edge[1:])[:2])
    whole = cv2.morphologyEx(line, cv2.MORPH_CLOSE, np.ones((1, 3), np.uint8))  # a pixel may be missing
    run = np.ones((1, int(_FRAME * edge.shape[1])), np.uint8)
    lasts = cv2.erode(whole, run, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    thickness = np.minimum.accumulate(edge[1:]).sum(axis=0)  # of what begins at the edge, or a pixel inside
    return bool(lasts.any() and np.median(thickness) < thickest)


def _is_of_comb(box: TickBox, boxes: Sequence[TickBox]) -> bool:
    row = sorted(
        b for b in boxes if abs(b.y0 - box.y0) < 0.3 * box.side and abs(b.side - box.side) < 0.3 * box.side
    )
    run = [row[0]]
    for before, after in pairwise(row):
        if after.x0 - before.x1 > _COMB_GAP * box.side:
            if box in run:
                break
            run = []
        run.append(after)
    return box in run and len(run) >= _COMB
