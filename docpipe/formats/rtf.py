"""Rich text (RTF): its words, cells and notes in the order they are written."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from docpipe.formats.base import RawPage, Reader, TextReader
from docpipe.formats.charset import safe_charset
from docpipe.formats.marks import marked
from docpipe.formats.paging import lines_of, paginate
from docpipe.formats.request import ReadRequest
from docpipe.formats.symbols import as_unicode
from docpipe.models import Warn

_TOKEN = re.compile(
    r"\\([a-zA-Z]{1,32})(-?\d{1,10})?[ ]?|\\'([0-9a-fA-F]{2})|\\([^a-zA-Z])|([{}])|[\r\n]+|([^\\{}\r\n]+)"
)
_SKIPPED_WORDS = """
fonttbl colortbl stylesheet info pict objdata fldinst themedata datastore generator listtable
listoverridetable revtbl rsidtbl filetbl xmlnstbl latentstyles nonesttables bkmkstart bkmkend atnid
atndate atnparent atnref sp sn sv nonshppict
"""
_SKIPPED = frozenset(_SKIPPED_WORDS.split())
"""Groups of which nothing is shown as text."""
_READ_THOUGH_OPTIONAL = frozenset(
    {"shptxt", "annotation", "fldrslt", "nesttableprops", "shpinst", "atnauthor"}
)
_LETTERS = {
    "par": "\n",
    "line": "\n",
    "sect": "\n",
    "page": "\f",
    "tab": "\t",
    "cell": "\t",
    "nestcell": "\t",
    "row": "\n",
    "nestrow": "\n",
    "emdash": "—",
    "endash": "–",
    "emspace": " ",
    "enspace": " ",
    "qmspace": " ",
    "bullet": "•",
    "lquote": "‘",
    "rquote": "’",
    "ldblquote": "“",
    "rdblquote": "”",
}
_SYMBOLS = {"~": "\xa0", "_": "-", "-": "\xad", "\n": "\n", "\r": "\n", "{": "{", "}": "}", "\\": "\\"}
_ASIDE = {
    "footnote": "Note: ",
    "annotation": "Comment: ",
    "atnauthor": "",
    "header": "",
    "headerf": "",
    "footer": "",
    "footerf": "",
    "shptxt": "",
}
"""Groups that stand on lines of their own, and how these begin."""
_CHARSETS = {
    0: "cp1252",
    77: "mac-roman",
    128: "cp932",
    129: "cp949",
    134: "gbk",
    136: "big5",
    161: "cp1253",
    162: "cp1254",
    163: "cp1258",
    177: "cp1255",
    178: "cp1256",
    186: "cp1257",
    204: "cp1251",
    222: "cp874",
    238: "cp1250",
    255: "cp850",
}
_SYMBOLS_FONT = 2
_OF_PROGRAMS = {"mac": "mac-roman", "pc": "cp437", "pca": "cp850"}
"""The character set of a text whose first words say so."""
_UNREAD = {"pict": "a picture", "object": "an embedded object"}
_HIDDEN = "hidden"


def open_reader(request: ReadRequest) -> Reader:
    """Open a rich text; a page break starts a new page. Pictures and objects in it are warned of."""
    text, unread = plain_text(request.content())
    limit = request.limits.max_page_characters
    pages: list[RawPage] = []
    for part in text.strip("\f\n").split("\f"):
        pages += paginate(lines_of(part), limit)
    warnings = [
        Warn("content_unread", f"{request.name} holds {_UNREAD[kind]}, which docpipe does not read in RTF.")
        for kind in unread
        if kind in _UNREAD
    ]
    if _HIDDEN in unread:
        warnings.append(Warn("content_hidden", f"Hidden or deleted text of {request.name} was not read."))
    return TextReader(request.file_type, pages, {}, warnings)


def plain_text(data: bytes) -> tuple[str, list[str]]:
    """The text, its pages parted by form feeds, and the kinds of content in it that are not read."""
    walker = _Walker()
    return "".join(walker.text(data.decode("latin-1"))), sorted(walker.unread)


@dataclass(frozen=True, slots=True)
class _State:
    """What holds inside one group."""

    skipped: bool = False
    hidden: bool = False
    raised: bool = False
    font: int = 0
    fallback: int = 1
    """Letters that follow one given by its Unicode number, for programs that do not know it."""
    aside: str | None = None


class _Walker:
    """Goes through the words of the format once."""

    def __init__(self) -> None:
        self.unread: set[str] = set()
        self._charset = "cp1252"
        self._fonts: dict[int, str] = {}
        self._symbol_fonts: set[int] = set()
        self._state = _State()
        self._stack: list[_State] = []
        self._optional = False
        self._to_skip = 0
        self._bytes = bytearray()
        self._before = ""
        self._half = 0
        self._in_fonts = 0

    def text(self, source: str) -> Iterator[str]:
        place = 0
        while found := _TOKEN.search(source, place):
            place = found.end()
            word, number, code, symbol, brace, plain = found.groups()
            if word == "bin" and number:
                place += max(0, int(number))
            if code is not None:
                self._take_byte(int(code, 16))
                continue
            if self._bytes:
                yield from self._shown(self._decoded())
            if brace:
                yield from self._brace(brace)
            elif word:
                yield from self._word(word, number)
            elif symbol:
                yield from self._symbol(symbol)
            elif plain:
                yield from self._plain(plain)
        yield from self._shown(self._decoded())

    def _take_byte(self, value: int) -> None:
        if self._to_skip:
            self._to_skip -= 1
        else:
            self._bytes.append(value)

    def _decoded(self) -> str:
        charset = self._fonts.get(self._state.font, self._charset)
        if self._state.font in self._symbol_fonts:
            charset = "latin-1"
        text = bytes(self._bytes).decode(charset, "replace")
        self._bytes.clear()
        return text

    def _brace(self, brace: str) -> Iterator[str]:
        self._to_skip, self._optional = 0, False
        if brace == "{":
            self._stack.append(self._state)
        elif self._stack:
            ended, self._state = self._state, self._stack.pop()
            if ended.aside is not None and self._state.aside is None and not ended.skipped:
                yield "\n"

    def _word(self, word: str, number: str | None) -> Iterator[str]:
        value = None if number is None else int(number)
        if word in _UNREAD and not self._state.skipped:
            self.unread.add(word)
        if word == "u" and value is not None:
            yield from self._shown(self._letter(value % 65536))
            self._to_skip = self._state.fallback
        elif word in _SKIPPED or (self._optional and word not in _READ_THOUGH_OPTIONAL):
            self._state = replace(self._state, skipped=True)
        elif word in _ASIDE:
            self._state = replace(self._state, aside=word)
            yield from self._shown("\n" + _ASIDE[word])
        elif word in _LETTERS:
            yield from self._shown(_LETTERS[word])
        self._set(word, value)
        self._optional = False

    def _letter(self, code: int) -> str:
        """The letter; of one that is written as two halves (UTF-16) nothing at the first."""
        if 0xD800 <= code < 0xDC00:
            self._half = code
            return ""
        if 0xDC00 <= code < 0xE000:
            half, self._half = self._half, 0
            return chr(0x10000 + (half - 0xD800 << 10) + code - 0xDC00) if half else ""
        return chr(code)

    def _set(self, word: str, value: int | None) -> None:
        """Take notice of words that say how the text after them looks or is coded."""
        state = self._state
        match word:
            case "ansicpg" | "cpg":
                self._charset = safe_charset(f"cp{value}") or self._charset
            case "f" | "deff" if value is not None:
                self._state = replace(state, font=value)
            case "mac" | "pc" | "pca":
                self._charset = _OF_PROGRAMS[word]
            case "fcharset" if value == _SYMBOLS_FONT:
                self._symbol_fonts.add(state.font)
            case "fcharset" if value in _CHARSETS:
                self._fonts[state.font] = _CHARSETS[value]
            case "uc":
                self._state = replace(state, fallback=1 if value is None else value)
            case "v" | "deleted":
                self._state = replace(state, hidden=value != 0)
            case "super" | "sub":
                self._state = replace(state, raised=value != 0)
            case "nosupersub":
                self._state = replace(state, raised=False)
            case "plain":
                self._state = replace(state, hidden=False, raised=False)

    def _symbol(self, symbol: str) -> Iterator[str]:
        if symbol == "*":
            self._optional = True
        elif symbol in _SYMBOLS:
            yield from self._shown(_SYMBOLS[symbol])

    def _plain(self, text: str) -> Iterator[str]:
        skipped = min(self._to_skip, len(text))
        self._to_skip -= skipped
        text = text[skipped:]
        if not text.isascii():
            text = text.encode("latin-1").decode(self._fonts.get(self._state.font, self._charset), "replace")
        yield from self._shown(text)

    def _shown(self, text: str) -> Iterator[str]:
        if not text or self._state.skipped:
            return
        if self._state.hidden:
            self.unread.add(_HIDDEN)
            return
        if self._state.font in self._symbol_fonts:
            text = as_unicode(text, "Wingdings")
        if self._state.raised:
            text = marked(text, self._before)
        self._before = text
        yield text
