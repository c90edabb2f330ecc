"""Plain text and Markdown: finds the charset, splits into pages at form feeds."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import chardet

from docpipe.formats.base import RawPage, Reader, TextReader
from docpipe.formats.charset import is_one_byte, safe_charset, unmistakable_charset
from docpipe.formats.paging import lines_of, paginate
from docpipe.formats.request import ReadRequest
from docpipe.models import Warn

_SAMPLE = 200_000
_MIN_CONFIDENCE = 0.11
_ERAS = ~chardet.EncodingEra.MAINFRAME
_NEVER_MET = ("cp720", "cp1006")
"""What the detector takes short texts of other charsets for."""
_LATIN = [
    "cp437",
    "cp850",
    "cp852",
    "cp857",
    "cp863",
    "cp865",
    "cp775",
    "mac-roman",
    "mac-latin2",
    "mac-turkish",
]
_LATIN += [f"cp{page}" for page in (1250, 1252, 1254, 1257)]
_LATIN += [f"iso8859-{part}" for part in (1, 2, 3, 4, 9, 10, 13, 14, 15, 16)]
_COMMON = ("cp1252", "cp850", "mac-roman")
"""What a Latin text is in, the likeliest first, where the detector has no idea."""
_GOOD_WORDS = 0.95
_ESCAPED = re.compile("[\udc80-\udcff]")
_HALF_LETTERS = (0xC2, 0xC3)
"""With these a letter of two bytes begins, in most European texts; alone they are half a letter."""
_NEXT_LINE = re.compile(rb"(?<=\w)\x85(?=\w)")
"""A line end of mainframes; between two words it is no letter and no ellipsis."""
_EURO = re.compile(rb"[0-9]\s?\xa4|\xa4\s?[0-9]")
_ONLY_WINDOWS = re.compile(rb"[\x80-\x9f]")
_ANY_HIGH_RUN = re.compile(rb"[\x80-\xff]++")
_HIGH_RUN = re.compile(rb"([A-Za-z][\x80-\xff]{1,2}+)(?![\x80-\xff])(?=([A-Za-z]?))")
"""Letters beyond ASCII one or two at a time after one of ASCII, as in Latin texts; and what follows."""
_CAPITAL = re.compile(rb"(?<![A-Za-z\x80-\xff])[\x80-\xff](?=[a-z]{2})")
"""One at the head of a word of ASCII letters."""
_SIGNS, _SIGNS_AT_END = "…—’", "…—’“”"
"""What may stand in a word or between two, or behind one, and is no letter."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """Text obtained from bytes, and how sure its charset is."""

    text: str
    charset: str
    certain: bool
    misfits: int = 0
    """Bytes that do not belong to the charset."""

    def warnings(self) -> list[Warn]:
        if self.certain:
            return []
        if self.misfits:
            message = f"{self.misfits:,} byte(s) are not {self.charset}; their letters may be wrong."
            return [Warn("charset_guessed", message)]
        message = f"The character set is not declared; {self.charset} was guessed, so letters may be wrong."
        return [Warn("charset_guessed", message)]


def decode(data: bytes, declared: str | None = None) -> Decoded:
    """Text of `data`: by its mark or escapes, as declared, as UTF-8, else by guessing (never fails).

    A declared charset that is unknown, unsafe or does not fit the bytes is ignored. One of one byte to a
    letter fits them all, so it is believed only where UTF-8 does not fit.
    """
    named = safe_charset(declared)
    if named and not data.isascii() and is_one_byte(named):
        tried: tuple[str | None, ...] = (unmistakable_charset(data), "utf-8", named)
    else:
        tried = (unmistakable_charset(data), named, "utf-8")
    for name in tried:
        if name and (text := _strict(data, name)) is not None:
            return Decoded(text, name, True)
    return _mostly_utf8(data) or _guess(data)


def _strict(data: bytes, charset: str) -> str | None:
    try:
        return data.decode(charset)
    except UnicodeError:
        return None


def _mostly_utf8(data: bytes) -> Decoded | None:
    """UTF-8 with a few bytes that are not, which are read as Windows-1252; None where they are more."""
    text = data.decode("utf-8", "surrogateescape")
    misfits = len(_ESCAPED.findall(text))
    fitting = len(data) - len(text)  # at least one for each letter beyond ASCII
    if fitting <= misfits:
        return None
    text = _ESCAPED.sub(lambda found: _single_byte(found[0]), text)
    return Decoded(text, "utf-8", False, misfits)


def _single_byte(escaped: str) -> str:
    byte = ord(escaped) - 0xDC00
    return "\ufffd" if byte in _HALF_LETTERS else bytes([byte]).decode("cp1252", "replace")


def _is_latin(sample: bytes) -> bool:
    """Whether the bytes beyond ASCII stand one or two at a time in words of ASCII letters."""
    within = len(_HIGH_RUN.findall(sample)) + len(_CAPITAL.findall(sample))
    return within > 0.5 * len(_ANY_HIGH_RUN.findall(sample))


def _latin_share(runs: list[tuple[bytes, bytes]], charset: str) -> float:
    """Share of the bytes beyond ASCII, each inside a word, that are Latin letters of that word's case."""
    letters = good = 0
    for run, following in runs:
        word = run.decode(charset, "replace")
        signs = _SIGNS if following else _SIGNS_AT_END
        beyond = [letter for letter in word if letter > "\x7f" and letter not in signs]
        small = any("a" <= letter <= "z" for letter in word)
        letters += len(beyond)
        good += sum(letter.isalpha() and (letter.islower() or not small) for letter in beyond)
    return good / letters if letters else 1.0


def _guess(data: bytes) -> Decoded:
    if _NEXT_LINE.sub(b"", data).isascii():
        return Decoded(data.decode("latin-1"), "iso8859-1", False)
    charset, confidence = _detected(_telling_sample(data))
    text = data.decode(charset, errors="replace")
    return Decoded(text, charset, confidence >= _MIN_CONFIDENCE and "\ufffd" not in text)


def _detected(sample: bytes) -> tuple[str, float]:
    if not _is_latin(sample):
        return _asked(sample, None)
    charset, confidence = _asked(sample, _LATIN)
    charset = _with_euro(sample, charset)
    if confidence >= _MIN_CONFIDENCE:
        return charset, confidence
    runs = _HIGH_RUN.findall(sample)
    good = (name for name in _COMMON if _latin_share(runs, name) >= _GOOD_WORDS)
    return _with_euro(sample, next(good, charset)), 0.0


def _with_euro(sample: bytes, charset: str) -> str:
    """ISO 8859-15 where Windows-1252 would have the sign of no currency (¤), beside a figure."""
    is_latin_9 = charset == "cp1252" and _EURO.search(sample) and not _ONLY_WINDOWS.search(sample)
    return "iso8859-15" if is_latin_9 else charset


def _asked(sample: bytes, among: Sequence[str] | None) -> tuple[str, float]:
    """The detector's guess, and how sure it is."""
    found = chardet.detect(sample, encoding_era=_ERAS, include_encodings=among, exclude_encodings=_NEVER_MET)
    charset = safe_charset(found["encoding"])
    return (charset, found["confidence"]) if charset else ("cp1252", 0.0)


def _telling_sample(data: bytes) -> bytes:
    """The part that starts near the first byte beyond ASCII: megabytes of ASCII tell nothing."""
    first = len(data) - len(data.lstrip(bytes(range(128))))
    start = max(0, first - 1000)
    return data[start : start + _SAMPLE]


def open_reader(request: ReadRequest) -> Reader:
    """Open a text; a form feed starts a new page, and so does each `max_page_characters`."""
    decoded = decode(request.content())
    pages = list(_pages(decoded.text, request.limits.max_page_characters))
    return TextReader(request.file_type, pages, {"charset": decoded.charset}, decoded.warnings())


def _pages(text: str, max_characters: int) -> Iterator[RawPage]:
    for part in text.removesuffix("\f").split("\f"):
        yield from paginate(lines_of(part), max_characters)
