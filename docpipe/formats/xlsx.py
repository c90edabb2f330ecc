"""Excel workbooks (XLSX, XLSM): the cells of each sheet as they are shown."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import accumulate

from lxml import etree

from docpipe.errors import CorruptDocumentError
from docpipe.formats.base import RawPage, Reader, TextReader
from docpipe.formats.marks import marked
from docpipe.formats.number_formats import BUILT_IN, shown_number
from docpipe.formats.ooxml import Package, attribute, local_name
from docpipe.formats.request import ReadRequest
from docpipe.formats.sheets import MAX_COLUMNS, EmptyCells, row_line, sheet_pages
from docpipe.models import Warn

_COLUMN = re.compile(r"[A-Z]{1,3}")
_NUMBER = re.compile(r"[0-9]{1,9}")
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
    return TextReader(request.file_type, pages or [RawPage(None, None)], {}, book.warnings())


class _Workbook:
    def __init__(self, package: Package, name: str) -> None:
        self._warnings: list[Warn] = []
        self._package = package
        self._name = name
        links = package.relationships("").values()
        self._main = next((link.target for link in links if link.kind == "officeDocument"), "xl/workbook.xml")
        self._links = package.relationships(self._main)
        self._warned: set[str] = set()
        self._empty = EmptyCells(name)
        self._strings = [_string(item) for item in self._items("sharedStrings", "si")]
        self._formats = self._number_formats()
        settings = next(self._package.xml(self._main).iter("{*}workbookPr"), None)
        self._from_1904 = settings is not None and settings.get("date1904") in {"1", "true"}

    def warnings(self) -> list[Warn]:
        return [*self._warnings, *self._empty.warnings]

    def sheets(self) -> Iterator[tuple[str, Iterator[str]]]:
        read: set[str] = set()
        for sheet in self._package.xml(self._main).iter("{*}sheet"):
            name = sheet.get("name", "")
            if sheet.get("state", "visible") != "visible":
                self._warn("content_hidden", f"The hidden sheet {name} of {self._name} was not read.")
            elif (link := self._links.get(attribute(sheet, "id"))) and link.target not in read:
                read.add(link.target)
                yield name, self._sheet(link.target, name)

    def _sheet(self, part: str, name: str) -> Iterator[str]:
        try:
            root = self._package.xml(part)
        except CorruptDocumentError as error:
            self._warn("part_unreadable", error.message)
            return
        hidden = _hidden_columns(root)
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
            last = min(column, MAX_COLUMNS)
            for gap in range(last - self._empty.written(max(0, last - place - 1)), last):
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
            return _at(self._strings, value)
        if kind == "b":
            return {"1": "TRUE", "0": "FALSE"}.get(value, value)
        if kind != "n":
            return value
        return shown_number(value, _at(self._formats, cell.get("s", "0")), self._from_1904)

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
        if message not in self._warned:
            self._warned.add(message)
            self._warnings.append(Warn(code, message))


def _at(values: list[str], number: str) -> str:
    """The value of this number in a list; empty where there is none."""
    return values[int(number)] if _NUMBER.fullmatch(number) and int(number) < len(values) else ""


def _hidden_columns(sheet: etree._Element) -> set[int]:
    """Each span of columns is counted by its two ends, however wide it is and however many there are."""
    ends: Counter[int] = Counter()
    for span in sheet.iter("{*}col"):
        first, last = span.get("min", "1"), span.get("max", "1")
        is_hidden = span.get("hidden") in {"1", "true"}
        if is_hidden and _NUMBER.fullmatch(first) and _NUMBER.fullmatch(last) and int(first) <= int(last):
            ends[int(first)] += 1
            ends[int(last) + 1] -= 1
    within = accumulate(ends[column] for column in range(MAX_COLUMNS + 1))
    return {column for column, spans in enumerate(within) if spans > 0} if ends else set()


def _column(reference: str) -> int:
    """The number of a cell's column, from 1; zero where it is not told."""
    number = 0
    found = _COLUMN.match(reference)
    for letter in found[0] if found else "":
        number = number * 26 + ord(letter) - 64
    return number


def _string(item: etree._Element) -> str:
    """All text of a cell but the readings above East Asian words; raised and lowered marks set apart."""
    text, run, kind = "", None, ""
    for part in item.iter("{*}t", "{*}text"):
        before, run = run, part.getparent()
        if run is None or local_name(run) == "rPh":
            continue
        if run is not before:
            place = run.find("{*}rPr/{*}vertAlign")
            kind = "" if place is None else place.get("val", "")
        own = part.text or ""
        text += marked(own, text, kind == "subscript") if kind in {"superscript", "subscript"} else own
    return text
