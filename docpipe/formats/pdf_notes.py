"""What a PDF holds beside its pages' content: attached files, comments, and the state of its form's boxes."""
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

from collections.abc import Iterator, Sequence

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
    for note in page.annots():
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
    return warnings[:_MOST_NOTES]


def box_states(page: pymupdf.Page, lines: Sequence[TextLine]) -> list[TextLine]:
    """A sign for each of the form's boxes and buttons that shows none of its own; boxes before the page is
    turned."""
    states = []
    for field in page.widgets(types=[_CHECK_BOX, _RADIO_BUTTON]):
        box: Box = tuple(field.rect * page.derotation_matrix)
        if any(_is_inside(line.box, box) for line in lines):
            continue
        state = page.parent.xref_get_key(field.xref, "AS")[1]
        signs = _EMPTY if state in {"null", "/Off"} else _TICKED
        states.append(TextLine(signs[field.field_type], box))
    return states


def _is_inside(inner: Box | None, outer: Box) -> bool:
    if inner is None:
        return False
    x, y = (inner[0] + inner[2]) / 2, (inner[1] + inner[3]) / 2
    return outer[0] <= x <= outer[2] and outer[1] <= y <= outer[3]
