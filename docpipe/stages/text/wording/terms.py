"""How long an agreement lasts: `This Agreement shall expire two (2) years from the date hereof`."""

from __future__ import annotations

import re
from functools import cache

from docpipe.models import FactType
from docpipe.stages.text.wording.values import Said

_ONES = (
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
    " seventeen eighteen nineteen"
)
_TENS = {
    "twenty": 20,
    "thirty": 30,
    "forty": 40,
    "fifty": 50,
    "sixty": 60,
    "seventy": 70,
    "eighty": 80,
    "ninety": 90,
}
_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
_UNITS = {"day": "D", "week": "W", "month": "M", "year": "Y"}


@cache
def _numbers() -> dict[str, int]:
    ones = {word: number for number, word in enumerate(_ONES.split(), 1)}
    joined = {f"{ten}-{one}": tens + ones[one] for ten, tens in _TENS.items() for one in list(ones)[:9]}
    return ones | _TENS | joined


_NUMBER = (
    rf"(?:\d{{1,3}}|(?:{'|'.join(_TENS)})(?:[- ](?:{'|'.join(_ONES.split()[:9])}))?"
    rf"|(?:{'|'.join(_ONES.split()[::-1])}))"
)
LENGTH = re.compile(
    rf"(?i)(?<![\w.,$-])(?P<number>{_NUMBER})(?:\s*+\(\s*+(?P<digits>\d{{1,3}})\s*+\))?[\s-]++"
    rf"(?P<unit>day|week|month|year)s?(?![\w])[’']?"
)
ANNIVERSARY = re.compile(
    rf"(?i)(?<!\w)(?:(?P<ordinal>{'|'.join(_ORDINALS)})(?:\s*+\(\s*+\d{{1,2}}(?:st|nd|rd|th)\s*+\))?"
    rf"|(?P<digits>\d{{1,2}})(?:st|nd|rd|th))\s++anniversary(?!\w)"
)
_OF_ITSELF = re.compile(
    r"(?i)\s++(?:of\s++)?(?:hereof|(?:the|this|such)\s++(?:(?:effective\s++)?date|execution|agreement|letter))\b"
)
"""An anniversary of the agreement's own date, not of a closing or of somebody's employment."""
_THIS = (
    r"(?i:this\s++(?:\w+\s++){0,3}?(?:agreement|letter|contract|nda|understanding)|hereunder|herein"
    r"|the\s++agreement)"
)
_LASTS = (
    r"(?i:expires?|terminates?|terminated|be\s++in\s++(?:full\s++)?(?:force|effect)"
    r"|in\s++(?:full\s++)?force|remains?\s++in|continues?|be\s++effective|cease|"
    r"lapse|ha(?:ve|s)\s++a\s++term|be\s++binding|survive|apply|govern|end|in\s++effect|valid|commence|begin|no\s++further\s++force)"
)
_PERIOD = re.compile(
    r"(?i)(?:period|years?|months?)\s++of\s*+$|for\s*+$|(?:expire"
    r"|terminate)[sd]?\s++(?:on\s++the\s++date\s++that\s++is\s++)?(?:\w+\s++)?$|(?:until"
    r"|or)\s*+(?:\(\w+\)\s*+)?$|shall\s++be\s*+$|is\s*+$|term\s++of\s*+$|at\s++the\s++end\s++of\s*+$"
)
_RULES = (
    (
        0.95,
        re.compile(
            r"(?i)\bterm\s++of\s++(?:this|the)\s++(?:\w+\s++){0,2}?(?:agreement|contract|lease"
            r"|nda)\b[^.;]{0,80}$"
        ),
    ),
    (
        0.94,
        re.compile(
            rf"(?<!under\s){_THIS}(?![^.;]{{0,150}}\b(?i:solicit|employ|hire|acquire"
            rf"|purchase))[^;]{{0,260}}?\b{_LASTS}\b[^;]{{0,200}}$"
        ),
    ),
    (
        0.8,
        re.compile(
            rf"(?i:obligations?|restrictions?|provisions?|covenants?|commitments"
            rf"|undertakings)\b[^.;]{{0,200}}?\b{_LASTS}\b[^.;]{{0,200}}$"
        ),
    ),
    (
        0.85,
        re.compile(
            r"(?im)^[^\S\n]*+[ \t\d.()]*+(?:term|duration|term\s++of\s++agreement"
            r"|term\s++and\s++termination)\b[^\S\n]*+[.:–—-][^;]{0,200}$"
        ),
    ),
)
_NOT_BEFORE = re.compile(
    r"(?i)\b(?:solicit|hire|employ(?:ment|ee)?s?\s++for|notice|prior\s++written"
    r"|days?[’']?\s++(?:prior|notice)|acquire|purchase|option|standstill|non-?compet\w*|salary"
    r"|warrant|vest\w*|trade\s++secrets?"
    r"|compete|during\s++the\s++term\s++of\s++this\s++agreement\s++and|restricted|severance|benefits?"
    r"|cobra|bonus|cure|employees?)\b"
)
_NOT_AFTER = re.compile(
    r"(?i)\s*+(?:[’']?\s*+(?:prior\s++)?(?:written\s++)?notice|of\s++(?:age|service|experience)|old"
    r"|prior\s++to|before|thereafter\s++for\s++trade"
    r"|(?:from|after|following)\b[^.;]{0,120}?\b(?:ceas(?:es?|ed|ing)\s++to\s++(?:be|serve|act|hold)|relationship\b))"
)
"""A length that is no term: a notice, an age, or one counted from when somebody leaves an office."""
_SENTENCE = re.compile(r"(?<=[a-z)\d”\"])[.;]\s++(?=[A-Z(“\"])|\n[^\S\n]*+\n|(?<=[.])\n(?=\d{1,2}\.?\s)")
_BEFORE = 420


def length_of_time(text: str) -> str | None:
    """ISO 8601: `P2Y` for `two (2) years` and up to a `second anniversary`; None for what is no length in
    days, weeks, months or years.
    """
    if found := ANNIVERSARY.fullmatch(text):
        return f"P{int(found['digits'] or 1 + _ORDINALS.index(found['ordinal'].casefold()))}Y"
    found = LENGTH.fullmatch(text)
    if not found:
        return None
    word = re.sub(r"\s++", "-", found["number"].casefold())
    digits = found["digits"] or (word if word.isdigit() else None)
    count = int(digits) if digits else _numbers().get(word)
    return f"P{count}{_UNITS[found['unit'].casefold()]}" if count else None


def in_figures(text: str, length: str) -> str:
    """The text of a length (`P2Y`) in figures: `2 years` of `two (2) years`, `2 ans` of `deux (2) ans`."""
    count = int(length[1:-1])
    if found := LENGTH.fullmatch(text):
        return f"{count} {found['unit'].lower()}{'s' * (count > 1)}"
    if ANNIVERSARY.fullmatch(text):
        return f"{count} year{'s' * (count > 1)}"
    return f"{count} {text.split()[-1]}"


def read_lengths(text: str) -> list[tuple[int, int]]:
    """Where a length of time in months or years stands."""
    return [
        (found.start(), _end(found))
        for found in LENGTH.finditer(text)
        if found["unit"].casefold() in ("month", "year")
    ]


def read_term(text: str) -> Said | None:
    """How long the agreement lasts, by the surest wording; None where it does not say."""
    best: Said | None = None
    for found in _lengths(text):
        if (said := _term(text, found)) and (best is None or said.score > best.score):
            best = said
    return best


def _lengths(text: str) -> list[re.Match[str]]:
    """Lengths in months or years, and anniversaries of the agreement, in the order of the text."""
    lengths = [found for found in LENGTH.finditer(text) if found["unit"].casefold() in ("month", "year")]
    ends = [found for found in ANNIVERSARY.finditer(text) if _OF_ITSELF.match(text, found.end())]
    return sorted([*lengths, *ends], key=re.Match.start)


def _term(text: str, found: re.Match[str]) -> Said | None:
    window = text[max(0, found.start() - _BEFORE) : found.start()]
    before = _SENTENCE.split(window)[-1]
    heading = _SENTENCE.split(window)[-2:]
    if _NOT_AFTER.match(text, found.end()) or _NOT_BEFORE.search(before):
        return None
    for score, rule in _RULES:
        said = rule.search("\n".join(heading) if score == 0.85 else before)
        if said:
            return Said(
                FactType.TERM_OF,
                found.start(),
                _end(found),
                "DATE",
                (found.start() - len(before), found.end()),
                score,
            )
    return None


def _end(found: re.Match[str]) -> int:
    return found.end() - found.group().endswith(("’", "'"))
