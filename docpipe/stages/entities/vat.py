"""VAT numbers, by their country's own form and check digits (python-stdnum knows both)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from types import ModuleType

from stdnum.ch import vat as switzerland
from stdnum.eu import vat as union
from stdnum.gb import vat as britain
from stdnum.no import mva as norway
from stdnum.util import get_cc_module

from docpipe.engines.ports import Span
from docpipe.stages.entities.alternatives import one_of

_COUNTRIES = (
    r"AT ?U|BE|BG|CY|CZ|DE|DK|EE|EL|ES|FI|FR|GB|HR|HU|IE|IT|LT|LU|LV|MT|NL|PL|PT|RO|SE|SI|SK|XI|CHE|NO"
)
_START = re.compile(rf"(?<![A-Za-z0-9])(?:{_COUNTRIES})[ .-]?(?=[A-Z0-9]{{1,3}}[A-Z0-9. -]{{5}})")
_PIECES = re.compile(r"[A-Z0-9]+(?:[ .-][A-Z0-9]+){0,6}")
_PIECE = re.compile(r"(?<![A-Z0-9])[A-Z0-9]++(?![A-Za-z0-9])")
_BY_WORD = {
    **dict.fromkeys(("VAT", "Tax", "TIN"), ("GB", "IE", "CH", "NO")),
    **dict.fromkeys(("TVA", "SIREN"), ("FR", "BE", "LU", "CH", "RO")),
    **dict.fromkeys(("BTW", "Btw", "btw"), ("NL", "BE")),
    **dict.fromkeys(("IVA", "P.IVA", "P. IVA", "Partita IVA"), ("IT", "ES", "PT", "CH")),
    **dict.fromkeys(("NIF", "CIF", "N.I.F", "C.I.F", "NIPC", "Contribuinte"), ("ES", "PT", "RO")),
    **dict.fromkeys(("MwSt", "MWST", "UID", "USt", "USt-IdNr", "UStID"), ("AT", "CH", "DE")),
    **dict.fromkeys(("MVA", "Org.nr", "Orgnr"), ("NO",)),
    **dict.fromkeys(("Moms", "moms", "Momsnr", "CVR", "SE-nr"), ("DK", "SE")),
    **dict.fromkeys(("NIP",), ("PL",)),
    **dict.fromkeys(("DIČ", "DIC", "IČ DPH"), ("CZ", "SK")),
    **dict.fromkeys(("CUI", "CIF"), ("RO", "ES")),
    **dict.fromkeys(("ALV", "Y-tunnus"), ("FI",)),
    **dict.fromkeys(("ΑΦΜ", "Α.Φ.Μ"), ("GR",)),
    **dict.fromkeys(("OIB",), ("HR",)),
    **dict.fromkeys(("Adószám", "adószám"), ("HU",)),
    **dict.fromkeys(("ДДС", "ЕИК"), ("BG",)),
    **dict.fromkeys(("PVM",), ("LT",)),
    **dict.fromkeys(("PVN",), ("LV",)),
    **dict.fromkeys(("KMKR",), ("EE",)),
}
"""Words before a number, and the countries whose number it may be when it does not name one itself."""

_CUE = re.compile(rf"(?<!\w){one_of(_BY_WORD)}(?!\w)")
_NATIONAL = re.compile(
    rf"(?<!\w)(?P<word>{one_of(_BY_WORD)})(?!\w)\.?[ -]?(?i:(?:id|reg|registration|identification|number|no"
    r"|nr|n°|nº|nummer|numer|numero|numéro|número|intracommunautaire|intracom)\b\.?[ -]?){0,3}[:°º]? {0,2}"
    r"(?P<it>[A-Z]?\d[\dA-Z]{0,13}(?:[ .-][\dA-Z]{1,9}){0,5})(?!\w)"
)
_BEFORE = 40
"""How many characters before a number may say that it is one."""

_LEAST, _MOST = 8, 32
"""Fewest characters, for what is shorter is right by chance too often; and more than the longest has."""


def find_vat_numbers(text: str, start: int, end: int) -> Iterator[Span]:
    """The VAT numbers that begin in `text[start:end]`, from the country's letters to the last digit.

    The European Union, the United Kingdom, Norway and Switzerland. A number in several pieces needs a
    word like `VAT` before it, one without gaps does not. A number without the country's letters is found
    after a word that says whose it is: `NIP 856-734-62-15`.
    """
    for match in _START.finditer(text, start, end):
        for stop in _stops(text, match.start(), match.end()):
            number = text[match.start() : stop]
            if (number.isalnum() or _is_announced(text, match.start())) and _is_valid(number):
                yield Span(match.start(), stop, "VAT_NUMBER")
                break
    for match in _NATIONAL.finditer(text, start, end):
        if any(_is_national(match["it"], country) for country in _BY_WORD[match["word"]]):
            yield Span(*match.span("it"), "VAT_NUMBER")


def _stops(text: str, start: int, digits: int) -> Iterator[int]:
    """Where the number may end: after any of its pieces, the longest first."""
    if whole := _PIECES.match(text, digits):
        ends = [piece.end() for piece in _PIECE.finditer(whole.group())]
        yield from (digits + end for end in reversed(ends) if _LEAST <= digits + end - start <= _MOST)


def _is_valid(number: str) -> bool:
    rule: ModuleType = {"GB": britain, "NO": norway, "CH": switzerland}.get(number[:2], union)
    return bool(rule.is_valid(number))


def _is_national(number: str, country: str) -> bool:
    rule = get_cc_module(country, "vat")
    return sum(map(str.isdigit, number)) >= _LEAST and rule is not None and bool(rule.is_valid(number))


def _is_announced(text: str, start: int) -> bool:
    return _CUE.search(text, max(0, start - _BEFORE), start) is not None
