"""From the detector's likelihoods to the boxes of text (DB: Liao et al., 2020).

RapidOCR finds the same boxes, but its module brings half a second of imports.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pyclipper  # type: ignore[import-untyped]
from numpy.typing import NDArray

from docpipe.engines.ocr.detect_and_read import Boxes

Likely = NDArray[np.float32]
"""How likely each pixel is text: rows x columns."""
_Corners = NDArray[np.float32]
"""Of a box: 4 x 2."""

_TEXT = 0.3
"""A pixel more likely than this is text."""
_BOX = 0.5
"""The pixels of a box are text with this mean likelihood at least."""
_GROWTH = 1.6
"""The detector sees a line's core: the box is larger on each side by so much of area by circumference."""
_LEAST_CORE, _LEAST_BOX = 3.0, 5.0
"""Pixels; what is thinner is no line."""
_MOST = 5_000
"""So many cores are looked at; noise has more."""
_BRUSH = np.ones((2, 2), np.uint8)


def boxes_in(likely: Likely) -> Boxes:
    """The boxes of text."""
    cores = cv2.dilate((likely > _TEXT).astype(np.uint8), _BRUSH)
    contours, _ = cv2.findContours(cores, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    found = [box for contour in contours[:_MOST] if (box := _box(contour, likely)) is not None]
    height, width = likely.shape
    boxes = np.array(found, np.float32).reshape(-1, 4, 2).clip(0, (width - 1, height - 1))
    sides = np.linalg.norm(boxes[:, [1, 3]] - boxes[:, [0]], axis=2)
    return np.asarray(boxes[(sides >= _LEAST_BOX - 1).all(axis=1)], np.float32)


def _box(contour: Any, likely: Likely) -> _Corners | None:
    """The box around a core; None where it is no line."""
    core, thickness = _around(contour)
    if thickness < _LEAST_CORE or _mean(likely, core) < _BOX:
        return None
    box, thickness = _around(_grown(core))
    return None if thickness < _LEAST_BOX else box.round()


def _around(points: Any) -> tuple[_Corners, float]:
    """The smallest box around the points, clockwise from the top left, and its shorter side."""
    smallest = cv2.minAreaRect(points)
    by_x = sorted(cv2.boxPoints(smallest), key=lambda point: float(point[0]))
    (top_left, low_left), (top_right, low_right) = (
        sorted(side, key=lambda point: float(point[1])) for side in (by_x[:2], by_x[2:])
    )
    return np.array([top_left, top_right, low_right, low_left], np.float32), min(smallest[1])


def _mean(likely: Likely, core: _Corners) -> float:
    """How likely the pixels in the core are text."""
    height, width = likely.shape
    left, top = np.floor(core.min(axis=0)).astype(int).clip(0, (width - 1, height - 1))
    right, bottom = np.ceil(core.max(axis=0)).astype(int).clip(0, (width - 1, height - 1))
    inside = np.zeros((bottom - top + 1, right - left + 1), np.uint8)
    cv2.fillPoly(inside, [(core - (left, top)).astype(np.int32)], 1)
    return cv2.mean(likely[top : bottom + 1, left : right + 1], inside)[0]


def _grown(core: _Corners) -> NDArray[np.int32]:
    around = np.roll(core, -1, axis=0)
    # as doubles: rounded otherwise, a side can fall on another pixel
    area = abs(float(np.sum(core[:, 0] * around[:, 1] - core[:, 1] * around[:, 0], dtype=np.float64))) / 2
    offset = pyclipper.PyclipperOffset()
    offset.AddPath(core, pyclipper.JT_ROUND, pyclipper.ET_CLOSEDPOLYGON)
    grown = offset.Execute(area * _GROWTH / cv2.arcLength(core, closed=True))
    return np.array(grown, np.int32).reshape(-1, 2)
