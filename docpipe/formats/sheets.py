"""Tables of other programs (XLS, XLSB) by calamine, and comma-separated ones (CSV, TSV)."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from io import BytesIO, StringIO

from docpipe.errors import CorruptDocumentError, EncryptedDocumentError
from docpipe.formats.base import RawPage, Reader, TextReader
from docpipe.formats.clean import clean
from docpipe.formats.paging import lines_of, paginate
from docpipe.formats.request import ReadRequest
from docpipe.formats.text import decode
from docpipe.models import Warn

MAX_COLUMNS = 16_384
_FEW_EMPTY, _MOST_EMPTY = 50, 200_000
_SAMPLE = 20_000
_DELIMITERS = ",;\t|"
_MAX_FIELD = 1_000_000


def open_reader(request: ReadRequest) -> Reader:
    """Open a table: a line for each row that is not empty, its cells parted by tabs; a page for each sheet.

    Raises:
        CorruptDocumentError, EncryptedDocumentError: a workbook cannot be opened.
    """
    if request.file_type == "text/csv":
        return _separated(request)
    return _workbook(request)


class EmptyCells:
    """How many empty cells are written before a value that stands to the right of them.

    Always a few, and of the others so many of a workbook: a few bytes of a file can leave out thousands.
    """

    def __init__(self, name: str) -> None:
        self.warnings: list[Warn] = []
        self._name = name
        self._left = _MOST_EMPTY

    def written(self, cells: int) -> int:
        """Of these cells between two values; where it is fewer, a warning tells of it."""
        more = min(cells, MAX_COLUMNS) - _FEW_EMPTY
        if more <= 0:
            return cells
        if more > self._left:
            message = f"Rows of {self._name} have so many empty cells that columns moved left."
            self.warnings = [Warn("content_moved", message)]
            return _FEW_EMPTY
        self._left -= more
        return _FEW_EMPTY + more


def row_line(cells: Iterable[str]) -> str:
    """A row as a line: line ends and tabs inside cells are spaces, empty cells at its end are left out."""
    return "\t".join(" ".join(clean(cell).split()) for cell in cells).rstrip("\t")


def sheet_pages(sheets: Iterable[tuple[str, Iterable[str]]], limit: int) -> Iterator[RawPage]:
    """Pages of sheets that have names, each with its name as the first line."""
    for name, rows in sheets:
        yield from paginate(lines_of("\n".join([name, *filter(None, rows)])), limit)


def _separated(request: ReadRequest) -> Reader:
    decoded = decode(request.content())
    csv.field_size_limit(_MAX_FIELD)
    text = decoded.text.replace("\0", "")
    try:
        rows = list(csv.reader(StringIO(text, newline=""), delimiter=_delimiter(text[:_SAMPLE])))
    except csv.Error:
        rows = [line.split(_delimiter(text[:_SAMPLE])) for line in text.splitlines()]
    lines = filter(None, map(row_line, rows))
    pages = list(paginate(lines, request.limits.max_page_characters))
    return TextReader(request.file_type, pages, {"charset": decoded.charset}, decoded.warnings())


def _delimiter(sample: str) -> str:
    """The sign that stands most evenly in all lines."""
    lines = [line for line in sample.splitlines() if line.strip()][:50]
    return max(
        _DELIMITERS, key=lambda sign: min((line.count(sign) for line in lines[:-1] or lines), default=0)
    )


def _workbook(request: ReadRequest) -> Reader:
    import python_calamine  # noqa: PLC0415 - an extra that only these formats need

    warnings: list[Warn] = []
    try:
        book = python_calamine.CalamineWorkbook.from_filelike(BytesIO(request.content()))
        hidden = python_calamine.SheetVisibleEnum.Visible
        shown = [sheet.name for sheet in book.sheets_metadata if sheet.visible == hidden]
        unread = len(book.sheet_names) - len(shown)
        sheets = ((name, map(_row, book.get_sheet_by_name(name).iter_rows())) for name in shown)
        pages = list(sheet_pages(sheets, request.limits.max_page_characters))
    except python_calamine.PasswordError as error:
        raise EncryptedDocumentError(f"{request.name} is a workbook protected by a password.") from error
    except (python_calamine.CalamineError, OSError, ValueError) as error:
        raise CorruptDocumentError(f"{request.name} is a damaged workbook ({error}).") from error
    if unread:
        warnings.append(Warn("content_hidden", f"{unread} hidden sheet(s) of {request.name} were not read."))
    return TextReader(request.file_type, pages or [RawPage(None, None)], {}, warnings)


def _row(cells: Iterable[object]) -> str:
    return row_line(map(_shown, cells))


def _shown(value: object) -> str:
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    text = str(value)
    return text.removesuffix(" 00:00:00")
