"""Walks through the XML of a Word document in its order, and says what a reader would see.

Elements are told by their local name: transitional and strict documents differ in namespaces only.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from lxml import etree

from docpipe.errors import TooDeepError
from docpipe.formats.docx_math import equation
from docpipe.formats.docx_numbering import Numbering, Styles, is_on
from docpipe.formats.list_labels import roman
from docpipe.formats.marks import as_mark, marked
from docpipe.formats.ooxml import Relationship, attribute, local_name

_MAX_TABLE_DEPTH = 50
PAGE_BREAK = "\f"
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
_ON_A_COLOUR = frozenset({"tbl", "txbxContent", "hdr", "ftr"})
_GROUNDS = (
    *("{*}rPr/{*}shd", "{*}rPr/{*}highlight", "{*}rPr/{*}rStyle"),
    *("{*}pPr/{*}shd", "{*}pPr/{*}pStyle", "{*}background"),
)
"""Where a run, its paragraph, their styles or the document may say so."""
_TINY = (1, 2)
_HALF_POINTS = re.compile(r"-?[0-9]{1,4}")
_SAME_PAGE = frozenset({"continuous", "nextColumn"})
_LINKED = {"blip": "embed", "imagedata": "id", "chart": "id", "relIds": "dm", "OLEObject": "id"}
"""Elements that stand for something in another part, and the attribute that names it."""


@dataclass(frozen=True, slots=True)
class Linked:
    """Something that stands here and is in another part: a picture, chart, diagram, object or document."""

    kind: str
    target: str


@dataclass
class Context:
    """What the parts of one document share."""

    styles: Styles
    numbering: Numbering
    comments: dict[str, etree._Element] = field(default_factory=dict)
    notes: dict[tuple[str, str], str] = field(default_factory=dict)
    """The mark of each note that the text refers to, by kind and id."""
    counts: Counter[str] = field(default_factory=Counter)
    """How many notes there are of each kind."""
    hidden: bool = False
    """Whether text was left out that Word does not show."""
    deleted: bool = False
    """Whether text was left out that a tracked change deletes."""

    def note(self, kind: str, number: str) -> str:
        """The mark of a note, counted when the text first refers to it."""
        if (kind, number) not in self.notes:
            self.counts[kind] += 1
            count = self.counts[kind]
            self.notes[kind, number] = str(count) if kind == "footnote" else roman(count)
        return self.notes[kind, number]


Block = str | Linked


class Walker:
    """Walks through one part of a document."""

    def __init__(self, context: Context, links: Mapping[str, Relationship]) -> None:
        self._context = context
        self._links = links
        self._sections: list[str] = []
        self._mark = ""
        self._style = ""
        self._has_drawings = True
        self._grounds: dict[etree._Element, bool] = {}

    def body(self, body: etree._Element) -> Iterator[Block]:
        """All blocks of the body; a page break between sections that do not share a page."""
        kinds = [section.find("{*}type") for section in body.iter("{*}sectPr")]
        self._has_drawings = next(body.iter("{*}anchor", "{*}pict"), None) is not None
        self._sections = ["" if kind is None else attribute(kind, "val") for kind in kinds][1:]
        yield from self.blocks(body, 0)

    def blocks(self, container: Iterable[etree._Element], depth: int) -> Iterator[Block]:
        """Paragraphs and table rows of a body, cell, note or header, in document order."""
        for child in container:
            match local_name(child):
                case "p":
                    yield from self._paragraph(child, depth)
                case "tbl":
                    yield from self._table(child, depth + 1)
                case "altChunk":
                    yield from self._linked("altChunk", attribute(child, "id"))
                case "AlternateContent":
                    yield from self.blocks(_chosen(child), depth)
                case "footnote" | "endnote":
                    yield from self._note(child, depth)
                case name if name and name not in _SKIPPED:
                    yield from self.blocks(child, depth)

    def _note(self, note: etree._Element, depth: int) -> Iterator[Block]:
        if attribute(note, "type") not in _SEPARATORS:
            self._mark = self._context.notes.get((local_name(note), attribute(note, "id")), "")
            yield from self.blocks(note, depth)

    def _paragraph(self, paragraph: etree._Element, depth: int) -> Iterator[Block]:
        """The paragraph (its line breaks kept), then what is anchored in it."""
        anchored: list[etree._Element] = []
        line = _Line()
        style = paragraph.find("{*}pPr/{*}pStyle")
        self._style = "" if style is None else attribute(style, "val")
        self._inline(paragraph, line, anchored)
        text = line.text
        if text.strip() and (label := self._context.numbering.label(paragraph)):
            text = f"{label} {text}"
        yield PAGE_BREAK + text if is_on(paragraph.find("{*}pPr/{*}pageBreakBefore")) else text
        for item in anchored:
            yield from self._anchored(item, depth)
        ends_section = paragraph.find("{*}pPr/{*}sectPr") is not None and self._sections
        if ends_section and self._sections.pop(0) not in _SAME_PAGE:
            yield PAGE_BREAK

    def _anchored(self, item: etree._Element, depth: int) -> Iterator[Block]:
        name = local_name(item)
        if name == "txbxContent":
            yield from self.blocks(item, depth)
        elif name == "commentReference":
            yield from self._comment(attribute(item, "id"))
        else:
            kind = "picture" if name in {"blip", "imagedata"} else name
            yield from self._linked(kind, attribute(item, _LINKED[name]))

    def _linked(self, kind: str, link: str) -> Iterator[Linked]:
        if link in self._links:
            yield Linked(kind, self._links[link].target)
        elif link or kind == "picture":
            yield Linked(kind, "")

    def _comment(self, number: str) -> Iterator[str]:
        """A comment where it stands, once."""
        comment = self._context.comments.pop(number, None)
        if comment is not None:
            words = " ".join(block for block in self.blocks(comment, 0) if isinstance(block, str))
            yield f"Comment by {attribute(comment, 'author') or 'somebody'}: {' '.join(words.split())}"

    def comments_left(self) -> Iterator[str]:
        """The comments that the text does not refer to."""
        for number in list(self._context.comments):
            yield from self._comment(number)

    # --- inside a paragraph -----------------------------------------------------------------------

    def _inline(self, element: etree._Element, line: _Line, anchored: list[etree._Element]) -> None:
        for child in element:
            name = local_name(child)
            if name == "r" and self._is_hidden(child):
                self._context.hidden = True
            elif name == "r":
                self._run(child, line, anchored)
            elif name == "del":
                self._context.deleted |= next(child.iter("{*}delText"), None) is not None
            elif name == "AlternateContent":
                self._inline(_chosen(child), line, anchored)
            elif name == "oMath":
                line.add(equation(child))
            elif name == "object":
                self._object(child, anchored)
            elif name == "txbxContent" or name in _LINKED or name == "commentReference":
                anchored.append(child)
            elif (text := self._text_of(child, name)) is not None:
                line.add(text)
            elif name and name not in _SKIPPED:
                self._inline(child, line, anchored)

    def _run(self, run: etree._Element, line: _Line, anchored: list[etree._Element]) -> None:
        raised = self._raised(run)
        inner = _Line()
        self._inline(run, inner, anchored)
        text = inner.text
        line.add(marked(text, line.last, raised == "subscript") if raised and text else text)

    def _text_of(self, child: etree._Element, name: str) -> str | None:
        """The text an element stands for by itself; None where its children have it."""
        match name:
            case "t":
                return child.text or ""
            case "br":
                return PAGE_BREAK if attribute(child, "type") == "page" else "\n"
            case "sym":
                return _symbol(child)
            case "textpath":
                return attribute(child, "string")
            case "fldChar":
                return _form_field(child)
            case "footnoteReference" | "endnoteReference":
                kind = name.removesuffix("Reference")
                mark = self._context.note(kind, attribute(child, "id"))
                return "" if is_on_attribute(child, "customMarkFollows") else as_mark(mark)
            case "footnoteRef" | "endnoteRef":
                return self._mark
            case _:
                return _TEXT.get(name)

    def _object(self, item: etree._Element, anchored: list[etree._Element]) -> None:
        """An embedded file; its preview picture only where the file is not there."""
        ole = next((child for child in item.iter("{*}OLEObject")), None)
        if ole is not None:
            anchored.append(ole)
        else:
            anchored.extend(item.iter("{*}imagedata"))

    def _is_hidden(self, run: etree._Element) -> bool:
        if (own := run.find("{*}rPr/{*}vanish")) is not None:
            return is_on(own)
        if _is_tiny(run):
            return True
        if not self._has_drawings and _is_white(run) and not self._is_on_a_colour(run):
            return True
        style = run.find("{*}rPr/{*}rStyle")
        names = [self._style, "" if style is None else attribute(style, "val")]
        return any(self._context.styles.is_hidden(name) for name in names if name)

    def _is_on_a_colour(self, element: etree._Element | None) -> bool:
        """Whether it or what is around it stands on a colour, as in tables it may; asked once of each."""
        if element is None:
            return False
        if element not in self._grounds:
            self._grounds[element] = (
                local_name(element) in _ON_A_COLOUR
                or any(element.find(path) is not None for path in _GROUNDS)
                or self._is_on_a_colour(element.getparent())
            )
        return self._grounds[element]

    def _raised(self, run: etree._Element) -> str:
        properties = run.find("{*}rPr")
        if properties is None or any(local_name(child).endswith("Reference") for child in run):
            return ""
        own, style = properties.find("{*}vertAlign"), properties.find("{*}rStyle")
        if own is not None:
            found = attribute(own, "val")
        else:
            found = "" if style is None else self._context.styles.raised(attribute(style, "val"))
        return found if found in {"superscript", "subscript"} else _moved(properties)

    # --- tables -----------------------------------------------------------------------------------

    def _table(self, table: etree._Element, depth: int) -> Iterator[Block]:
        if depth > _MAX_TABLE_DEPTH:
            raise TooDeepError(f"Tables are nested more than {_MAX_TABLE_DEPTH} deep.")
        for row in _members(table, "tr"):
            if row.find("{*}trPr/{*}del") is None:
                yield from self._row(row, depth)
            else:
                self._context.deleted = True

    def _row(self, row: etree._Element, depth: int) -> Iterator[Block]:
        """The cells of a row, separated by tabs; rows of tables in its cells follow as lines of their own."""
        cells, below = [], []
        for cell in _members(row, "tc"):
            own, nested = self._cell(cell, depth)
            cells.append(own)
            below += nested
        line = "\t".join(cells).rstrip("\t")
        yield from ([line] if line else [])
        yield from below

    def _cell(self, cell: etree._Element, depth: int) -> tuple[str, list[Block]]:
        """The text up to the first table or picture in a cell, and all that follows."""
        own: list[str] = []
        nested: list[Block] = []
        for child in cell:
            for block in self.blocks([child], depth):
                if nested or local_name(child) == "tbl" or isinstance(block, Linked):
                    nested.append(block)
                else:
                    own.append(block)
        return " ".join(" ".join(own).split()), nested


@dataclass(slots=True)
class _Line:
    """A paragraph's text so far, in pieces: put together each time, it would be copied each time."""

    _pieces: list[str] = field(default_factory=list)

    def add(self, text: str) -> None:
        if text:
            self._pieces.append(text)

    @property
    def text(self) -> str:
        return "".join(self._pieces)

    @property
    def last(self) -> str:
        """Its last letters, four or more."""
        return "".join(self._pieces[-4:])


def _moved(properties: etree._Element) -> str:
    """As `superscript` and `subscript`, for letters that were moved up or down by hand."""
    position = properties.find("{*}position")
    by = _half_points(position)
    return "" if not by else "subscript" if by < 0 else "superscript"


def _is_tiny(run: etree._Element) -> bool:
    """Whether its letters are a point high or less."""
    size = run.find("{*}rPr/{*}sz")
    return size is not None and _half_points(size) in _TINY


def _half_points(element: etree._Element | None) -> int:
    value = "" if element is None else attribute(element, "val")
    return int(value) if _HALF_POINTS.fullmatch(value) else 0


def _is_white(run: etree._Element) -> bool:
    colour = run.find("{*}rPr/{*}color")
    return colour is not None and attribute(colour, "val").upper() == "FFFFFF"


def is_on_attribute(element: etree._Element, name: str) -> bool:
    return attribute(element, name) in {"1", "true", "on"}


def _form_field(mark: etree._Element) -> str:
    """The state of a box to tick, or the choice of a list, in a form of old Word; other fields have text."""
    box = mark.find("{*}ffData/{*}checkBox")
    if box is not None:
        state = box.find("{*}checked")
        return "☒" if is_on(box.find("{*}default") if state is None else state) else "☐"
    choices = mark.find("{*}ffData/{*}ddList")
    if choices is None:
        return ""
    entries = [attribute(entry, "val") for entry in choices.iterchildren("{*}listEntry")]
    chosen = choices.find("{*}result")
    chosen = choices.find("{*}default") if chosen is None else chosen
    index = attribute(chosen, "val") if chosen is not None else "0"
    return entries[int(index)] if index.isdecimal() and int(index) < len(entries) else ""


def _chosen(alternatives: etree._Element) -> etree._Element:
    """One of the alternatives, never two: the fallback repeats the choice for older programs."""
    return next((child for child in alternatives if local_name(child) == "Choice"), alternatives)


def _symbol(element: etree._Element) -> str:
    """A character given by its place in a font; symbol fonts put ASCII at U+F000."""
    try:
        code = int(attribute(element, "char"), 16)
    except ValueError:
        return ""
    if not 0xF000 <= code <= 0xF0FF:
        return chr(code) if code < 0x110000 else ""
    letter = chr(code - 0xF000)
    known = _SYMBOL_GREEK if attribute(element, "font") == "Symbol" else _DINGBATS
    return known.get(letter, chr(code))


def _members(parent: etree._Element, name: str) -> Iterator[etree._Element]:
    """Rows of a table or cells of a row, also those inside content controls or tracked insertions."""
    for child in parent:
        found = local_name(child)
        if found == name:
            yield child
        elif found and found not in _SKIPPED:
            yield from _members(child, name)
