"""VAT numbers, by their country's own form and check digits (python-stdnum knows both)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from types import ModuleType

from stdnum.ch import vat as switzerland
from stdnum.eu import vat as union
from stdnum.gb import vat as britain
from stdnum.no import mva as norway

from docpipe.engines.ports import Span

_COUNTRIES = (
    r"AT ?U|BE|BG|CY|CZ|DE|DK|EE|EL|ES|FI|FR|GB|HR|HU|IE|IT|LT|LU|LV|MT|NL|PL|PT|RO|SE|SI|SK|XI|CHE|NO"
)
_START = re.compile(rf"(?<![A-Za-z0-9])(?:{_COUNTRIES})[ .-]?(?=[A-Z0-9]{{1,3}}[A-Z0-9. -]{{5}})")
_PIECES = re.compile(r"[A-Z0-9]+(?:[ .-][A-Z0-9]+){0,6}")
_PIECE = re.compile(r"(?<![A-Z0-9])[A-Z0-9]++(?![A-Za-z0-9])")
_CUE = re.compile(r"\b(?:VAT|TVA|BTW|IVA|MwSt|MWST|MVA|USt|UID|NIF|TIN|[Tt]ax)\b")
_BEFORE = 40
"""How many characters before a number may say that it is one."""

_LEAST, _MOST = 8, 32
"""Fewest characters, for what is shorter is right by chance too often; and more than the longest has."""


def find_vat_numbers(text: str, start: int, end: int) -> Iterator[Span]:
    """The VAT numbers that begin in `text[start:end]`, from the country's letters to the last digit.

    The European Union, the United Kingdom, Norway and Switzerland. A number in several pieces needs a
    word like `VAT` before it, one without gaps does not.
    """
    for match in _START.finditer(text, start, end):
        for stop in _stops(text, match.start(), match.end()):
            number = text[match.start() : stop]
            if (number.isalnum() or _is_announced(text, match.start())) and _is_valid(number):
                yield Span(match.start(), stop, "VAT_NUMBER")
                break


def _stops(text: str, start: int, digits: int) -> Iterator[int]:
    """Where the number may end: after any of its pieces, the longest first."""
    if whole := _PIECES.match(text, digits):
        ends = [piece.end() for piece in _PIECE.finditer(whole.group())]
        yield from (digits + end for end in reversed(ends) if _LEAST <= digits + end - start <= _MOST)


def _is_valid(number: str) -> bool:
    rule: ModuleType = {"GB": britain, "NO": norway, "CH": switzerland}.get(number[:2], union)
    return bool(rule.is_valid(number))


def _is_announced(text: str, start: int) -> bool:
    return _CUE.search(text, max(0, start - _BEFORE), start) is not None
