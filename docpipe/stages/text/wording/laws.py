"""The law that governs: `governed by and construed in accordance with the laws of the State of New York`."""

from __future__ import annotations

import re

from docpipe.models import FactType
from docpipe.stages.text.wording.values import Said

_BLANKS = r"(?![^\S\n]*+\n[^\S\n]*+\n)\s++"
"""No blank line: a name does not run over one."""
_PLACE = rf"(?P<law>[A-Z][\w’'-]{{0,40}}(?:{_BLANKS}(?:(?:and|of)\s++(?=[A-Z]))?[A-Z][\w’'-]{{0,40}}){{0,3}})"
_OF = (
    r"(?:the\s++|THE\s++)?(?:(?i:united\s++states(?:\s++of\s++america)?(?:\s++and\s++(?:of\s++)?|,\s++))?(?:the\s++)?"
    r"(?:(?i:state|commonwealth|province|republic|country"
    r"|people[’']s\s++republic)\s++(?i:of)\s++))?(?:(?i:the)\s++)?"
)
_NOT = re.compile(
    r"(?i)(?:any|such|each|said|the|this|another|section|conflicts?"
    r"|united\s++states(?:\s++of\s++america)?$|u\.?s\.?$|applicable|federal|company"
    r"|agreement|employee|general|state|law|laws|delaware\s++general)\b"
)
_GOVERNED = (
    r"(?i:govern(?:ed|ing|s)?|constru(?:ed|ction)|interpret(?:ed|ation)|enforced|subject\s++to"
    r"|under|in\s++accordance\s++with|according\s++to|pursuant\s++to)"
)
_RULES = (
    (
        0.97,
        re.compile(
            rf"(?i:govern(?:ed|s|ing)|constru(?:ed|e)"
            rf"|interpreted)[^;]{{0,220}}?\b(?i:laws?)\s++(?:and\s++\w+\s++)?(?i:of|in)\s++{_OF}{_PLACE}"
        ),
    ),
    (
        0.95,
        re.compile(
            rf"(?i:govern(?:ed|s|ing)|constru(?:ed|e)"
            rf"|interpreted)[^.;]{{0,160}}?\b(?:the\s++)?(?:{_OF}){_PLACE}(?:[’']s)?\s++(?:state\s++)?(?i:law"
            rf"|laws)\b"
        ),
    ),
    (
        0.9,
        re.compile(
            rf"\b(?i:laws?)\s++(?i:of)\s++{_OF}{_PLACE}[^.;]{{0,80}}?\b(?i:shall|will)\s++(?i:govern|apply"
            rf"|control)"
        ),
    ),
    (0.9, re.compile(rf"\b{_PLACE}\s++(?i:law)\s++(?i:shall|will)\s++(?i:govern|apply|control)")),
    (
        0.8,
        re.compile(
            rf"\b(?i:under|with|to|by)\s++(?:the\s++)?(?i:(?:internal\s++"
            rf"|substantive\s++)?laws?)\s++(?i:of)\s++{_OF}{_PLACE}"
        ),
    ),
    (
        0.6,
        re.compile(
            rf"\b(?i:courts?)\s++(?:\w+\s++){{0,4}}?(?i:of|in|within)\s++(?:\w+\s++County,\s++)?{_OF}{_PLACE}"
        ),
    ),
)
_ORGANISED = re.compile(
    r"(?i)\b(?:organi[sz]ed|existing|incorporated|formed|registered|corporation"
    r"|company)\b[^.;]{0,60}$"
)
_END = re.compile(
    r"(?i)(?<!\s)\s++(?:without|applicable|excluding|except|(?-i:and(?!\s++[A-Z][a-z]))|as|in|without|this|shall|will|law|laws"
    r"|regardless|state|court|courts|county|usa|u)\b.*",
    re.DOTALL,
)
_NEARBY = 90


def read_law(text: str) -> Said | None:
    """The place whose law governs, by the surest wording, and the first of several alike."""
    for score, rule in _RULES:
        found = [span for match in rule.finditer(text) if (span := _place(text, match))]
        if found:
            start, end, shown = found[0]
            return Said(FactType.GOVERNED_BY, start, end, "LOCATION", shown, score)
    return None


def _place(text: str, match: re.Match[str]) -> tuple[int, int, tuple[int, int]] | None:
    start, end = match.span("law")
    name = _END.sub("", text[start:end]).rstrip(" .,’'")
    near = text[max(0, start - _NEARBY) : start]
    if not name or _NOT.match(name) or _ORGANISED.search(near.split("govern")[-1]):
        return None
    return start, start + len(name), (match.start(), start + len(name))
