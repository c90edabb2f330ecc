"""Telephone numbers: by their own form where they name their country, else by the word before them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from docpipe.engines.ports import Span
from docpipe.stages.entities.alternatives import one_of

_PHONE = re.compile(
    r"(?<![\w.,/+-])(?:"
    r"(?:\+|00)[1-9]\d{0,2}[ .\-/\u00a0]{0,2}(?:\(0?\d{1,4}\)[ .\-/]{0,2})?"
    r"\d{1,5}(?:[ .\-/\u00a0]{0,2}\d{2,5}){1,5}"
    r"|(?:1[ .-])?\([2-9]\d\d\) ?\d{3}[ .-]\d{4}"
    r"|(?:1[.-])?[2-9]\d\d([.-])\d{3}\1\d{4}"
    r")(?![\w]|[.,-]\d)"
)

_CUES = (
    *("tel", "telephone", "phone", "fax", "facsimile", "mobile", "mob", "cell", "call", "hotline", "ph"),
    *("telefon", "tel.-nr", "telefonnummer", "ruf", "rufnummer", "handy", "mobil", "telefax", "durchwahl"),
    *("tél", "téléphone", "télécopie", "portable", "télécopieur"),
    *("telefono", "cellulare", "cell", "teléfono", "tfno", "tlf", "móvil", "telf", "tfn"),
    *("telefone", "telemóvel", "celular", "telefoon", "mobiel", "gsm", "tlf", "tlf.nr", "puh", "puhelin"),
    *("telefonu", "kom", "komórka", "faks", "telefonszám", "telefonní číslo", "cep", "telefonas", "tālrunis"),
    *("тел", "телефон", "моб", "факс", "τηλ", "τηλέφωνο", "κιν"),
)
"""The words that announce a telephone number on letters and forms; no library has them."""

_CUED = re.compile(
    rf"(?i:\b{one_of(_CUES)}\b)\.?(?: ?(?i:no|nr|number|numéro|n°|nummer)\b\.?)? ?[:/]? {{0,3}}"
    r"(?P<it>\+?\(?\d[\d ()./\u00a0\u202f-]{5,30}\d)(?!\w)"
)
_NEXT = re.compile(
    r" ?(?:/|,|;|\||or|oder|ou|o|und|and|et|e) ?(?P<it>\+?\(?0\d[\d ()./\u00a0-]{5,20}\d)(?!\w)"
)
_TWO = re.compile(r" (?:/|-|–) (?=\+?\(?0\d)| / ")
_LEAST = 7
"""Digits of a number with its area code."""
_DIGITS = re.compile(r"\d[\d ()./\u00a0\u202f-]{6}")


def find_telephones(text: str, low: int, high: int) -> Iterator[Span]:
    """The PHONE spans in `text[low:high]`; of those that overlap, both."""
    if not _DIGITS.search(text, low, high):
        return
    for match in _PHONE.finditer(text, low, high):
        yield from _long_enough(text, *match.span())
    for match in _CUED.finditer(text, low, high):
        yield from _parted(text, *match.span("it"))
        end = match.end()
        while more := _NEXT.match(text, end, high):
            yield from _parted(text, *more.span("it"))
            end = more.end()


def _parted(text: str, start: int, end: int) -> Iterator[Span]:
    """The number, or both of two with a stroke between them; what is too short for one is an area code."""
    for border in _TWO.finditer(text, start, end):
        if sum(map(str.isdigit, text[start : border.start()])) < _LEAST:
            continue
        yield from _long_enough(text, start, border.start())
        start = border.end()
    yield from _long_enough(text, start, end)


def _long_enough(text: str, start: int, end: int) -> Iterator[Span]:
    while text[end - 1] in " ./-\u00a0" or (text[end - 1] == "(" and start < end):
        end -= 1
    if _LEAST <= sum(map(str.isdigit, text[start:end])) <= 15:
        yield Span(start, end, "PHONE")
