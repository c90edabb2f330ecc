"""Excel workbooks (XLSX, XLSM): the cells of each sheet as they are shown."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lxml import etree

from docpipe.errors import CorruptDocumentError
from docpipe.formats.base import RawPage, Reader, TextReader
from docpipe.formats.marks import marked
from docpipe.formats.number_formats import BUILT_IN, shown_number
from docpipe.formats.ooxml import Package, attribute, local_name
from docpipe.formats.request import ReadRequest
from docpipe.formats.sheets import row_line, sheet_pages
from docpipe.models import Warn

_COLUMN = re.compile(r"[A-Z]{1,3}")
_MAX_COLUMNS = 16_384
_UNCOUNTED = (
    "The results of some formulas are not in {}: no program has worked them out yet. "
    "Open it in a spreadsheet program and save it."
)


def open_reader(request: ReadRequest) -> Reader:
    """Open a workbook: a page for each sheet, a line for each row, its cells parted by tabs.

    Hidden sheets, rows and columns are not read; the warnings say so, and name what else is not.

    Raises:
        CorruptDocumentError, EncryptedDocumentError, ExpansionLimitError, TooManyPartsError: as
            `docpipe.formats.ooxml.Package`.
    """
    package = Package(request)
    try:
        book = _Workbook(package, request.name)
        pages = list(sheet_pages(book.sheets(), request.limits.max_page_characters))
    finally:
        package.close()
    return TextReader(request.file_type, pages or [RawPage(None, None)], {}, book.warnings)


class _Workbook:
    def __init__(self, package: Package, name: str) -> None:
        self.warnings: list[Warn] = []
        self._package = package
        self._name = name
        links = package.relationships("").values()
        self._main = next((link.target for link in links if link.kind == "officeDocument"), "xl/workbook.xml")
        self._links = package.relationships(self._main)
        self._strings = [_string(item) for item in self._items("sharedStrings", "si")]
        self._formats = self._number_formats()
        settings = next(self._package.xml(self._main).iter("{*}workbookPr"), None)
        self._from_1904 = settings is not None and settings.get("date1904") in {"1", "true"}

    def sheets(self) -> Iterator[tuple[str, Iterator[str]]]:
        for sheet in self._package.xml(self._main).iter("{*}sheet"):
            name = sheet.get("name", "")
            if sheet.get("state", "visible") != "visible":
                self._warn("content_hidden", f"The hidden sheet {name} of {self._name} was not read.")
            elif link := self._links.get(attribute(sheet, "id")):
                yield name, self._sheet(link.target, name)

    def _sheet(self, part: str, name: str) -> Iterator[str]:
        try:
            root = self._package.xml(part)
        except CorruptDocumentError as error:
            self._warn("part_unreadable", error.message)
            return
        hidden = {
            column
            for span in root.iter("{*}col")
            if span.get("hidden") in {"1", "true"}
            for column in range(int(span.get("min", "1")), min(int(span.get("max", "1")), _MAX_COLUMNS) + 1)
        }
        unseen = bool(hidden)
        for row in root.iter("{*}row"):
            if row.get("hidden") in {"1", "true"}:
                unseen = True
            else:
                yield row_line(self._cells(row, hidden))
        if unseen:
            self._warn("content_hidden", f"Hidden rows or columns of the sheet {name} were not read.")
        yield from self._beside(part, name)

    def _cells(self, row: etree._Element, hidden: set[int]) -> Iterator[str]:
        """The cells up to the last one, an empty text for each that is not there."""
        place = 0
        for cell in row.iterchildren("{*}c"):
            column = _column(cell.get("r", "")) or place + 1
            for gap in range(place + 1, min(column, _MAX_COLUMNS)):
                if gap not in hidden:
                    yield ""
            place = max(place, column)
            if column not in hidden:
                yield self._shown(cell)

    def _shown(self, cell: etree._Element) -> str:
        kind, value = cell.get("t", "n"), cell.findtext("{*}v") or ""
        if not value and cell.find("{*}f") is not None and kind != "str":
            self._warn("content_unread", _UNCOUNTED.format(self._name))
        if kind == "inlineStr":
            return _string(cell)
        if kind == "s":
            return self._strings[int(value)] if value.isdigit() and int(value) < len(self._strings) else ""
        if kind == "b":
            return {"1": "TRUE", "0": "FALSE"}.get(value, value)
        style = cell.get("s", "0")
        code = self._formats[int(style)] if style.isdigit() and int(style) < len(self._formats) else ""
        return shown_number(value, code, self._from_1904) if kind == "n" else value

    def _beside(self, part: str, name: str) -> Iterator[str]:
        """Comments on cells; drawings are warned of."""
        for link in self._package.relationships(part).values():
            if link.kind in {"comments", "threadedComment"}:
                for comment in self._roots(link.target, "comment", "threadedComment"):
                    yield f"Comment on {comment.get('ref', '')}: {_string(comment)}"
            elif link.kind in {"drawing", "oleObject", "package", "image"}:
                self._warn("content_unread", f"A drawing or object on the sheet {name} was not read.")

    def _number_formats(self) -> list[str]:
        codes = dict(BUILT_IN)
        for item in self._items("styles", "numFmt"):
            codes[item.get("numFmtId", "")] = item.get("formatCode", "")
        return [
            codes.get(style.get("numFmtId", ""), "")
            for xfs in self._items("styles", "cellXfs")
            for style in xfs
        ]

    def _items(self, kind: str, name: str) -> list[etree._Element]:
        target = next((link.target for link in self._links.values() if link.kind == kind), None)
        return [] if target is None else list(self._roots(target, name))

    def _roots(self, part: str, *names: str) -> Iterator[etree._Element]:
        try:
            root = self._package.xml(part)
        except CorruptDocumentError as error:
            self._warn("part_unreadable", error.message)
            return
        yield from (item for item in root.iter("{*}*") if local_name(item) in names)

    def _warn(self, code: str, message: str) -> None:
        if all(warn.message != message for warn in self.warnings):
            self.warnings.append(Warn(code, message))


def _column(reference: str) -> int:
    """The number of a cell's column, from 1; zero where it is not told."""
    number = 0
    found = _COLUMN.match(reference)
    for letter in found[0] if found else "":
        number = number * 26 + ord(letter) - 64
    return number


def _string(item: etree._Element) -> str:
    """All text of a cell but the readings above East Asian words; raised and lowered marks set apart."""
    text = ""
    for part in item.iter("{*}t", "{*}text"):
        run = part.getparent()
        if run is None or local_name(run) == "rPh":
            continue
        place = run.find("{*}rPr/{*}vertAlign")
        kind = "" if place is None else place.get("val", "")
        own = part.text or ""
        text += marked(own, text, kind == "subscript") if kind in {"superscript", "subscript"} else own
    return text
