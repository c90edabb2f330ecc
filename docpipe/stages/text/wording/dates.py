"""The date from which an agreement holds: `dated as of July 13, 2011 (the "Effective Date")`."""

from __future__ import annotations

import re
from collections.abc import Sequence

from docpipe.models import FactType, Mention
from docpipe.stages.text.wording.values import Said

_HEAD = 3_500
_PAPER = r"(?i:agreement|contract|lease|deed|amendment|covenant|release|letter)"
_DEFINED = re.compile(
    r"[\s,]*+\(\s*+(?:the\s++|hereinafter\s++)?(?:the\s++)?[“\"](?i:effective\s++date"
    r"|date\s++of\s++this\s++agreement|agreement\s++date|commencement\s++date)"
)
_EFFECTIVE = re.compile(
    r"(?i)(?:effective(?:\s++date)?(?:\s++(?:as\s++of|on|from|this|date))?|(?:becomes?"
    r"|be)\s++effective\s++(?:as\s++of|on)|takes?\s++effect\s++(?:as\s++of|on"
    r"|from))\s*+[:,]?\s*+(?:the\s++)?(?:date\s++of\s++)?$"
)
_DATED = re.compile(
    r"(?i)(?:dated|made|entered\s++into|executed|agreement|contract|delivered|and\s++between|signed"
    r"|is|date)[\s,:)”\"]*+(?:(?:and|is|made|entered\s++into|executed|effective|delivered"
    r"|dated)[\s,]++){0,6}"
    r"(?:(?:as\s++of|on|this|at|effective)[\s,]++){0,3}(?:the\s++|this\s++)?\s*+$"
)
_AS_OF = re.compile(r"(?i)\bas\s++of\s++(?:the\s++|this\s++)?$")
_WITNESS = re.compile(
    r"(?i)(?:in\s++witness\s++whereof|executed|signed|accepted|agreed)[^.]{0,220}?\b(?:as\s++of|on"
    r"|this|dated?|the)\s++(?:the\s++|this\s++)?$"
)
_SIGNED = re.compile(
    r"(?i)(?:^|[\n\t])[^\S\n\t]*+(?:date[d]?|by|signature)(?:\s?:)?\t?[^\n\t]{0,40}$|/s/[^\n]{0,60}$"
)
_GREETING = re.compile(r"(?m)^(?:Ladies\s++and\s++Gentlemen|Gentlemen|Dear\b|To\s++Whom)")
_OTHER = re.compile(
    r"(?i)(?:\breference\s++is\s++made\s++to|\bthat\s++certain|\bparties\s++to\s++an?\b|\bas\s++amended"
    r"|\bamended\s++and\s++restated\s++effective"
    r"|\bformerly)[^.]{0,140}$"
    r"|\b(?:merger|purchase|employment|credit|license|prior|original|previous|existing"
    r"|that\s++certain|a\s++certain)\s++(?:\w+\s++)?agreement[^.]{0,80}$"
)
_TOP = 1_000
"""Where a letter has its date."""
_FULL = re.compile(r"\d{4}-\d\d-\d\d$")


def read_date(text: str, dates: Sequence[Mention]) -> Said | None:
    """The date from which it holds, by the surest rule; `dates` are the DATE mentions in order."""
    full = [each for each in dates if each.value and _FULL.match(each.value)]
    greeting = _GREETING.search(text, 0, _HEAD)
    best: Said | None = None
    for each in full:
        score = _score(text, each, greeting.start() if greeting else 0)
        if score and (best is None or score > best.score):
            shown = (max(0, each.start - 60), each.end)
            best = Said(FactType.DATED, each.start, each.end, "", shown, score, "effective")
    return best


def _score(text: str, date: Mention, letter: int) -> float:
    before = " ".join(text[max(0, date.start - 160) : date.start].split()) + " "
    if _DEFINED.match(text, date.end):
        return 0.98
    head = date.start < _HEAD
    if _OTHER.search(before):
        return 0.0
    if head and _EFFECTIVE.search(before):
        return 0.97
    if head and (_AS_OF.search(before) or _DATED.search(before)):
        return (0.88 if 0 < letter < date.start else 0.95) - date.start / 1e6
    if date.start < letter or (date.start < _TOP and _is_alone(text, date)):
        return 0.9
    if _EFFECTIVE.search(before):
        return 0.85
    if date.start > len(text) // 2 and _WITNESS.search(text, max(0, date.start - 260), date.start):
        return 0.7
    if date.start > len(text) // 2 and _SIGNED.search(text[max(0, date.start - 80) : date.start]):
        return 0.6
    return 0.0


def _is_alone(text: str, date: Mention) -> bool:
    """Whether nothing else stands on its line."""
    start, end = text.rfind("\n", 0, date.start) + 1, text.find("\n", date.end)
    return not (text[start : date.start] + text[date.end : max(end, date.end)]).strip()
