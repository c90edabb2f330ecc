"""What CLDR knows of months, weekdays and currencies in the languages of Europe, read once when first needed.

Names to look up are `folded`, spellings to look for are as printed. Babel carries CLDR's data.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cache

from babel import Locale
from babel.core import get_global
from babel.numbers import get_currency_precision, list_currencies

LANGUAGES = (
    *("en", "de", "fr", "it", "es", "pt", "nl", "lb", "ca", "gl", "ro", "el", "sq", "mt", "tr", "ga", "cy"),
    *("da", "sv", "nb", "nn", "fi", "is", "et", "lv", "lt", "hu"),
    *("pl", "cs", "sk", "sl", "hr", "bs", "sr", "mk", "bg", "ru", "uk", "be"),
)
"""Those whose names of months and currencies are read: of Europe's with a country or nation of their own all
but Basque, which puts its endings into the date."""

_WIDTHS = ("wide", "abbreviated")
_CONTEXTS = ("format", "stand-alone")
_WORD = re.compile(r"[^\W\d_]+")
_QUOTED = re.compile(r"'([^']*)'")
_CODE = re.compile(r"[A-Z]{3}")
_ARTICLE = re.compile(r"^(?:de |d[’'])")
"""Part of the names of months in Catalan."""

CONVENTIONS = {
    "S$": "SGD",
    "円": "JPY",
    "dollar": "USD",
    "dollars": "USD",
    "pound sterling": "GBP",
    "pounds sterling": "GBP",
}
"""Signs and names of currencies that are in use and not in CLDR."""

_WORLD = ("USD", "EUR", "GBP", "CHF")
"""Currencies whose name is read in every language; of the others only in their own."""


def folded(text: str) -> str:
    """Lower case without accents; compatible characters as plain ones (`º` as `o`)."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(character for character in decomposed if not unicodedata.combining(character))


@cache
def months() -> dict[str, frozenset[tuple[int, bool]]]:
    """By each name and abbreviation: the number of the month, and whether a full stop follows the day there.

    Only names that mean different months in two languages have more than one: Polish `listopada` is
    November, Croatian `listopada` October, and only Croatian writes `7. listopada`.
    """
    found: defaultdict[str, set[tuple[int, bool]]] = defaultdict(set)
    for language in LANGUAGES:
        locale = Locale.parse(language)
        dotted = "d." in locale.date_formats["long"].pattern
        for name, number in _month_names(locale, _WIDTHS):
            found[" ".join(meaningful(name))].add((number, dotted))
    return {name: frozenset(each) for name, each in found.items()}


def meaningful(name: str) -> list[str]:
    """The folded words of a month's name."""
    return _WORD.findall(folded(_ARTICLE.sub("", name)))


@cache
def month_spellings(*languages: str, abbreviated: bool = True) -> frozenset[str]:
    """The names as these languages print them, without an article and the full stop of an abbreviation."""
    widths = _WIDTHS if abbreviated else _WIDTHS[:1]
    names = (name for each in languages for name, _ in _month_names(Locale.parse(each), widths))
    return frozenset(_ARTICLE.sub("", name.rstrip(".")) for name in names)


def _month_names(locale: Locale, widths: Iterable[str]) -> Iterator[tuple[str, int]]:
    for context in _CONTEXTS:
        for width in widths:
            for number, name in locale.months[context][width].items():
                if _WORD.search(name):
                    yield name, number


@cache
def weekdays() -> frozenset[str]:
    """The words of the names and abbreviations of weekdays."""
    return frozenset(
        word
        for language in LANGUAGES
        for name in weekday_spellings(language)
        for word in _WORD.findall(folded(name))
    )


@cache
def weekday_spellings(language: str) -> frozenset[str]:
    """The names and abbreviations of weekdays as this language prints them."""
    days = Locale.parse(language).days
    forms = (days[context][width].values() for context in _CONTEXTS for width in _WIDTHS)
    return frozenset(name.rstrip(".") for names in forms for name in names)


@cache
def quarter_spellings() -> frozenset[str]:
    """The names of the quarters of a year: `Q3`, `T3`, `3. Quartal`, `3e trimestre`."""
    days = (Locale.parse(language).quarters for language in LANGUAGES)
    forms = (each[context][width].values() for each in days for context in _CONTEXTS for width in _WIDTHS)
    return frozenset(name for names in forms for name in names if any(map(str.isdigit, name)))


@cache
def date_words() -> frozenset[str]:
    """The words that the languages' forms of a date have between its parts: `de`, `gada`, `г`."""
    forms = (form for each in LANGUAGES for form in Locale.parse(each).date_formats.values())
    parts = (folded(part) for form in forms for part in _QUOTED.findall(form.pattern))
    return frozenset(word for part in parts for word in _WORD.findall(part))


@cache
def currencies() -> frozenset[str]:
    """The ISO 4217 codes of what is legal tender somewhere today."""
    return frozenset(code for territory in get_global("territory_currencies") for code in _held(territory))


def _held(territory: str) -> Iterator[str]:
    held = get_global("territory_currencies").get(territory, ())
    yield from (code for code, _, ended, tender in held if tender and ended is None)


@cache
def codes() -> frozenset[str]:
    """The ISO 4217 codes of all currencies, those of the past too."""
    return frozenset(list_currencies())


@cache
def currency_signs() -> dict[str, frozenset[str]]:
    """By each sign (`$`, `CA$`, `zł`, `kr`), as printed, the codes of the currencies it may stand for."""
    found = {sign: {code} for sign, code in CONVENTIONS.items() if len(sign) < 3}
    for language in (*LANGUAGES, "ja"):
        for code, sign in Locale.parse(language).currency_symbols.items():
            if code in currencies() and _is_sign(sign):
                found.setdefault(sign.rstrip("."), set()).add(code)
    return {sign: frozenset(codes) for sign, codes in found.items()}


def _is_sign(sign: str) -> bool:
    """Whether it is more than capitals, which are codes, units (`KM`) and abbreviations of other things."""
    if sign.isascii() and sign.rstrip(".").isalpha():
        return sign in ("kr", "kr.", "Ft")
    return is_symbol(sign) or any(map(str.islower, sign))


def is_symbol(sign: str) -> bool:
    """Whether a character of it is a currency's own, so that it needs no blank to either side."""
    return any(unicodedata.category(character) == "Sc" for character in sign)


@cache
def currency_names() -> dict[str, frozenset[str]]:
    """By the folded words of each name, in each of its forms, the codes it may stand for."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for name, code in _currency_forms():
        found[" ".join(_WORD.findall(folded(name)))].add(code)
    return {name: frozenset(codes) for name, codes in found.items()}


@cache
def currency_spellings() -> frozenset[str]:
    """The names in each of their forms, in lower case."""
    return frozenset(name.lower() for name, _ in _currency_forms())


@cache
def world_currency_spellings() -> frozenset[str]:
    """Of those names, the ones of the currencies that are read in every language."""
    return frozenset(name.lower() for name, code in _currency_forms() if code in _WORLD)


def _currency_forms() -> Iterator[tuple[str, str]]:
    yield from ((name, code) for name, code in CONVENTIONS.items() if len(name) > 3)
    for language in LANGUAGES:
        data = Locale.parse(language)._data
        for code in {*_WORLD, *_own_currencies(language)}:
            forms = data["currency_names_plural"].get(code, {})
            names = (data["currency_names"].get(code, code), *forms.values())
            yield from ((name, code) for name in names if not _CODE.fullmatch(name))


def _own_currencies(language: str) -> Iterator[str]:
    """The currencies of the countries where the language is official."""
    for territory, spoken in get_global("territory_languages").items():
        if spoken.get(language, {}).get("official_status") == "official":
            yield from _held(territory)


@cache
def scales() -> dict[str, int]:
    """By the folded word (`million`, `milliarden`), the power of ten; `billion` is English: 9, not 12."""
    return {folded(name): power for language in reversed(LANGUAGES) for name, power in _scales(language)}


@cache
def scale_spellings() -> frozenset[str]:
    """Those words as they are printed."""
    return frozenset(name for language in LANGUAGES for name, _ in _scales(language))


def _scales(language: str) -> Iterator[tuple[str, int]]:
    for forms in Locale.parse(language).compact_decimal_formats.get("long", {}).values():
        for magnitude, form in forms.items():
            zeros, _, name = form.pattern.replace("\u00a0", " ").partition(" ")
            if zeros and not zeros.strip("0") and _WORD.fullmatch(name):
                yield name, len(magnitude) - len(zeros)


@cache
def fraction_digits(code: str) -> int:
    """How many digits amounts of this currency usually have after the point; 2 where CLDR does not say."""
    return get_currency_precision(code)
