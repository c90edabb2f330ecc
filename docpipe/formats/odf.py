"""OpenDocument texts and presentations (ODT, ODP): paragraphs, rows and notes in their order."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from posixpath import basename, normpath

from lxml import etree

from docpipe.errors import EncryptedDocumentError, TooDeepError
from docpipe.formats.base import RawPage, Reader
from docpipe.formats.marks import marked
from docpipe.formats.members import Member, Members
from docpipe.formats.odf_lists import Level, levels, whole
from docpipe.formats.ooxml import Package, attribute, local_name
from docpipe.formats.paging import lines_of, paginate
from docpipe.formats.pictures import is_decoration
from docpipe.formats.request import ReadRequest
from docpipe.formats.sheets import EmptyCells
from docpipe.models import Warn
from docpipe.models.closing import closed_on_failure

_SKIPPED = frozenset(
    {"tracked-changes", "forms", "sequence-decls", "variable-decls", "user-field-decls"}
    | {"note-citation", "annotation-end", "ruby-text"}
    | {"content-validations"}
)
_HIDDEN_TEXT = frozenset({"hidden-text", "hidden-paragraph"})
_MOST_REPEATED, _MOST_CHARACTERS = 50, 10_000
"""Times that a cell or row which is said to stand several times is written, and all of them together."""
_NUMBER = re.compile(r"[0-9]{1,9}")
_HIDDEN_ROWS = frozenset({"collapse", "filter"})
_MANIFEST = "META-INF/manifest.xml"
_MAX_DEPTH = 100


def open_reader(request: ReadRequest) -> Reader:
    """Open an OpenDocument text, presentation or spreadsheet; its pictures are pages of their own at the end.

    Raises:
        CorruptDocumentError, EncryptedDocumentError, ExpansionLimitError, TooManyPartsError: as
            `docpipe.formats.ooxml.Package`.
        TooDeepError: tables or frames nested too deeply.
    """
    package = Package(request)
    with closed_on_failure(package):
        return OdfReader(request, package)


class OdfReader:
    """An open OpenDocument text, presentation or spreadsheet."""

    def __init__(self, request: ReadRequest, package: Package) -> None:
        self.file_type = request.file_type
        self.metadata: dict[str, str] = {}
        self.warnings: list[Warn] = []
        self._request = request
        self._package = package
        self._members = Members(request, self.warnings, "embedded file")
        if "META-INF/manifest.xml" in package.names() and b"encryption-data" in package.read(
            "META-INF/manifest.xml"
        ):
            raise EncryptedDocumentError(f"{request.name} is an OpenDocument file protected by a password.")
        content = package.xml("content.xml")
        self._raised = dict(_raised_styles(content))
        self._hidden_styles = set(_hidden_styles(content))
        self._hidden = next(content.iter("{*}deletion"), None) is not None
        self._pictures: list[str] = []
        self._levels = dict(levels(content))
        self._counts: dict[str, int] = {}
        self._empty = EmptyCells(request.name)
        if "styles.xml" in package.names():
            self._levels = dict(levels(package.xml("styles.xml"))) | self._levels
        body = content.find("{*}body")
        self._lines = [] if body is None else list(self._blocks(body, 0))
        if self._hidden:
            message = f"Hidden or deleted text of {request.name} was not read."
            self.warnings.append(Warn("content_hidden", message))
        if "styles.xml" in package.names():
            self._add_running_lines()
        self.warnings += self._empty.warnings

    def pages(self) -> Iterator[RawPage]:
        for text in "\n".join(self._lines).strip("\f\n").split("\f"):
            for page in paginate(lines_of(text), self._request.limits.max_page_characters):
                yield self._members.counted(page)
        for name in dict.fromkeys(self._pictures):
            if name in self._package.names() and not is_decoration(data := self._package.read(name)):
                member = Member(basename(name), partial(self._request.open_part, data, basename(name)))
                yield from (replace(page, part="") for page in self._members.pages_of(member))

    def close(self) -> None:
        self._members.close()
        self._package.close()

    def _add_running_lines(self) -> None:
        """Headers before and footers after the text, each once."""
        styles = self._package.xml("styles.xml")
        for name in ("header", "footer"):
            found = [line for item in styles.iter(f"{{*}}{name}") for line in self._blocks(item, 0)]
            lines = list(dict.fromkeys(filter(None, found)))
            self._lines = [*lines, *self._lines] if name == "header" else [*self._lines, *lines]

    def _blocks(self, parent: Iterable[etree._Element], depth: int) -> Iterator[str]:
        if depth > _MAX_DEPTH:
            raise TooDeepError(
                f"The contents of {self._request.name} are nested more than {_MAX_DEPTH} deep."
            )
        for child in parent:
            match local_name(child):
                case "p" | "h" | "section" | "page" if self._is_hidden(child):
                    self._hidden = True
                case "p" | "h":
                    beside: list[etree._Element] = []
                    yield self._inline(child, beside, "")
                    for item in beside:
                        yield from self._aside(item, depth)
                case "list":
                    yield from self._list(child, depth + 1, attribute(child, "style-name"), ())
                case "table" if local_name(child.getparent()) == "spreadsheet":
                    yield from self._sheet(child, depth)
                case "table-row":
                    yield self._row(child, depth)
                case "page":
                    yield "\f"
                    yield from self._blocks(child, depth + 1)
                case "soft-page-break":
                    pass
                case "frame" | "annotation":
                    yield from self._aside(child, depth)
                case name if name and name not in _SKIPPED:
                    yield from self._blocks(child, depth + 1)

    def _list(self, items: etree._Element, depth: int, style: str, above: tuple[str, ...]) -> Iterator[str]:
        """The items of a list with the labels that its style gives; `above` are those it is inside of."""
        if len(above) > _MAX_DEPTH:
            raise TooDeepError(f"The lists of {self._request.name} are nested more than {_MAX_DEPTH} deep.")
        level = self._levels.get((style, len(above) + 1), Level())
        goes_on = attribute(items, "continue-numbering") == "true" and not above
        count = self._counts.get(style, 0) if goes_on else level.start - 1
        for item in items:
            is_numbered = local_name(item) == "list-item"
            count = whole(attribute(item, "start-value"), count + 1) if is_numbered else count
            numbers = (*above, level.number(count))
            yield from self._item(item, depth, style, numbers, level.label(numbers) if is_numbered else "")
        if not above:
            self._counts[style] = count

    def _item(
        self, item: etree._Element, depth: int, style: str, numbers: tuple[str, ...], label: str
    ) -> Iterator[str]:
        for child in item:
            if local_name(child) == "list":
                inside = attribute(child, "style-name") or style
                yield from self._list(child, depth + 1, inside, numbers)
                continue
            for text in self._blocks([child], depth + 1):
                yield f"{label} {text}" if label and text else text
                label = "" if text else label

    def _is_hidden(self, element: etree._Element) -> bool:
        return (
            attribute(element, "style-name") in self._hidden_styles or attribute(element, "display") == "none"
        )

    def _sheet(self, sheet: etree._Element, depth: int) -> Iterator[str]:
        """A sheet as a page: its name, then what its rows show."""
        name = attribute(sheet, "name")
        if attribute(sheet, "style-name") in self._hidden_styles:
            self.warnings.append(Warn("content_hidden", f"The hidden sheet {name} was not read."))
            return
        yield f"\f{name}"
        hidden = 0
        for row in _rows(sheet):
            text = self._row(row, depth)
            if text and attribute(row, "visibility") in _HIDDEN_ROWS:
                hidden += 1
            elif text:
                yield from _repeated(text, row, "number-rows-repeated")
        if hidden:
            message = f"{hidden} hidden row(s) on the sheet {name} were not read."
            self.warnings.append(Warn("content_hidden", message))

    def _row(self, row: etree._Element, depth: int) -> str:
        return "\t".join(self._cells(row, depth))

    def _cells(self, row: etree._Element, depth: int) -> Iterator[str]:
        """The cells up to the last one with text, and an empty one for each that another covers."""
        empty = 0
        for cell in row.iterchildren("{*}table-cell", "{*}covered-table-cell"):
            is_covered = local_name(cell) == "covered-table-cell"
            text = "" if is_covered else " ".join(" ".join(self._blocks(cell, depth + 1)).split())
            if not text:
                empty += _whole(attribute(cell, "number-columns-repeated"))
                continue
            yield from [""] * self._empty.written(empty)
            yield from _repeated(text, cell, "number-columns-repeated")
            empty = 0

    def _inline(self, element: etree._Element, beside: list[etree._Element], before: str) -> str:
        text = before + (element.text or "")
        for child in element:
            name = local_name(child)
            if name == "s":
                text += " " * min(_whole(attribute(child, "c")), 100)
            elif name in {"tab", "line-break"}:
                text += "\t" if name == "tab" else "\n"
            elif name in {"note", "annotation", "frame", "custom-shape"}:
                beside.append(child)
                text += f" {child.findtext('{*}note-citation') or ''}".rstrip()
            elif name in _HIDDEN_TEXT or (name == "span" and self._is_hidden(child)):
                self._hidden = True
            elif name and name not in _SKIPPED:
                inner = self._inline(child, beside, "")
                lowered = self._raised.get(attribute(child, "style-name"))
                text += inner if lowered is None else marked(inner, text, lowered)
            text += child.tail or ""
        return text[len(before) :] if before else text

    def _aside(self, item: etree._Element, depth: int) -> Iterator[str]:
        """A note, a comment, or what is in a frame: text, a picture, an object."""
        name = local_name(item)
        for child in item:
            if local_name(child) == "image":
                self._pictures.append(normpath(attribute(child, "href")))
                return
            if local_name(child) in {"object", "object-ole", "plugin"}:
                message = f"An object (chart, formula or table) in {self._request.name} was not read."
                self.warnings.append(Warn("content_unread", message))
                return
        if name == "annotation":
            words = " ".join(
                text for part in item.iterchildren("{*}p") for text in [self._inline(part, [], "")]
            )
            yield f"Comment by {item.findtext('{*}creator') or 'somebody'}: {words}"
            return
        mark = item.findtext("{*}note-citation")
        for line in self._blocks(item, depth + 1):
            yield f"{mark} {line}" if mark else line
            mark = None


def _rows(table: etree._Element) -> Iterator[etree._Element]:
    """A table's rows, in whatever group; none of a table in one of its cells."""
    for child in table:
        name = local_name(child)
        if name == "table-row":
            yield child
        elif name:
            yield from _rows(child)


def _repeated(text: str, element: etree._Element, name: str) -> list[str]:
    """The text of a cell or row as often as it says that it stands there."""
    most = max(1, min(_MOST_REPEATED, _MOST_CHARACTERS // max(1, len(text))))
    return [text] * min(_whole(attribute(element, name)), most)


def _whole(number: str) -> int:
    return int(number) if _NUMBER.fullmatch(number) else 1


def _hidden_styles(content: etree._Element) -> Iterator[str]:
    """Styles of sheets, slides, paragraphs and words that are not shown."""
    for style in content.iter("{*}style"):
        if any(_says_hidden(properties) for properties in style):
            yield attribute(style, "name")


def _says_hidden(properties: etree._Element) -> bool:
    match local_name(properties):
        case "table-properties":
            return attribute(properties, "display") == "false"
        case "text-properties":
            return attribute(properties, "display") == "none"
        case "drawing-page-properties":
            return attribute(properties, "visibility") == "hidden"
        case _:
            return False


def _raised_styles(content: etree._Element) -> Iterator[tuple[str, bool]]:
    """Styles whose letters are raised or lowered, with whether they are lowered."""
    for style in content.iter("{*}style"):
        for properties in style.iterchildren("{*}text-properties"):
            position = attribute(properties, "text-position")
            if position.startswith(("super", "sub", "-")) or (
                position[:1].isdigit() and position[:2] not in {"0%", "0 "}
            ):
                yield attribute(style, "name"), position.startswith(("sub", "-"))
