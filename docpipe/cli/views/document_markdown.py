"""A document as Markdown: headings by the height of letters, lists, tables, paragraphs by gaps."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from docpipe.models import Document, Page, Role
from docpipe.stages.text.reading_text import reading_text

_TITLE, _HEADING = 1.6, 1.2
"""A line this many times as high as most is a title, or a heading."""
_WIDER, _WIDE = 1.1, 1.5
"""So must its letters be, and so wide that they are enough: capitals of a larger size."""
_LONGEST_HEADING = 120
_GAP = 0.7
"""Of a line's height: more space than that above a line begins a paragraph."""
_EARLY = 0.75
"""A line that ends before this part of the longest one's end is the last of its paragraph."""
_BULLET = re.compile(r"[•◦▪‣●○■·*–-]\s+")
_NUMBER = re.compile(r"(\d{1,3})[.)]\s+")
_CLAUSE = re.compile(r"\d{1,3}(\.\d{1,3})*\.?\s+[^\W\d_][^.;:,]{2,60}")
"""The heading of a clause: its number and a few words, without a full stop."""
_SPECIAL = re.compile(r"([\\`*_<\[\]])")


@dataclass(frozen=True, slots=True)
class _Row:
    """What stands beside each other on a page: one line, or the cells of a table's row."""

    cells: tuple[str, ...]
    top: float | None = None
    bottom: float | None = None
    right: float | None = None
    left: float | None = None

    @property
    def letter(self) -> float:
        """Width of a letter, which a page that lies askew leaves as it is; its lines' boxes are too high."""
        if self.left is None or self.right is None or len(self.cells) > 1:
            return 0.0
        return (self.right - self.left) / max(1, len(self.cells[0]))

    @property
    def height(self) -> float:
        return self.bottom - self.top if self.top is not None and self.bottom is not None else 0.0


def to_markdown(document: Document) -> str:
    """The text as Markdown, ending with a newline; running titles are left out."""
    pages = [list(_rows(document.text, page)) for page in document.pages]
    heights = [row.height for rows in pages for row in rows if row.height and len(row.cells) == 1]
    letters = [row.letter for rows in pages for row in rows if row.letter]
    usual = _Row(("x",), 0.0, median(heights), median(letters), 0.0) if letters and heights else None
    return "\n\n".join(block for rows in pages for block in _blocks(rows, usual)) + "\n"


def _rows(text: str, page: Page) -> Iterator[_Row]:
    """The rows of a page; an empty one where the text has a blank line."""
    position = page.start
    for told in text[page.start : page.end].split("\n"):
        end = position + len(told)
        lines = [line for line in page.lines if position <= line.start < max(end, position + 1)]
        boxes = [line.box for line in lines if line.box]
        cells = tuple(cell.strip() for cell in told.split("\t"))
        if not lines or any(line.role is Role.BODY for line in lines):
            top = min((box[1] for box in boxes), default=None)
            bottom, right = (max((box[side] for box in boxes), default=None) for side in (3, 2))
            yield _Row(cells, top, bottom, right, min((box[0] for box in boxes), default=None))
        position = end + 1


def _blocks(rows: Sequence[_Row], usual: _Row | None) -> Iterator[str]:
    paragraph: list[_Row] = []
    position, right = 0, max((row.right or 0.0 for row in rows), default=0.0)
    while position < len(rows):
        row = rows[position]
        table = _table(rows, position)
        mark = _heading(row, usual)
        if (
            len(table) > 1
            or mark
            or _is_item(row)
            or not any(row.cells)
            or (paragraph and _is_apart(paragraph[-1], row, right))
        ):
            yield from _paragraph(paragraph)
            paragraph = []
        if len(table) > 1:
            yield _as_table(table)
            position += len(table)
            continue
        if mark:
            yield f"{mark} {_escaped(' '.join(row.cells))}"
        elif any(row.cells):
            paragraph.append(row)
        position += 1
    yield from _paragraph(paragraph)


def _is_item(row: _Row) -> bool:
    return bool(_BULLET.match(row.cells[0]) or _NUMBER.match(row.cells[0]))


def _heading(row: _Row, usual: _Row | None) -> str:
    told = " ".join(row.cells)
    if usual is None or not told or len(row.cells) > 1 or len(told) > _LONGEST_HEADING:
        return ""
    higher, wider = row.height / usual.height, row.letter / usual.letter
    if wider >= _WIDE or (wider >= _WIDER and higher >= _TITLE):
        return "#"
    return "##" if wider >= _WIDER and higher >= _HEADING else ""


def _is_apart(above: _Row, row: _Row, right: float) -> bool:
    """Whether another paragraph begins: below a gap, in another column, or below a line that ends early."""
    if above.bottom is None or above.right is None or row.top is None:
        return False
    return above.right < _EARLY * right or not -row.height < row.top - above.bottom <= _GAP * row.height


def _table(rows: Sequence[_Row], position: int) -> Sequence[_Row]:
    """The rows from here on that have as many cells, if that is more than one."""
    columns = len(rows[position].cells)
    end = position
    while columns > 1 and end < len(rows) and len(rows[end].cells) == columns:
        end += 1
    return rows[position:end]


def _as_table(rows: Sequence[_Row]) -> str:
    head, *body = [_line(row.cells) for row in rows]
    return "\n".join([head, _line(["---"] * len(rows[0].cells)), *body])


def _line(cells: Iterable[str]) -> str:
    told = (cell if cell == "---" else _escaped(cell).replace("|", r"\|") for cell in cells)
    return f"| {' | '.join(told)} |"


def _paragraph(rows: Sequence[_Row]) -> Iterator[str]:
    """Its lines as one, words that were divided joined."""
    if not rows:
        return
    told = reading_text("\n".join(" ".join(row.cells) for row in rows)).text.replace("\n", " ").strip()
    if len(rows) == 1 and rows[0].right is not None and _CLAUSE.fullmatch(told):
        yield f"### {_escaped(told)}"
    elif bullet := _BULLET.match(told):
        yield f"- {_escaped(told[bullet.end() :])}"
    elif number := _NUMBER.match(told):
        yield f"{number[1]}. {_escaped(told[number.end() :])}"
    else:
        yield re.sub(r"^(#+|>|\+)", r"\\\1", _escaped(told))


def _escaped(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text)
