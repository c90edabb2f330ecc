"""From the coordinates of a picture as it was recognised to those of the page as it is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from docpipe.engines.ports import Quad, RecognisedLine
from docpipe.formats.word_places import Words, is_upright
from docpipe.models import Box

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_TALL = 1.5
"""Height by width: from here on a line's letters run down."""


class OnPage(NamedTuple):
    """A page's picture of `width` x `height` pixels, recognised after it was turned counter-clockwise."""

    degrees: int
    width: int
    height: int
    points_per_pixel: float

    def box(self, quad: Quad) -> Box:
        """The upright box around it, in points."""
        xs, ys = zip(*quad, strict=True)
        box = turned_box((min(xs), min(ys), max(xs), max(ys)), self.degrees, self.width, self.height)
        x0, y0, x1, y1 = (round(side * self.points_per_pixel, 2) for side in box)
        return x0, y0, x1, y1

    def letters(self, line: RecognisedLine) -> tuple[Box, Words, float]:
        """The box around its letters, where its words begin and end along it, in points, and its slope."""
        quad = _as_read(line.quad)
        words = line.words or (0.0, 1.0)
        top, bottom = line.body
        first, last = words[0], words[-1]
        corners = ((first, top), (last, top), (last, bottom), (first, bottom))
        a, b, c, d = (_point(quad, *corner) for corner in corners)
        box = self.box((a, b, c, d))
        axis = is_upright(box)
        middle = (top + bottom) / 2
        points = [turn_back(*_point(quad, x, middle), self.degrees, self.width, self.height) for x in words]
        places = tuple([round(point[axis] * self.points_per_pixel, 2) for point in points])
        return box, places, _slope(points[0], points[-1], axis)


def _slope(first: tuple[float, float], last: tuple[float, float], axis: bool) -> float:
    length = last[axis] - first[axis]
    return round((last[not axis] - first[not axis]) / length, 4) if abs(length) >= 1 else 0.0


def _as_read(quad: Quad) -> Quad:
    """The corners in the order of the text's, of a line that runs down too."""
    a, b, c, d = quad
    return (
        (b, c, d, a) if d[1] - a[1] >= _TALL * abs(b[0] - a[0]) and abs(b[1] - a[1]) < d[1] - a[1] else quad
    )


def _point(quad: Quad, x: float, y: float) -> tuple[float, float]:
    """Where the part `x` of the way along a line, and `y` of the way down its letters, is in the picture."""
    (ax, ay), (bx, by), (cx, cy), (dx, dy) = quad
    top_x, top_y = ax + x * (bx - ax), ay + x * (by - ay)
    foot_x, foot_y = dx + x * (cx - dx), dy + x * (cy - dy)
    return top_x + y * (foot_x - top_x), top_y + y * (foot_y - top_y)


def turn(pixels: NDArray[np.uint8], degrees: int) -> NDArray[np.uint8]:
    """The picture turned counter-clockwise by 0, 90, 180 or 270 degrees."""
    if degrees == 90:
        pixels = pixels.swapaxes(0, 1)[::-1]
    elif degrees == 180:
        pixels = pixels[::-1, ::-1]
    elif degrees == 270:
        pixels = pixels.swapaxes(0, 1)[:, ::-1]
    return pixels if degrees == 0 else pixels.copy(order="C")


def turn_back(x: float, y: float, degrees: int, width: float, height: float) -> tuple[float, float]:
    """Where a point of the turned picture lies in the picture as it was, `width` x `height` pixels."""
    if degrees == 90:
        return width - y, x
    if degrees == 180:
        return width - x, height - y
    if degrees == 270:
        return y, height - x
    return x, y


def turned_box(box: Box, degrees: int, width: float, height: float) -> Box:
    """`turn_back` of a box."""
    (x0, y0), (x1, y1) = (turn_back(x, y, degrees, width, height) for x, y in (box[:2], box[2:]))
    return min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)
