"""Word documents (DOCX, DOCM, DOTX): everything a reader of the printed document would read.

A walker of our own over the XML in document order, because text boxes, tracked insertions, content
controls and nested tables must not get lost. Elements are told by their local name: transitional and
strict documents differ in namespaces only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from lxml import etree

from docpipe.errors import CorruptDocumentError, DocumentTooLargeError, PermanentError, TooDeepError
from docpipe.formats.base import RawPage, Reader
from docpipe.formats.ooxml import Package
from docpipe.formats.paging import lines_of, paginate
from docpipe.formats.request import ReadRequest
from docpipe.models import Warn

_MAX_TABLE_DEPTH = 50
_PAGE_BREAK = "\f"
_TEXT = {"tab": "\t", "ptab": "\t", "cr": "\n", "noBreakHyphen": "-", "softHyphen": "\u00ad"}
_SKIPPED = frozenset(
    {"del", "moveFrom", "delText", "delInstrText", "instrText", "fldData", "rt", "binData"}
    | {"pPr", "rPr", "tblPr", "tblPrEx", "tblGrid", "trPr", "tcPr", "sectPr"}
    | {"sdtPr", "sdtEndPr", "smartTagPr", "customXmlPr", "rubyPr"}
)
"""Deleted text, field codes, reading aids, and properties."""
_SEPARATORS = frozenset({"separator", "continuationSeparator", "continuationNotice"})
_SYMBOL_GREEK = dict(
    zip(
        "ABCDEFGHIKLMNOPQRSTUWXYZabcdefghiklmnopqrstuwxyz",
        "ΑΒΧΔΕΦΓΗΙΚΛΜΝΟΠΘΡΣΤΥΩΞΨΖαβχδεφγηικλμνοπθρστυωξψζ",
        strict=True,
    )
)
_DINGBATS = {
    "\xfe": "☑",
    "\xfd": "☒",
    "\xa8": "☐",
    "o": "☐",
    "x": "☒",
    "\xfc": "✓",
    "\xfb": "✗",
    "\xb7": "•",
    "\xa7": "•",
}
_METADATA = {
    "title",
    "creator",
    "subject",
    "description",
    "keywords",
    "created",
    "modified",
    "lastModifiedBy",
}


def open_reader(request: ReadRequest) -> Reader:
    """Open a Word document; its text is read at once, its pictures only when it has no text.

    Raises:
        CorruptDocumentError, EncryptedDocumentError, ExpansionLimitError, TooManyPartsError,
        TooDeepError: as `docpipe.formats.ooxml.Package`.
    """
    package = Package(request)
    try:
        return DocxReader(request, package)
    except BaseException:
        package.close()
        raise


class DocxReader:
    """An open Word document: a page for each part between explicit page breaks."""

    def __init__(self, request: ReadRequest, package: Package) -> None:
        self.file_type = request.file_type
        self.warnings: list[Warn] = []
        self._request = request
        self._package = package
        self._main = _main_part(package)
        self._links = package.relationships(self._main)
        self._text = list(self._document_text())
        self.metadata = self._core_properties()

    def pages(self) -> Iterator[RawPage]:
        if any(line.strip() for line in self._text):
            yield from self._text_pages()
        elif self._pictures():
            yield from self._picture_pages()
        else:
            yield RawPage(None, None)

    def close(self) -> None:
        self._package.close()

    def _text_pages(self) -> Iterator[RawPage]:
        limit = self._request.limits.max_page_characters
        for text in "\n".join(self._text).strip("\f\n").split(_PAGE_BREAK):
            yield from paginate(lines_of(text), limit)

    def _document_text(self) -> Iterator[str]:
        """Headers, body, notes, footers: each header and footer once."""
        body = list(self._body())
        yield from self._parts("header")
        yield from body
        yield from self._parts("footnotes")
        yield from self._parts("endnotes")
        yield from self._parts("footer")

    def _body(self) -> Iterator[str]:
        root = self._package.xml(self._main)
        body = root.find("{*}body")
        if _local(root) != "document" or body is None:
            raise CorruptDocumentError(f"{self._request.name} has no body. It is no Word document.")
        for block in _blocks(body, 0):
            yield from self._alternative(block) if isinstance(block, _AltChunk) else (block,)

    def _parts(self, kind: str) -> Iterator[str]:
        seen: set[str] = set()
        for part in dict.fromkeys(link.target for link in self._links.values() if link.kind == kind):
            text = "\n".join(self._part_lines(part)).replace(_PAGE_BREAK, "\n")
            if text.strip() and text not in seen:
                seen.add(text)
                yield text

    def _part_lines(self, part: str) -> list[str]:
        try:
            return [block for block in _blocks(self._package.xml(part), 0) if isinstance(block, str)]
        except CorruptDocumentError as error:
            self.warnings.append(Warn("part_unreadable", error.message))
            return []

    def _alternative(self, chunk: _AltChunk) -> Iterator[str]:
        """The text of a document that Word would merge in when it opens this one."""
        link = self._links.get(chunk.link)
        if link is None:
            return
        try:
            reader = self._request.open_part(self._package.read(link.target), link.target)
            for page in reader.pages():
                yield from (line.text for line in page.lines)
            reader.close()
        except PermanentError as error:
            self.warnings.append(Warn("part_unreadable", f"{link.target} was not read: {error.message}"))

    def _pictures(self) -> list[str]:
        targets = dict.fromkeys(link.target for link in self._links.values() if link.kind == "image")
        return list(targets)[: self._request.limits.max_attachments]

    def _picture_pages(self) -> Iterator[RawPage]:
        for target in self._pictures():
            try:
                reader = self._request.open_part(self._package.read(target), target)
                yield from (replace(page, part="") for page in reader.pages())
            except PermanentError as error:
                message = f"The picture {target} was not read: {error.message}"
                self.warnings.append(Warn(f"picture_{error.code}", message))

    def _core_properties(self) -> dict[str, str]:
        for link in self._package.relationships("").values():
            if link.kind == "core-properties":
                return self._properties(link.target)
        return {}

    def _properties(self, part: str) -> dict[str, str]:
        try:
            root = self._package.xml(part)
        except (CorruptDocumentError, DocumentTooLargeError) as error:
            self.warnings.append(Warn("part_unreadable", error.message))
            return {}
        return {_local(item): item.text for item in root if _local(item) in _METADATA and item.text}


class _AltChunk:
    """Where another document is to be merged in."""

    def __init__(self, link: str) -> None:
        self.link = link


def _main_part(package: Package) -> str:
    for link in package.relationships("").values():
        if link.kind == "officeDocument":
            return link.target
    return "word/document.xml"


def _local(element: etree._Element) -> str:
    """The name without namespace; empty for comments and processing instructions."""
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def _attribute(element: etree._Element, name: str) -> str:
    for key, value in element.attrib.items():
        if str(key).rpartition("}")[2] == name:
            return str(value)
    return ""


def _blocks(container: Iterable[etree._Element], depth: int) -> Iterator[str | _AltChunk]:
    """Paragraphs and table rows of a body, cell, note or header, in document order."""
    for child in container:
        match _local(child):
            case "p":
                yield from _paragraph(child, depth)
            case "tbl":
                yield from _table(child, depth + 1)
            case "altChunk":
                yield _AltChunk(_attribute(child, "id"))
            case "AlternateContent":
                yield from _blocks(_chosen(child), depth)
            case "footnote" | "endnote" if _attribute(child, "type") in _SEPARATORS:
                pass
            case name if name and name not in _SKIPPED:
                yield from _blocks(child, depth)


def _chosen(alternatives: etree._Element) -> etree._Element:
    """One of the alternatives, never two: the fallback repeats the choice for older programs."""
    return next((child for child in alternatives if _local(child) == "Choice"), alternatives)


def _paragraph(paragraph: etree._Element, depth: int) -> Iterator[str]:
    """The paragraph (its line breaks kept), then the text boxes anchored in it."""
    boxes: list[etree._Element] = []
    text = "".join(_inline(paragraph, boxes))
    yield _PAGE_BREAK + text if _breaks_before(paragraph) else text
    for box in boxes:
        yield from (block for block in _blocks(box, depth) if isinstance(block, str))


def _breaks_before(paragraph: etree._Element) -> bool:
    mark = paragraph.find("{*}pPr/{*}pageBreakBefore")
    return mark is not None and _attribute(mark, "val") not in {"0", "false", "off"}


def _inline(element: etree._Element, boxes: list[etree._Element]) -> Iterator[str]:
    for child in element:
        name = _local(child)
        if name == "t":
            yield child.text or ""
        elif name in _TEXT:
            yield _TEXT[name]
        elif name == "br":
            yield _PAGE_BREAK if _attribute(child, "type") == "page" else "\n"
        elif name == "sym":
            yield _symbol(child)
        elif name == "txbxContent":
            boxes.append(child)
        elif name == "AlternateContent":
            yield from _inline(_chosen(child), boxes)
        elif name and name not in _SKIPPED:
            yield from _inline(child, boxes)


def _symbol(element: etree._Element) -> str:
    """A character given by its place in a font; symbol fonts put ASCII at U+F000."""
    try:
        code = int(_attribute(element, "char"), 16)
    except ValueError:
        return ""
    if not 0xF000 <= code <= 0xF0FF:
        return chr(code) if code < 0x110000 else ""
    letter = chr(code - 0xF000)
    known = _SYMBOL_GREEK if _attribute(element, "font") == "Symbol" else _DINGBATS
    return known.get(letter, chr(code))


def _table(table: etree._Element, depth: int) -> Iterator[str]:
    if depth > _MAX_TABLE_DEPTH:
        raise TooDeepError(f"Tables are nested more than {_MAX_TABLE_DEPTH} deep.")
    for row in _members(table, "tr"):
        if row.find("{*}trPr/{*}del") is None:
            yield from _row(row, depth)


def _row(row: etree._Element, depth: int) -> Iterator[str]:
    """The cells of a row, separated by tabs; rows of tables in its cells follow as lines of their own."""
    cells, below = [], []
    for cell in _members(row, "tc"):
        own, nested = _cell(cell, depth)
        cells.append(own)
        below += nested
    line = "\t".join(cells).rstrip("\t")
    yield from ([line] if line else [])
    yield from below


def _cell(cell: etree._Element, depth: int) -> tuple[str, list[str]]:
    own: list[str] = []
    nested: list[str] = []
    for child in cell:
        target = nested if _local(child) == "tbl" else own
        target += (block for block in _blocks([child], depth) if isinstance(block, str))
    return " ".join(" ".join(own).split()), nested


def _members(parent: etree._Element, name: str) -> Iterator[etree._Element]:
    """Rows of a table or cells of a row, also those inside content controls or tracked insertions."""
    for child in parent:
        found = _local(child)
        if found == name:
            yield child
        elif found and found not in _SKIPPED:
            yield from _members(child, name)
