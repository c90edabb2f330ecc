"""Word documents (DOCX, DOCM, DOTX): everything a reader of the printed document would read.

A walker of our own over the XML in document order, because text boxes, tracked insertions, content
controls and nested tables must not get lost.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from posixpath import basename

from lxml import etree

from docpipe.errors import CorruptDocumentError, DocumentTooLargeError, PermanentError
from docpipe.formats.base import RawPage, Reader
from docpipe.formats.docx_numbering import Numbering, Styles
from docpipe.formats.docx_walk import PAGE_BREAK, Block, Context, Linked, Walker
from docpipe.formats.members import Member, Members
from docpipe.formats.ooxml import Package, attribute, drawing_text, local_name
from docpipe.formats.paging import lines_of, paginate
from docpipe.formats.pictures import is_decoration
from docpipe.formats.request import ReadRequest
from docpipe.models import Warn
from docpipe.models.closing import closed_on_failure

_NOUNS = {"chart": "chart", "relIds": "diagram", "picture": "picture", "OLEObject": "object"}
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
    with closed_on_failure(package):
        return DocxReader(request, package)


class DocxReader:
    """An open Word document: a page for each part between page breaks, and for each picture."""

    def __init__(self, request: ReadRequest, package: Package) -> None:
        self.file_type = request.file_type
        self.warnings: list[Warn] = []
        self._request = request
        self._package = package
        self._main = _main_part(package)
        self._links = package.relationships(self._main)
        styles = Styles(self._shared("styles"))
        self._context = Context(styles, Numbering(self._shared("numbering"), styles))
        comments = self._shared("comments")
        for comment in () if comments is None else comments.iterchildren("{*}comment"):
            self._context.comments[attribute(comment, "id")] = comment
        self._drawn: set[str] = set()
        self._blocks = list(self._document())
        if not self._has_text() and not self._has_pictures():
            images = dict.fromkeys(link.target for link in self._links.values() if link.kind == "image")
            self._blocks = [Linked("picture", target) for target in images]
        if self._context.hidden:
            self._warn("content_hidden", "Text that Word does not show was not read.")
        if self._context.deleted:
            self._warn("content_hidden", "Text that a tracked change deletes was not read.")
        self._members = Members(request, self.warnings, "embedded file")
        self._seen: set[str] = set()
        self.metadata = self._core_properties()

    def pages(self) -> Iterator[RawPage]:
        """The text up to a picture, the picture, the text after it; files in the document at the end."""
        text: list[str] = []
        files: list[Member] = []
        count = 0
        for block in self._blocks:
            if isinstance(block, str):
                text.append(block)
            elif block.kind == "OLEObject":
                files.append(self._file(block.target))
            elif pictures := list(self._picture(block.target)):
                yield from self._text_pages(text)
                yield from pictures
                count, text = count + 1, []
        if not count or any(line.strip() for line in text):
            yield from self._text_pages(text)
        yield from self._members.pages(files, self._request.limits.max_attachments)

    def close(self) -> None:
        self._members.close()
        self._package.close()

    def _text_pages(self, lines: list[str]) -> Iterator[RawPage]:
        text = "\n".join(lines).strip("\f\n")
        if not text.strip() and self._has_pictures():
            return
        for part in text.split(PAGE_BREAK):
            for page in paginate(lines_of(part), self._request.limits.max_page_characters):
                yield self._members.counted(page)

    def _has_pictures(self) -> bool:
        return any(isinstance(block, Linked) and block.target for block in self._blocks)

    def _has_text(self) -> bool:
        return any(isinstance(block, str) and block.strip() for block in self._blocks)

    def _document(self) -> Iterator[Block]:
        """Headers, body, notes, footers: each header and footer once."""
        body = list(self._body())
        yield from self._parts("header")
        yield from body
        yield from self._parts("footnotes")
        yield from self._parts("endnotes")
        yield from Walker(self._context, self._links).comments_left()
        yield from self._parts("footer")

    def _body(self) -> Iterator[Block]:
        root = self._package.xml(self._main)
        body = root.find("{*}body")
        if local_name(root) != "document" or body is None:
            raise CorruptDocumentError(f"{self._request.name} has no body. It is no Word document.")
        for block in Walker(self._context, self._links).body(body):
            yield from self._resolved(block)

    def _parts(self, kind: str) -> Iterator[Block]:
        seen: set[str] = set()
        for part in dict.fromkeys(link.target for link in self._links.values() if link.kind == kind):
            blocks = self._part_blocks(part)
            text = "\n".join(block for block in blocks if isinstance(block, str)).replace(PAGE_BREAK, "\n")
            if text.strip() and text not in seen:
                seen.add(text)
                yield text
            yield from (block for block in blocks if isinstance(block, Linked))

    def _part_blocks(self, part: str) -> list[Block]:
        root = self._part_root(part)
        if root is None:
            return []
        walker = Walker(self._context, self._package.relationships(part))
        return [found for block in walker.blocks(root, 0) for found in self._resolved(block)]

    def _part_root(self, part: str) -> etree._Element | None:
        try:
            return self._package.xml(part)
        except CorruptDocumentError as error:
            self._warn("part_unreadable", error.message)
            return None

    def _shared(self, kind: str) -> etree._Element | None:
        part = next((link.target for link in self._links.values() if link.kind == kind), None)
        return None if part is None else self._part_root(part)

    def _resolved(self, block: Block) -> Iterator[Block]:
        """Text, for what holds text in another part; pictures and files as they are; warnings for others."""
        if isinstance(block, str):
            yield block
        elif not block.target:
            self._warn("content_unread", f"A linked {_NOUNS.get(block.kind, 'part')} is not in the file.")
        elif block.kind == "altChunk":
            yield from self._alternative(block.target)
        elif block.kind in {"chart", "relIds"}:
            if block.target not in self._drawn:
                yield from self._drawing(block)
        else:
            yield block

    def _drawing(self, block: Linked) -> Iterator[str]:
        """The words of a chart or a diagram, where it is met first."""
        self._drawn.add(block.target)
        root = self._part_root(block.target)
        lines = [] if root is None else list(drawing_text(root))
        yield from lines
        if not any(line.strip() for line in lines):
            self._warn("content_unread", f"The {_NOUNS[block.kind]} {block.target} was not read.")

    def _alternative(self, target: str) -> Iterator[str]:
        """The text of a document that Word would merge in when it opens this one."""
        try:
            reader = self._request.open_part(self._package.read(target), target)
            for page in reader.pages():
                yield from (line.text for line in page.lines)
            reader.close()
        except PermanentError as error:
            self._warn("part_unreadable", f"{target} was not read: {error.message}")

    def _picture(self, target: str) -> Iterator[RawPage]:
        """A picture's pages, the first time it is met; none for logos and icons beside text."""
        if target in self._seen or len(self._seen) >= self._request.limits.max_attachments:
            return
        self._seen.add(target)
        try:
            data = self._package.read(target)
            if is_decoration(data) and any(
                isinstance(block, str) and block.strip() for block in self._blocks
            ):
                return
            reader = self._request.open_part(data, target)
            for page in reader.pages():
                yield self._members.counted(replace(page, part=""))
        except PermanentError as error:
            self._warn(f"picture_{error.code}", f"The picture {target} was not read: {error.message}")

    def _file(self, target: str) -> Member:
        name = basename(target)
        return Member(name, lambda: self._request.open_part(self._package.read(target), name))

    def _warn(self, code: str, message: str) -> None:
        self.warnings.append(Warn(code, message))

    def _core_properties(self) -> dict[str, str]:
        for link in self._package.relationships("").values():
            if link.kind == "core-properties":
                return self._properties(link.target)
        return {}

    def _properties(self, part: str) -> dict[str, str]:
        try:
            root = self._package.xml(part)
        except (CorruptDocumentError, DocumentTooLargeError) as error:
            self._warn("part_unreadable", error.message)
            return {}
        return {local_name(item): item.text for item in root if local_name(item) in _METADATA and item.text}


def _main_part(package: Package) -> str:
    for link in package.relationships("").values():
        if link.kind == "officeDocument":
            return link.target
    return "word/document.xml"
