"""HTML: the text a reader would see, by resiliparse."""

from __future__ import annotations

import re

from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.html import HTMLTree

from docpipe.formats.base import Reader, TextReader
from docpipe.formats.clean import clean_line
from docpipe.formats.paging import lines_of, paginate
from docpipe.formats.request import ReadRequest
from docpipe.formats.text import decode

_META_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*+=\s*+[\"']?\s*+([\w.:-]{1,40})", re.IGNORECASE)
_XML_ENCODING = re.compile(rb"^\s*<\?xml[^>]{0,100}?encoding\s*=\s*[\"']([\w.:-]{1,40})", re.IGNORECASE)
_UNSEEN = [
    "head",
    "script",
    "style",
    "template",
    "[hidden]",
    'input[type="hidden" i]',
    '[style*="display:none" i]',
    '[style*="display: none" i]',
    '[style*="visibility:hidden" i]',
    '[style*="visibility: hidden" i]',
]


def visible_text(markup: str) -> tuple[str, str]:
    """The text a reader would see (cells of a table row separated by tabs), and the page's title."""
    tree = HTMLTree.parse(markup.replace("\0", ""))
    text = extract_plain_text(
        tree,
        preserve_formatting=True,
        list_bullets=False,
        alt_texts=False,
        noscript=True,
        skip_elements=_UNSEEN,
    )
    return text.replace("\xa0", " "), clean_line(tree.title or "").strip()


def declared_charset(data: bytes) -> str | None:
    """The charset an HTML or XHTML file names in its first 4 kB."""
    found = _META_CHARSET.search(data[:4096]) or _XML_ENCODING.search(data[:4096])
    return found[1].decode("ascii") if found else None


def open_reader(request: ReadRequest) -> Reader:
    """Open a web page as one long page (more only beyond `max_page_characters`)."""
    data = request.content()
    decoded = decode(data, declared_charset(data))
    text, title = visible_text(decoded.text)
    metadata = {"charset": decoded.charset} | ({"title": title} if title else {})
    pages = list(paginate(lines_of(text), request.limits.max_page_characters))
    return TextReader(request.file_type, pages, metadata, decoded.warnings())
