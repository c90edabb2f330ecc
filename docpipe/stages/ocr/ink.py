"""Ink that was not read: what a recognised page shows outside the lines that were found on it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

import cv2
import numpy as np
from numpy.typing import NDArray

from docpipe.models import Box

_STEP = 2
"""Every second pixel is looked at: strokes of print are wider."""
_CONTRAST = 70
"""Grey levels of 256 by which ink differs from the paper."""
_CELLS = 3.0
"""Cells to the height of a line."""
_RULE = 2.5
_REACH = 0.35
_WIDEST, _LOWEST, _HIGHEST = 2.5, 0.5, 12.0
"""Times the height of a line: straight runs of ink that long are ruling; so far beyond its box a line's ink
may reach; and what may be writing is at least so wide, and so high."""
_LEAST_INK, _MOST_INK = 0.06, 0.5
"""Part of its cells that is ink: less is dust and hatching, more a picture, a bar or a hole."""
_THICKNESS = 1.7
"""Cells above each other, in the mean, of what is wide and low: less is a line that was drawn."""
_EVEN, _BARS, _BARCODE = 0.08, 10, 0.8
"""Part of a column of pixels that may differ from the rest of it, how many bars a barcode has at least, and
what part of its columns are bars or gaps: of print, three fifths at most."""
_MOST = 12
_Mask = NDArray[np.bool_]


def unread_ink(pixels: NDArray[np.uint8], boxes: Sequence[Box]) -> list[Box]:
    """Boxes in pixels around what looks like writing outside `boxes`, those of the lines that were read.

    Ruling, pictures, dust and what touches the picture's edge are none. Nothing is found on a page without
    lines: how large its print is, is not known then.
    """
    if not boxes:
        return []
    unit = float(np.median([y1 - y0 for _, y0, _, y1 in boxes])) / _STEP
    cell = round(unit / _CELLS)
    if cell < 2:
        return []
    ink = _without_lines(_without_ruling(_ink(pixels[::_STEP, ::_STEP]), round(_RULE * unit)), boxes, unit)
    shares = _shares(ink, cell)
    found = []
    for cells in _groups(shares > _LEAST_INK):
        ys, xs = zip(*cells, strict=True)
        box = (min(xs), min(ys), max(xs) + 1, max(ys) + 1)
        if _may_be_writing(box, cells, shares) and not _is_barcode(ink, box, cell):
            x0, y0, x1, y1 = (float(side * cell * _STEP) for side in box)
            found.append((x0, y0, x1, y1))
    return found if len(found) <= _MOST else []


def _ink(pixels: NDArray[np.uint8]) -> _Mask:
    grey = np.ascontiguousarray(pixels[:, :, 0])
    for channel in (1, 2):  # a twentieth of the time of `min` over the last axis
        np.minimum(grey, pixels[:, :, channel], out=grey)
    paper = int(np.median(grey))
    found: _Mask = (grey < paper - _CONTRAST) | (grey > paper + _CONTRAST)
    return found


def _without_ruling(ink: _Mask, length: int) -> _Mask:
    """The ink that stands in no straight run, across or down, of so many pixels."""
    drawn = ink.astype(np.uint8)
    return ink & ~_runs(drawn, np.ones((1, length), np.uint8)) & ~_runs(drawn, np.ones((length, 1), np.uint8))


def _runs(ink: NDArray[np.uint8], run: NDArray[np.uint8]) -> _Mask:
    """The ink that stands in runs of that shape, which begin inside the picture and end there."""
    starts = cv2.erode(ink, run, anchor=(0, 0), borderType=cv2.BORDER_CONSTANT, borderValue=0)
    end = (run.shape[1] - 1, run.shape[0] - 1)
    return np.asarray(cv2.dilate(starts, run, anchor=end), np.bool_)


def _without_lines(ink: _Mask, boxes: Sequence[Box], unit: float) -> _Mask:
    left = ink.copy()
    for box in boxes:
        x0, y0, x1, y1 = (side / _STEP for side in box)
        rows = slice(max(0, int(y0 - _REACH * unit)), max(0, int(y1 + _REACH * unit) + 1))
        left[rows, max(0, int(x0 - unit)) : max(0, int(x1 + unit) + 1)] = False
    return left


def _shares(ink: _Mask, cell: int) -> NDArray[np.float64]:
    """Part of each cell that is ink."""
    rows, columns = ink.shape[0] // cell, ink.shape[1] // cell
    cells = ink[: rows * cell, : columns * cell].reshape(rows, cell, columns, cell)
    shares: NDArray[np.float64] = cells.mean(axis=(1, 3))
    return shares


def _groups(cells: _Mask) -> Iterator[list[tuple[int, int]]]:
    """Cells that touch; those of one line touch across the gap between two words."""
    left = {(int(y), int(x)) for y, x in np.argwhere(cells)}
    near = [(dy, dx) for dy, dx in product((-1, 0, 1), (-3, -2, -1, 0, 1, 2, 3)) if dy or dx]
    while left:
        group = [left.pop()]
        for y, x in group:
            touching = [(y + dy, x + dx) for dy, dx in near if (y + dy, x + dx) in left]
            left.difference_update(touching)
            group += touching
        yield group


def _may_be_writing(
    box: tuple[int, int, int, int], cells: Sequence[tuple[int, int]], shares: NDArray[np.float64]
) -> bool:
    x0, y0, x1, y1 = box
    rows, columns = shares.shape
    if x0 <= 0 or y0 <= 0 or x1 >= columns or y1 >= rows:
        return False
    width, height = (x1 - x0) / _CELLS, (y1 - y0) / _CELLS
    if width < _WIDEST or not _LOWEST <= height <= _HIGHEST or height > width * 2:
        return False
    if width > 2 * height and len(cells) < _THICKNESS * (x1 - x0):
        return False  # ruling on a page that lies crooked
    inked = [float(shares[cell]) for cell in cells]
    return len(cells) >= 0.2 * (x1 - x0) * (y1 - y0) and sum(inked) / len(inked) <= _MOST_INK


def _is_barcode(ink: _Mask, box: tuple[int, int, int, int], cell: int) -> bool:
    """Whether it is bars and gaps: each column of pixels is ink or paper from head to foot."""
    x0, y0, x1, y1 = (side * cell for side in box)
    inside = ink[y0:y1, x0:x1]
    rows = np.flatnonzero(inside.any(axis=1))
    shares = inside[rows[0] : rows[-1] + 1].mean(axis=0)
    is_bar, is_gap = shares > 1 - _EVEN, shares < _EVEN
    bars = int(np.count_nonzero(is_bar[1:] & ~is_bar[:-1]))
    return bars >= _BARS and float((is_bar | is_gap).mean()) > _BARCODE
