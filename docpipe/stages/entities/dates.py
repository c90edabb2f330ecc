"""An engine's dates, cut down to what names a time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from docpipe.engines.ports import Span
from docpipe.stages.entities.cldr import month_spellings

_YEARS = re.compile(r"(?<![\d.,])(?:[Mm]id-)?(?:1\d|20|21)\d\d(?:[-–/]\d\d)?(?:['’]?s)?(?![\d]|[.,]\d)")
_MORE = (
    r"b\.?c|a\.?d|[a-z]+day|spring|summer|autumn|fall|winter|season|quarter|fiscal|year|q[1-4]|easter"
    r"|christmas|new"
)
_UNITS = r" [a-z]+ (?:second|minute|hour|day|week|month|year|decade)s\b"
_BEFORE = re.compile(
    r"(?i)(?:(?:the|about|around|approximately|roughly|nearly|almost|over|under|up|at|more|less|fewer|than|least|to"
    r"|most|some|only|just|another|early|earlier|late|mid(?= \d)|middle|first|final|previous|following"
    rf"|next(?= \d|{_UNITS})|(?:(?<=to )|(?<=will )|(?<=can )|(?<=may ))last(?= \d|{_UNITS})"
    r"|coming|same|rest|remaining|end|beginning|start|of|age|in|by|since|until|from|between|circa|ca\.|for|every|each"
    r"|that|these|those|all)[ -]+)+"
)
_AFTER = re.compile(r"(?i)(?<!\s)\s+(?:later|earlier|ago|old|before|after|prior|period|term|of)$")
_NAMES_NOTHING = re.compile(
    r"(?i)(?:now|currently|recently|eve|annual\w*|(?:[a-z-]+ ){0,4}\w*(?:dai|week|month|quarter|year)ly"
    r"|bi-?annual\w*|(?:recent|several|many|few|a few|winter|summer|spring|autumn|morning|evening)?\s?"
    r"(?:seconds?|minutes?|hours?|days?|nights?|weeks?|months?|years?|decades?|centur(?:y|ies)|seasons?|quarters?"
    r"|weekends?|mornings?|evenings?|afternoons?|time|future|present)"
    r"|\w+( - \w+)? years? old|\d{1,2}|[a-z]+teen|\w+ seasons?|.*[°′″].*"
    r"|\d{1,3}(?:,\d{3})+\.\d\d)"
)
_CLOCK = re.compile(r"\d{1,2}[:.]\d\d(?:[:.]\d\d)?(?:\s?[ap]\.?m\.?|\s?(?:h|Uhr))?", re.IGNORECASE)
"""A time of the day, which is a TIME and no DATE."""


@cache
def _longer() -> re.Pattern[str]:
    """What a year stands beside in a date that is more than a year."""
    months = sorted({month[:3] for month in month_spellings("en")})
    return re.compile(rf"(?i)\b(?:{'|'.join(months)}|{_MORE})")


def dates_within(text: str, span: Span) -> Iterator[Span]:
    """The span itself, or where it is a DATE the times it names.

    Years stand alone (`1998 – 2006` are two; `1991–92` and `mid-1970s` are one). Of the rest, words that
    place a time against another are cut off (`early`, `more than`, `later`, `next` before a number), and
    what is left without a point or length of time is none: `weekly`, `the same day`, an age, a coordinate,
    an amount, a time of the day. What depends on the document's own date (`yesterday`, `last week`) stays.
    """
    if span.label not in ("DATE", "TIME"):
        yield span
        return
    piece = text[span.start : span.end]
    if not _longer().search(piece) and (years := list(_YEARS.finditer(text, span.start, span.end))):
        yield from (span._replace(start=year.start(), end=year.end()) for year in years)
        return
    words = " ".join(piece.split())
    if _NAMES_NOTHING.fullmatch(words) or (span.label == "DATE" and _CLOCK.fullmatch(words)):
        return
    start = span.start
    if before := _BEFORE.match(text, start, span.end):
        start = before.end()
    end = span.end
    if after := _AFTER.search(text[start:end]):
        end = start + after.start()
    if start < end and not _NAMES_NOTHING.fullmatch(" ".join(text[start:end].split())):
        yield span._replace(start=start, end=end)
