"""PowerPoint presentations (PPTX): each slide a page, its notes and comments after its text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from posixpath import basename

from lxml import etree

from docpipe.errors import CorruptDocumentError
from docpipe.formats.base import RawPage, Reader
from docpipe.formats.marks import marked
from docpipe.formats.members import Member, Members
from docpipe.formats.ooxml import Package, attribute, drawing_text, local_name
from docpipe.formats.paging import lines_of, paginate
from docpipe.formats.pictures import is_decoration
from docpipe.formats.request import ReadRequest
from docpipe.models import Warn
from docpipe.models.closing import closed_on_failure

_PLACEHOLDERS_OF_MASTERS = frozenset({"sldNum", "dt", "ftr", "hdr", "sldImg"})
_DRAWINGS = {"chart": "A chart", "diagramData": "A diagram"}
_BASELINE = re.compile(r"-?[0-9]{1,9}")
_UNREAD = {
    "oleObject": "An embedded object",
    "video": "A video",
    "audio": "A sound",
}


def open_reader(request: ReadRequest) -> Reader:
    """Open a presentation; its pictures are pages of their own after their slide.

    Raises:
        CorruptDocumentError, EncryptedDocumentError, ExpansionLimitError, TooManyPartsError: as
            `docpipe.formats.ooxml.Package`.
    """
    package = Package(request)
    with closed_on_failure(package):
        return PptxReader(request, package)


class PptxReader:
    """An open presentation."""

    def __init__(self, request: ReadRequest, package: Package) -> None:
        self.file_type = request.file_type
        self.metadata: dict[str, str] = {}
        self.warnings: list[Warn] = []
        self._request = request
        self._package = package
        self._members = Members(request, self.warnings, "embedded file")
        self._slides = list(dict.fromkeys(self._slide_parts()))

    def pages(self) -> Iterator[RawPage]:
        if not self._slides:
            yield RawPage(None, None)
        for number, part in enumerate(self._slides, start=1):
            yield from self._slide(number, part)

    def close(self) -> None:
        self._members.close()
        self._package.close()

    def _slide_parts(self) -> Iterator[str]:
        links = self._package.relationships("").values()
        main = next((link.target for link in links if link.kind == "officeDocument"), "ppt/presentation.xml")
        slides = self._package.relationships(main)
        for item in self._package.xml(main).iter("{*}sldId"):
            if link := slides.get(_relation(item)):
                yield link.target

    def _slide(self, number: int, part: str) -> Iterator[RawPage]:
        if (root := self._part(part)) is None:
            return
        if root.get("show") in {"0", "false"}:
            self.warnings.append(Warn("content_hidden", f"The hidden slide {number} was not read."))
            return
        links = self._package.relationships(part)
        lines = [*_text(root), *self._drawings(number, part), *self._beside(part)]
        for page in paginate(lines_of("\n".join(lines)), self._request.limits.max_page_characters):
            yield self._members.counted(page)
        for link in dict.fromkeys(links.values()):
            if link.kind == "image":
                yield from self._picture(link.target)
            elif _UNREAD.get(link.kind):
                self.warnings.append(
                    Warn("content_unread", f"{_UNREAD[link.kind]} on slide {number} was not read.")
                )

    def _drawings(self, number: int, part: str) -> Iterator[str]:
        """The words of the slide's charts and diagrams; a warning for one that has none."""
        for link in dict.fromkeys(self._package.relationships(part).values()):
            if noun := _DRAWINGS.get(link.kind):
                root = self._part(link.target)
                lines = [] if root is None else [line for line in drawing_text(root) if line.strip()]
                yield from lines
                if not lines:
                    self.warnings.append(Warn("content_unread", f"{noun} on slide {number} was not read."))

    def _part(self, part: str) -> etree._Element | None:
        try:
            return self._package.xml(part)
        except CorruptDocumentError as error:
            self.warnings.append(Warn("part_unreadable", error.message))
            return None

    def _beside(self, part: str) -> Iterator[str]:
        for link in dict.fromkeys(self._package.relationships(part).values()):
            if link.kind in {"notesSlide", "comments"}:
                if (root := self._part(link.target)) is None:
                    continue
                word = "Notes" if link.kind == "notesSlide" else "Comment"
                yield from (f"{word}: {line}" for line in _text(root) if line.strip())

    def _picture(self, part: str) -> Iterator[RawPage]:
        data = self._package.read(part)
        if not is_decoration(data):
            member = Member(basename(part), partial(self._request.open_part, data, basename(part)))
            yield from (replace(page, part="") for page in self._members.pages_of(member))


def _relation(item: etree._Element) -> str:
    """The link of a slide; its own number has the same name without a namespace."""
    return next((str(value) for key, value in item.attrib.items() if str(key).endswith("}id")), "")


def _text(element: etree._Element) -> Iterator[str]:
    """Paragraphs and rows in the order of the file; what a master repeats on every slide is left out."""
    for child in element:
        match local_name(child):
            case "sp" if any(
                item.get("type") in _PLACEHOLDERS_OF_MASTERS
                for item in child.iterfind("{*}nvSpPr/{*}nvPr/{*}ph")
            ):
                pass
            case "p":
                yield _paragraph(child)
            case "tr":
                yield "\t".join(" ".join(" ".join(_text(cell)).split()) for cell in child.iterfind("{*}tc"))
            case "AlternateContent":
                chosen = next((item for item in child if local_name(item) == "Choice"), None)
                yield from _text(child if chosen is None else chosen)
            case "text":
                yield child.text or ""
            case name if name:
                yield from _text(child)


def _paragraph(paragraph: etree._Element) -> str:
    text = ""
    for run in paragraph:
        if local_name(run) == "br":
            text += "\n"
        raised = _raised(run)
        for item in run.iter("{*}t"):
            text += marked(item.text or "", text, raised < 0) if raised else item.text or ""
    return text


def _raised(run: etree._Element) -> int:
    """By how much a run's letters are raised, or, below zero, lowered."""
    properties = run.find("{*}rPr")
    baseline = "" if properties is None else attribute(properties, "baseline").rstrip("%")
    return int(baseline) if _BASELINE.fullmatch(baseline) else 0
