"""How many lines of text a picture on a page seems to show: whether it is worth recognising."""

from __future__ import annotations

from itertools import groupby

import numpy as np
from numpy.typing import NDArray

DPI = 100
"""For pictures that are given here."""
_CONTRAST = 60
"""Grey levels of 256 by which ink differs from the paper."""
_HEIGHTS = (4, 40)
"""Pixels of a line of print of 4 to 30 points."""
_STROKES = 16
"""Strokes along a line: eight letters have about so many."""
_MOST_INK = 0.6


def lines_of_text(grey: NDArray[np.uint8]) -> int:
    """Rows of ink, with paper above and below, that are as high as print and as varied as letters."""
    if min(grey.shape) < _HEIGHTS[0]:
        return 0
    ink = np.abs(grey.astype(np.int16) - int(np.median(grey))) > _CONTRAST
    strokes = np.count_nonzero(ink[:, 1:] & ~ink[:, :-1], axis=1)
    shares = ink.mean(axis=1)
    is_written = (strokes > 2) & (shares < _MOST_INK)
    lines, row = 0, 0
    for written, rows in groupby(is_written.tolist()):
        height = sum(1 for _ in rows)
        if written and _HEIGHTS[0] <= height <= _HEIGHTS[1] and strokes[row : row + height].max() >= _STROKES:
            lines += 1
        row += height
    return lines
