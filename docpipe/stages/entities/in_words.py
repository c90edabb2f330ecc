"""Dates and amounts that are written out: `the twelfth day of June, two thousand and twenty-four`.

Numbers in words are read by text2num, in the languages it knows; names of months and currencies are CLDR's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache, lru_cache
from typing import NamedTuple

from text_to_num import alpha2digit

from docpipe.engines.ports import Span
from docpipe.stages.entities import cldr
from docpipe.stages.entities.alternatives import one_of, printed

LANGUAGES = ("en", "de", "fr", "it", "es", "pt", "nl")
"""Those whose numbers in words are read."""

_SMALL_MONTHS = ("fr", "it", "es", "pt", "nl")
"""Those that write the names of months in small letters."""

_MOST_WORDS = 12
_REACH = 160
"""Characters to either side in which the words of a number stand."""

_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_BLANK_OR_COMMA = re.compile(r",?[^\S\n]{0,3}\n?[^\S\n]{0,3}")
_WORDS_BEFORE = re.compile(r"(?:(?<!\w)[^\W\d_][\w'’-]{0,30},?\s{1,4}){1,3}$")
_ORDINAL = re.compile(r"\d{1,2}(?:st|nd|rd|th|er|ère|e|ème|\.|º|ª|°)")
_DAY = re.compile(r"\d{1,2}(?:st|nd|rd|th|er|ère|e|ème|\.|º|ª|°)?")
_YEAR = re.compile(r"(?:1[4-9]|20|21)\d\d")
_CARDINAL = re.compile(r"\d{1,15}")
_FIRST_NUMBER = re.compile(r"\D{0,4}\d")
_BETWEEN = frozenset(
    ["of", "day", "the", "de", "del", "di", "du", "den", "dem", "des", "year", "and", "año", "anno", "ano"]
)
_JOINS = frozenset(["and", "und", "et", "e", "y", "en"])
_ONE = re.compile(r"\b(?:a|an) (?=hundred|thousand|million|billion)", re.IGNORECASE)


class _Word(NamedTuple):
    text: str
    start: int
    end: int


@cache
def _anchors() -> re.Pattern[str]:
    """The name of a month or of a currency of the world."""
    small = cldr.month_spellings(*_SMALL_MONTHS, abbreviated=False)
    capital = printed(cldr.month_spellings("en", "de", abbreviated=False))
    money = one_of(cldr.world_currency_spellings())
    return re.compile(rf"(?<!\w)(?:(?P<month>{capital}|(?i:{one_of(small)}))|(?i:{money}))(?!\w)")


@cache
def _has_month(language: str, name: str) -> bool:
    return name in {each.lower() for each in cldr.month_spellings(language, abbreviated=False)}


def find_in_words(text: str, low: int, high: int) -> Iterator[Span]:
    """The DATE and MONEY spans in `text[low:high]` whose numbers are words; the day of a date is."""
    for match in _anchors().finditer(text, low, high):
        before = _WORDS_BEFORE.search(text, max(low, match.start() - 60), match.start())
        if not before or not any(map(_is_number, _WORD.findall(before.group().lower()))):
            continue
        find = _date if match["month"] else _amount
        span = next((found for each in LANGUAGES if (found := find(text, match, each, low, high))), None)
        if span:
            yield span


@lru_cache(4096)
def _is_number(word: str) -> bool:
    """Whether it is a number in one of the languages, or the end of one."""
    return any(_digits(word, language) != word for language in LANGUAGES)


def in_digits(text: str) -> str | None:
    """The text with its numbers in digits, one of them first, by a language that reads it; else None.

    `millions of dollars` names no number.
    """
    if text.lower().startswith(tuple(cldr.scale_spellings())):
        return None
    for language in LANGUAGES:
        digits = _digits(text, language)
        if digits != text and _FIRST_NUMBER.match(digits):
            return digits
    return None


def _digits(text: str, language: str) -> str:
    return str(alpha2digit(_ONE.sub("one ", " ".join(text.split())), language, 0))


def _date(text: str, month: re.Match[str], language: str, low: int, high: int) -> Span | None:
    if not _has_month(language, month.group().lower()):
        return None
    before = _words_before(text, month.start(), low)[-4:]
    after = _words_after(text, month.end(), high)[:8]
    linked = bool(before) and before[-1].text.lower() in _BETWEEN
    while before and before[-1].text.lower() in _BETWEEN:
        before.pop()
    while after and after[0].text.lower() in _BETWEEN:
        after.pop(0)
    form = _ORDINAL if language in ("en", "de") else _DAY
    day = next((run for run in _endings(before) if _reads(run, language, form)), None)
    year = next((run for run in _beginnings(after) if _reads(run, language, _YEAR)), None)
    if not day or (language == "en" and not linked and not year):
        return None
    digits = _YEAR_IN_DIGITS.match(text, month.end(), high)
    end = year[-1].end if year else digits.end() if digits else month.end()
    return Span(day[0].start, end, "DATE")


_YEAR_IN_DIGITS = re.compile(rf"(?:,?\s(?:(?:de|del|of|in the year)\s)?){_YEAR.pattern}(?!\w)")


def _amount(text: str, currency: re.Match[str], language: str, low: int, _: int) -> Span | None:
    words = _words_before(text, currency.start(), low)
    for run in _endings(words):
        if run[-1].text.lower() not in _JOINS and _reads(run, language, _CARDINAL):
            return Span(run[0].start, currency.end(), "MONEY")
    return None


def _words_before(text: str, start: int, low: int) -> list[_Word]:
    """The words that end at `start`, nothing but a blank or comma between them."""
    words = [_Word(m.group(), *m.span()) for m in _WORD.finditer(text, max(low, start - _REACH), start)]
    kept: list[_Word] = []
    for word in reversed(words[-_MOST_WORDS:]):
        if not _BLANK_OR_COMMA.fullmatch(text, word.end, start):
            break
        kept.insert(0, word)
        start = word.start
    return kept


def _words_after(text: str, end: int, high: int) -> list[_Word]:
    kept: list[_Word] = []
    for match in _WORD.finditer(text, end, min(high, end + _REACH)):
        if not _BLANK_OR_COMMA.fullmatch(text, end, match.start()):
            break
        kept.append(_Word(match.group(), *match.span()))
        end = match.end()
    return kept


def _endings(words: list[_Word]) -> Iterator[list[_Word]]:
    """All of the words, then without the first, …; none that begins with a word that joins numbers."""
    for start, word in enumerate(words):
        if word.text.lower() not in _JOINS:
            yield words[start:]


def _beginnings(words: list[_Word]) -> Iterator[list[_Word]]:
    for end in range(len(words), 0, -1):
        if words[end - 1].text.lower() not in _JOINS:
            yield words[:end]


def _reads(run: list[_Word], language: str, form: re.Pattern[str]) -> bool:
    """Whether the words are one number of that form, and nothing else."""
    return form.fullmatch(_digits(" ".join(word.text for word in run), language)) is not None
