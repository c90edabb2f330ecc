"""Text as an engine reads it best, and the way back to the offsets of the text as it stands."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass

_THIN = r"\u00ad\u200b-\u200d\u2060\ufeff"
_MARKS = "\u00b9\u00b2\u00b3\u2070\u2071\u2074-\u2079\u1d5b\u02e3"
_NOISE = re.compile(
    rf"[-\s{_THIN}\ufb00-\ufb06{_MARKS}](?:"  # one of a set first: what lies between is skipped quickly
    r"(?<=[^\W\d_][-\u00ad])[^\S\n]{0,3}\n[^\S\n]{0,20}(?=[a-z])"  # a word broken at the line's end
    rf"|(?<=\s)\s+|(?<=[^\S ])|(?<=[{_THIN}\ufb00-\ufb06])"
    # a note's mark, which is no exponent: after a number, other than 10, and after a word, other than a unit
    rf"|(?<=[\d).,;][{_MARKS}])(?<!(?<!\d)10.)[{_MARKS}]*|(?<=[^\W\d_]{{4}}[{_MARKS}])[{_MARKS}]*)"
)
_BROKEN = re.compile(r"(?<=[^\W\d_])[-\u00ad][^\S\n]{0,3}\n[^\S\n]{0,20}(?=[a-z])")
_MARK = re.compile(
    rf"[ {_MARKS}\u00ad\u200b\u2060](?:"  # one of a set first, as above
    rf"(?<=\d[{_MARKS}])(?<!(?<!\d)10.)[{_MARKS}]*+(?!\d)|(?<=\d )(?<!(?<!\d)10 )[{_MARKS}]++(?!\d)"
    r"|(?<=\w\u00ad)[^\S\n]{0,3}\n[^\S\n]{0,20}(?=[^\W\d_])|(?<=\w[\u00ad\u200b\u2060])(?=\w))"
)
_SHOUTED = re.compile(r"[A-Z](?<![^\W_].)[A-Z'’&.,-]{1,40}(?:[^\S\n][A-Z0-9][A-Z0-9'’&.,-]{0,40}){2,40}")
_LIGATURES = dict(zip("ﬀﬁﬂﬃﬄﬅﬆ", ("ff", "fi", "fl", "ffi", "ffl", "st", "st"), strict=True))
_CAPITALS = re.compile(r"[A-Z]{4,}(?:['’][A-Z]+)?")


def is_word_broken(text: str, line_end: int) -> bool:
    """Whether a word is broken at this line's end: it ends with a hyphen, the next begins with a small
    letter."""
    return bool(_BROKEN.search(text, max(0, line_end - 4), line_end + 24))


@dataclass(frozen=True, slots=True)
class Normal:
    """A normalised text; the lists hold where its offsets part from the original's, and by how much."""

    text: str
    starts: list[int]
    shifts: list[int]

    def original(self, start: int, end: int) -> tuple[int, int]:
        """The span of the original text that stands for `text[start:end]`; `start < end`."""
        return self._shifted(start), self._shifted(end - 1) + 1

    def _shifted(self, offset: int) -> int:
        return offset + self.shifts[bisect_right(self.starts, offset) - 1]


def normalised(text: str) -> Normal:
    """As `reading_text`, and in a run of three or more words in capitals, those of four letters and more
    keep only the first: models know `Northwind Harbour`, and take `NORTHWIND HARBOUR` for anything.
    """
    calm = _SHOUTED.sub(lambda run: _CAPITALS.sub(lambda word: word.group().capitalize(), run.group()), text)
    return reading_text(calm)


def reading_text(text: str, *, layout: bool = False) -> Normal:
    """Undo what typesetting and scanning do to words, and remember where: text to search or to embed.

    Single line breaks and runs of white space become one space (a blank line stays), a word broken
    by a hyphen at a line's end is joined when it goes on with a small letter (a compound like
    `well-known` too, when it breaks there), ligatures are spelled out, characters without width and the
    raised numbers of notes go. With `layout` a run of white space that ends a line becomes a line break,
    one with a tab in it a tab.
    """
    return _replaced(text, _NOISE, lambda noise: _better(noise, layout))


def without_marks(text: str) -> Normal:
    """The text without the raised numbers of notes on its figures (`$320¹ million` is an amount), and without
    marks in its words that nobody sees: soft hyphens, at the ends of lines too, and places to break."""
    return _replaced(text, _MARK, lambda _: "")


def _replaced(text: str, noise: re.Pattern[str], better: Callable[[str], str]) -> Normal:
    pieces: list[str] = []
    starts, shifts = [0], [0]
    done = length = 0
    for match in noise.finditer(text):
        put = better(match.group())
        pieces += (text[done : match.start()], put)
        length += match.start() - done
        for letter in range(1, len(put) - len(match.group()) + 1):  # of a ligature
            starts.append(length + letter)
            shifts.append(match.start() - length - letter)
        length += len(put)
        done = match.end()
        if done - length != shifts[-1]:
            starts.append(length)
            shifts.append(done - length)
    pieces.append(text[done:])
    return Normal("".join(pieces), starts, shifts)


def _better(noise: str, layout: bool) -> str:
    if noise.isspace():
        if noise.count("\n") > 1:
            return "\n\n"
        return next((sign for sign in "\n\t" if layout and sign in noise), " ")
    return _LIGATURES.get(noise, "")
