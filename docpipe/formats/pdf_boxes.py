"""Boxes of a form that are drawn on a PDF's page, and no fields of it: ticked or empty."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, pairwise
from typing import NamedTuple

from docpipe.formats.base import TextLine
from docpipe.formats.pdf_layer import Block
from docpipe.formats.word_places import is_upright
from docpipe.models import Box

_SIDES = (6.0, 22.0)
"""Points: a smaller frame is a sign of print, a larger one a cell or a picture."""
_SQUARE = 1.25
_THIN = 2.0
_THICKEST = 0.13
"""Times the side: the corners of QR codes are thicker."""
_NEAR = 1.2
"""Points by which the ends of a frame's four lines, or an outline and its paper, may miss each other."""
_MARK = (0.3, 0.8)
"""Times the side: a mark is at least so large, and what fills a box up to here is no ground of its own."""
_LARGEST_MARK = 2.5
_EDGE = 0.2
"""Times the side: in the middle of a box is what is farther from its edge."""
_COMB, _COMB_GAP = 3, 0.6
"""So many boxes in a row, nearer than this by their side, hold a letter each."""
_MOST = 300
"""Boxes of one page; what has more is a drawing."""


class Drawn(NamedTuple):
    """A path that was stroked or filled."""

    box: Box
    is_stroked: bool
    is_rect: bool
    is_pale: bool

    @property
    def width(self) -> float:
        return self.box[2] - self.box[0]

    @property
    def height(self) -> float:
        return self.box[3] - self.box[1]

    @property
    def is_square(self) -> bool:
        least, most = sorted((self.width, self.height))
        return _SIDES[0] <= least and most <= min(_SIDES[1], _SQUARE * least)


def drawn(block: Block) -> Drawn | None:
    """The block's path, where it may be of a form's box."""
    x0, y0, x1, y1 = block["bbox"]
    if x1 - x0 > 2 * _SIDES[1] or y1 - y0 > 2 * _SIDES[1] or block["alpha"] < 255:
        return None
    return Drawn((x0, y0, x1, y1), block["stroked"], block["isrect"], block["color"] & 0xE0E0E0 == 0xE0E0E0)


def drawn_boxes(paths: Sequence[Drawn], lines: Sequence[TextLine]) -> list[TextLine]:
    """A sign for each box and button that stands beside text and has no sign or letter in it already."""
    inked = [path for path in paths if not path.is_pale]
    small = [path for path in inked if path.is_square]
    if not small and sum(path.width < _SIDES[1] for path in inked) < 4:
        return []
    frames = _once([*_outlined(small), *_of_lines(inked), *_of_two_areas(paths), *_on_paper(paths)])
    signs = [
        (frame, "☑" if _is_marked(frame, inked) else "☐") for frame in frames if not _is_filled(frame, inked)
    ]
    signs = [(frame, sign) for frame, sign in signs if not _is_of_comb(frame, frames)]
    signs += _buttons(inked, frames)
    found = [
        TextLine(sign, box)
        for box, sign in signs
        if any(_is_beside(line, box) for line in lines) and not any(_is_in(line, box) for line in lines)
    ]
    return found if len(found) <= _MOST else []


# --- frames -----------------------------------------------------------------------------------------


def _outlined(small: Iterable[Drawn]) -> Iterator[Box]:
    return (path.box for path in small if path.is_stroked and path.is_rect)


def _of_lines(inked: Sequence[Drawn]) -> Iterator[Box]:
    """Squares of four thin lines."""
    across = [path.box for path in inked if path.height <= _THIN and _SIDES[0] <= path.width <= _SIDES[1]]
    down = [path.box for path in inked if path.width <= _THIN and _SIDES[0] <= path.height <= _SIDES[1]]
    if len(across) > 4 * _MOST or len(down) > 4 * _MOST:
        return
    for top in across:
        sides = [(top[0], top[1]), (top[2] - _THIN / 2, top[1])]
        if not all(any(_starts_near(line, x, y) for line in down) for x, y in sides):
            continue
        for foot in across:
            frame = (top[0], top[1], foot[2], foot[3])
            if Drawn(frame, True, True, False).is_square and _ends_alike(top, foot):
                yield frame


def _ends_alike(a: Box, b: Box) -> bool:
    return abs(a[0] - b[0]) <= _NEAR and abs(a[2] - b[2]) <= _NEAR


def _starts_near(line: Box, x: float, y: float) -> bool:
    return abs(line[0] - x) <= _NEAR and abs(line[1] - y) <= _NEAR


def _of_two_areas(paths: Sequence[Drawn]) -> Iterator[Box]:
    """Dark squares under a pale one that leaves a thin edge of them."""
    for below, above in pairwise(paths):
        if below.is_square and not below.is_stroked and not below.is_pale and above.is_pale:
            edge = (below.width - above.width) / 2
            if 0 < edge < _THICKEST * below.width and _holds(below.box, above.box):
                yield below.box


def _on_paper(paths: Sequence[Drawn]) -> Iterator[Box]:
    """Outlines with round corners, drawn right on paper of their size, as browsers print what nobody ticked;
    none in a row or column with a button that has a dot."""
    found = list(islice(_outlined_papers(paths), _MOST + 1))
    if len(found) > _MOST:
        return iter(())
    dots = [path.box for path in paths if not (path.is_rect or path.is_stroked or path.is_pale)]
    dotted = [box for box in found if any(_is_dot(dot, box) for dot in dots)]
    return (box for box in found if not any(_are_in_line(box, other) for other in dotted))


def _outlined_papers(paths: Sequence[Drawn]) -> Iterator[Box]:
    for below, above in pairwise(paths):
        is_outline = above.is_square and above.is_stroked and not above.is_rect and not above.is_pale
        is_paper = below.is_pale and not below.is_stroked and not below.is_rect
        if (
            is_outline
            and is_paper
            and all(abs(a - b) <= _NEAR for a, b in zip(below.box, above.box, strict=True))
        ):
            yield above.box


def _are_in_line(box: Box, other: Box) -> bool:
    return abs(box[0] - other[0]) <= _NEAR or abs(box[1] - other[1]) <= _NEAR


def _once(frames: Iterable[Box]) -> list[Box]:
    once: list[Box] = []
    for frame in frames:
        if not any(_holds(other, frame) or _holds(frame, other) for other in once):
            once.append(frame)
        if len(once) > _MOST:
            return []
    return once


def _is_of_comb(box: Box, frames: Sequence[Box]) -> bool:
    side = box[3] - box[1]
    row = sorted(other for other in frames if abs(other[1] - box[1]) < 0.3 * side)
    run = [row[0]]
    for before, after in pairwise(row):
        if after[0] - before[2] > _COMB_GAP * side:
            if box in run:
                break
            run = []
        run.append(after)
    return box in run and len(run) >= _COMB


# --- what is in them -----------------------------------------------------------------------------


def _is_marked(frame: Box, inked: Sequence[Drawn]) -> bool:
    """Whether something was drawn in it, or over it, that is no frame."""
    x0, y0, x1, y1 = frame
    side = x1 - x0
    core = (x0 + _EDGE * side, y0 + _EDGE * side, x1 - _EDGE * side, y1 - _EDGE * side)
    return any(
        _holds(core, path.box)
        and _MARK[0] * side <= max(path.width, path.height) <= _LARGEST_MARK * side
        and not _is_frame(path, frame)
        for path in inked
    )


def _is_frame(path: Drawn, frame: Box) -> bool:
    """Whether it is the frame, or another one in it."""
    if path.is_stroked and path.box == frame:
        return True
    return path.is_rect and (_fills(path, frame) or (path.is_stroked and path.height > _THIN < path.width))


def _is_filled(frame: Box, inked: Sequence[Drawn]) -> bool:
    """Whether it is a sample of a colour, as in a legend."""
    return any(
        not path.is_stroked and path.is_rect and _fills(path, frame) and _holds(frame, path.box)
        for path in inked
        if path.box != frame
    )


def _fills(path: Drawn, frame: Box) -> bool:
    return path.width > _MARK[1] * (frame[2] - frame[0])


def _buttons(inked: Sequence[Drawn], frames: Sequence[Box]) -> list[tuple[Box, str]]:
    """Round buttons of one size, where at least one has a dot in it; others may be anything."""
    outlines = (path for path in inked if path.is_square and path.is_stroked and not path.is_rect)
    rounds = [path for path in outlines if not any(_holds(frame, path.box) for frame in frames)]
    if len(rounds) > _MOST:
        return []
    dots = [path.box for path in inked if not path.is_rect and not path.is_stroked]
    dotted = [path for path in rounds if any(_is_dot(dot, path.box) for dot in dots)]
    sizes = {round(path.width) for path in dotted}
    alike = [path for path in rounds if round(path.width) in sizes]
    return [(path.box, "◉" if path in dotted else "○") for path in alike]


def _is_dot(dot: Box, button: Box) -> bool:
    return _holds(button, dot) and dot[2] - dot[0] < _MARK[1] * (button[2] - button[0])


def _holds(outer: Box, inner: Box) -> bool:
    """Whether the middle of the one is in the other."""
    x, y = (inner[0] + inner[2]) / 2, (inner[1] + inner[3]) / 2
    return outer[0] <= x <= outer[2] and outer[1] <= y <= outer[3]


def _is_beside(line: TextLine, box: Box) -> bool:
    if line.box is None:
        return False
    axis = int(not _runs_down(line))
    return line.box[axis] < (box[axis] + box[axis + 2]) / 2 < line.box[axis + 2]


def _is_in(line: TextLine, box: Box) -> bool:
    """Whether one of the line's words stands in the box."""
    if line.box is None or not _is_beside(line, box):
        return False
    axis = int(_runs_down(line))
    middle = (box[axis] + box[axis + 2]) / 2
    words = line.words or (line.box[axis], line.box[axis + 2])
    return any(start < middle < end for start, end in zip(words[::2], words[1::2], strict=True))


def _runs_down(line: TextLine) -> bool:
    return line.box is not None and len(line.text) > 2 and is_upright(line.box)
