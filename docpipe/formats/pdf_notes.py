"""What a PDF holds beside its pages' content: attached files, comments, and the state of its form's boxes."""
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pymupdf

from docpipe.formats.base import TextLine
from docpipe.formats.clean import clean_line
from docpipe.models import Box, Warn

_CHECK_BOX, _RADIO_BUTTON = 2, 5
"""Types of form fields (PyMuPDF's `PDF_WIDGET_TYPE_...`)."""
_TICKED, _EMPTY = {_CHECK_BOX: "☑", _RADIO_BUTTON: "◉"}, {_CHECK_BOX: "☐", _RADIO_BUTTON: "○"}
_FILES = frozenset({"FileAttachment", "Sound", "Movie", "Screen", "RichMedia", "3D"})
_WRITTEN = frozenset({"FreeText", "Widget", "Link", "Popup", "Stamp"})
"""Annotations whose contents the page shows, or that have none."""
_MOST_NOTES = 20
_MOST_QUOTED = 200
_SQUARE, _MOST_SQUARES, _MOST_IN_SQUARE = 20.0, 5, 100
"""Points of a square's side; how many a form's box has each way; how many lines in one are looked at."""


def warnings_of_document(document: pymupdf.Document, name: str) -> Iterator[Warn]:
    """Of files attached to the whole, and of a form that is no PDF."""
    names = [str(document.embfile_info(number)["filename"]) for number in range(document.embfile_count())]
    count = len(names)
    root = document.pdf_catalog()
    if not count and document.xref_get_key(root, "AF")[0] == "array":
        count = document.xref_get_key(root, "AF")[1].count(" R")
    if count:
        named = f" ({', '.join(names[:_MOST_NOTES])[:_MOST_QUOTED]})" if names else ""
        message = f"{count} file(s) attached to {name} were not read{named}. Submit them on their own."
        yield Warn("attachments_not_read", clean_line(message))
    if document.xref_get_key(root, "AcroForm/XFA")[0] not in {"null", "xref"} or _has_xfa_stream(
        document, root
    ):
        fields = document.xref_get_key(root, "AcroForm/Fields")
        if fields[1].strip("[] ") in {"", "null"}:
            message = (
                f"{name} is an XFA form: its content is not in its pages and was not read. "
                "Open it in Adobe Acrobat and print it to a PDF."
            )
            yield Warn("xfa_not_read", message)


def _has_xfa_stream(document: pymupdf.Document, root: int) -> bool:
    kind, value = document.xref_get_key(root, "AcroForm/XFA")
    return bool(kind == "xref" and value != "null")


def warnings_of_page(page: pymupdf.Page) -> list[Warn]:
    """Of files attached to the page, and of its comments, each with its words."""
    if page.parent.xref_get_key(page.xref, "Annots")[0] == "null":
        return []
    warnings: list[Warn] = []
    for note in _notes(page):
        kind = note.type[1]
        content = " ".join(note.info.get("content", "").split())
        x, y = note.rect.x0, note.rect.y0
        if kind in _FILES:
            label = content or note.info.get("name") or kind
            message = f"A file attached at ({x:.0f}, {y:.0f}) was not read: {label[:_MOST_QUOTED]}."
            warnings.append(Warn("attachments_not_read", message, page.number + 1))
        elif content and kind not in _WRITTEN:
            author = note.info.get("title", "")
            said = f"{author}: " if author else ""
            message = f"A comment at ({x:.0f}, {y:.0f}) is not in the text: {said}“{content[:_MOST_QUOTED]}”."
            warnings.append(Warn("comment_not_read", message, page.number + 1))
        if len(warnings) == _MOST_NOTES:
            break
    return warnings


def _notes(page: pymupdf.Page) -> Iterator[pymupdf.Annot]:
    """One after the other: PyMuPDF's own iterator looks for each from the first on."""
    note = page.first_annot
    while note is not None:
        yield note
        note = note.next


def box_states(page: pymupdf.Page, lines: Sequence[TextLine]) -> list[TextLine]:
    """A sign for each of the form's boxes and buttons that shows none of its own; boxes before the page is
    turned."""
    states = []
    signs = _by_square(lines)
    for field in fields(page):
        box: Box = tuple(field.rect * page.derotation_matrix)
        if field.field_type not in _TICKED or any(_is_inside(sign, box) for sign in _near(box, signs)):
            continue
        state = page.parent.xref_get_key(field.xref, "AS")[1]
        shown = _EMPTY if state in {"null", "/Off"} else _TICKED
        states.append(TextLine(shown[field.field_type], box))
    return states


def fields(page: pymupdf.Page) -> Iterator[Any]:
    """The fields of the page's form, one after the other, as its notes."""
    field: Any = page.first_widget
    while field is not None:
        yield field
        field = field.next


def _by_square(lines: Sequence[TextLine]) -> dict[tuple[int, int], list[Box]]:
    """The boxes of the lines by the square their middle is in."""
    squares: dict[tuple[int, int], list[Box]] = {}
    for box in [line.box for line in lines if line.box is not None]:
        x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
        found = squares.setdefault((int(x // _SQUARE), int(y // _SQUARE)), [])
        if len(found) < _MOST_IN_SQUARE:
            found.append(box)
    return squares


def _near(box: Box, squares: Mapping[tuple[int, int], Sequence[Box]]) -> Iterator[Box]:
    """What stands in the squares that a form's box covers; of a large one in those at its left and top."""
    left, top, right, foot = (int(side // _SQUARE) for side in box)
    for across in range(left, min(right, left + _MOST_SQUARES) + 1):
        for down in range(top, min(foot, top + _MOST_SQUARES) + 1):
            yield from squares.get((across, down), ())


def _is_inside(inner: Box, outer: Box) -> bool:
    x, y = (inner[0] + inner[2]) / 2, (inner[1] + inner[3]) / 2
    return outer[0] <= x <= outer[2] and outer[1] <= y <= outer[3]
