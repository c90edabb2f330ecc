"""Points and lengths of time in English words: what an engine that names no dates leaves to be found.

`patterns.py` finds the dates that have a day, a month or a clear sign of a year. Here are the rest: years,
decades, centuries, seasons, days of the week, and what is told from today or by a count. They give way to
any name or other finding they run into.
"""

from __future__ import annotations

import re
from functools import cache

from docpipe.engines.ports import Span

_COUNT = (
    r"(?:\d{1,4}|an?|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen"
    r"|sixteen|seventeen|eighteen|nineteen|(?:twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety)"
    r"(?:[ -]{1,3}(?:one|two|three|four|five|six|seven|eight|nine))?|several|(?:a )?few|hundreds of|many)"
)
_UNIT = r"(?:second|minute|hour|day|night|week|month|quarter|year|decade|centur)"
_UNITS = rf"(?:{_UNIT}s|centuries)"
_DAY = r"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day"
_MONTH = (
    r"(?:January|February|April|June|July|August|September|October|November|December"
    r"|(?:(?<=[Ii]n )|(?<=[Ss]ince )|(?<=[Uu]ntil )|(?<=[Ll]ast ))(?:March|May))"
)
_SEASON = r"(?:spring|summer|autumn|fall|winter)"
_PART = rf"(?:morning|afternoon|evening|night|week|weekend|month|quarter|year|decade|century|{_SEASON})"
_PLACED = r"(?:(?:[Ee]arly|[Mm]id|[Ll]ate)(?:[ -]| - ))?"
_ORDINAL = (
    r"(?:\d{1,2}(?:st|nd|rd|th)|first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|eleventh"
    r"|twelfth|thirteenth|fourteenth|fifteenth|sixteenth|seventeenth|eighteenth|nineteenth|twentieth|twenty-first)"
)
_NAMED = rf"(?:{_UNITS}|{_PART}|{_DAY}|{_MONTH})"
_YEAR = r"(?:1[4-9]|20)\d\d"

_WORDS = "|".join(
    (
        rf"(?:[Tt]he )?{_PLACED}(?:1[4-9]|20)\d0['’]?s\b",
        rf"(?:[Tt]he )?{_PLACED}{_ORDINAL}(?:[ -]| - )centur(?:y|ies)(?: (?:BCE?|AD|CE)\b)?",
        rf"(?:[Tt]he )?(?:{_ORDINAL}|(?:Fir|La)st|Second|Third|Fourth) quarter(?: of (?:fiscal )?{_YEAR})?",
        rf"(?<!to )(?:[Tt]he )?(?:[Ll]ast|[Pp]ast|[Nn]ext|[Pp]revious) (?:{_COUNT} )?{_NAMED}\b",
        rf"[Tt]his (?:{_PART}|{_DAY}|{_MONTH})\b",
        rf"{_COUNT} (?:more )?{_UNITS}\b|\b[Aa] (?:week|month|year|decade|century)\b(?! (?:later|after))",
        r"(?:[Tt]oday|[Yy]esterday|[Tt]omorrow|[Tt]onight)\b",
        rf"(?:(?:[Tt]he )?{_SEASON} of {_YEAR}|{_SEASON} {_YEAR})",
        rf"{_DAY}(?: (?:morning|afternoon|evening|night))?\b",
        rf"{_PLACED}{_MONTH}(?: {_YEAR})?\b",
        r"(?:[Tt]his |[Ll]ast |[Nn]ext )?(?:Christmas|Easter|Thanksgiving|New Year['’]s)(?: (?:Day|Eve))?\b",
    )
)
_SPAN = rf"{_YEAR}(?: ?[-–—/] ?(?:{_YEAR}|\d\d?))?"
_NO_YEAR = (
    r"(?:[Nn]o\.?|[Nn]os\.?|[Nn]umber|[Nn]umbers|[Ss]ection|[Aa]rticle|[Rr]ule|[Pp]age|[Pp]\.|[Ff]orm|[Rr]oom"
    r"|[Bb]ox|[Pp]art|[Ii]tem|[Nn]ote|[Ss]uite|USD|EUR|GBP|[$€£#])"
)
_AFTER_A_NUMBER = (
    r"(?![\w%]|[.,:/-]\d| ?[-–—] ?\d|[^\S\n](?:[a-z]{1,20}s\b|(?:percent|per cent|million|km|m|kg|ft)\b))"
)


@cache
def _times() -> re.Pattern[str]:
    year = rf"(?<![\w.,:/$€£#-])(?:{_PLACED}|[Ff]iscal )(?P<year>{_SPAN}){_AFTER_A_NUMBER}"
    return re.compile(rf"(?<![\w-])(?:{_WORDS})(?!\w)|{year}")


_CUE = re.compile(rf"\b{_NO_YEAR}[^\S\n]?$")


def find_times(text: str) -> list[Span]:
    """The DATE spans in order; none over another."""
    return [
        Span(match.start(), match.end(), "DATE")
        for match in _times().finditer(text)
        if not (match.group("year") and _CUE.search(text, max(0, match.start() - 12), match.start()))
    ]
