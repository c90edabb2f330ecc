"""What a written date, amount or number says, in one normal form: equal values are equal strings.

Languages: those of `cldr.LANGUAGES`. A text whose words leave its value open has none.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from decimal import Decimal
from enum import Enum, auto
from functools import cache
from typing import TypeVar

import phonenumbers

from docpipe.stages.entities import cldr
from docpipe.stages.entities.cldr import folded
from docpipe.stages.entities.in_words import in_digits
from docpipe.stages.text.reading_text import without_marks
from docpipe.stages.text.wording.by_phrases import length_by_phrases
from docpipe.stages.text.wording.terms import length_of_time

_One = TypeVar("_One")

# --- dates ------------------------------------------------------------------------------------------

_YEAR_FIRST = re.compile(r"(\d{4})([-/.])\s?(\d{1,2})\2\s?(\d{1,2})\.?|(\d{4})年(\d{1,2})月(\d{1,2})日")
_DAY_OR_MONTH_FIRST = re.compile(r"(\d{1,2})([-/.])\s?(\d{1,2})\2\s?(\d{4}|\d\d)\.?(?:\s?[гр]\.?)?")
_DECADE = re.compile(r"(?:the )?(\d{3})0['’]?s")
_CENTURY = re.compile(r"(?:the )?(\d{1,2})(?:st|nd|rd|th)[ -]century", re.IGNORECASE)
_PARTS = re.compile(r"[^\W\d_]+|\d+\.?")
_BETWEEN = frozenset(
    ["of", "the", "day", "on", "dated", "st", "nd", "rd", "th", "er", "re", "o", "a", "e", "r"]
)
"""What CLDR lacks of words that say nothing: English ones, endings (`1er`, `1º`, `2ª`), the Polish `r.`."""

# --- amounts ----------------------------------------------------------------------------------------

GAPS = " \u00a0\u2009\u202f"
"""Blanks that part thousands."""

SCALES = {"bn": 9, "mrd": 9, "mld": 9, "mn": 6, "mio": 6, "mln": 6, "b": 9, "m": 6, "k": 3, "billions": 9}
"""Powers of ten that CLDR spells in another way: abbreviations, and English before French."""

_OPEN_SCALE = "mil"
"""A thousand in Spanish and Portuguese, a million in America."""

_LONGEST_NAME = 5
_CODE = re.compile(r"\b[A-Z]{3}(?![A-Za-z])")
_DIGIT = re.compile(r"\d")
_DIGITS = re.compile(rf"\d[\d.,'’{GAPS}]{{0,26}}")
_WORD = re.compile(r"[^\W\d_]+")
_MINUS = re.compile(r"(?<!\w)[-−](?:\s?[A-Z]{3})?[^\w,]{0,4}$")
_MINUS_AFTER = re.compile(r"[.,]\d\d[-−]$")
"""As accounts have it; `50,-` has no cents, and no sign."""
_PER_UNIT = re.compile(
    r"\s?(?:/|(?:per|a|the|pro|je|par|le|por|al) )\s?(?:lit(?:re|er|ro)|l\b|gal(?:lon)?\b|kwh|therm\b)",
    re.IGNORECASE,
)
_TENTHS_OF_CENTS = 3
_PERCENT = re.compile(rf"([-−]?\d[\d.,'’{GAPS}]{{0,26}}?)\s?(?:%|per ?cent\b|v\.? ?H\.)", re.IGNORECASE)


def value_of(label: str, text: str, order: DateOrder | None = None, after: str = "") -> str | None:
    """The value of a mention of this label in its normal form; None where the words leave it open.

    DATE by `iso_date` or `length_of_time`, MONEY by `amount`, PERCENT by `percentage`; PHONE, IBAN, EMAIL,
    VAT_NUMBER and the numbers of cases, contracts and invoices without what only makes them easier to read.
    `order` is that of the document's dates (`date_order`), for those that leave it open; `after` what
    stands behind the mention: a price per litre has a fraction of three digits.
    """
    form = _FORMS.get(label)
    plain = " ".join(without_marks(text).text.split())
    if label == "DATE" and order and (found := _DAY_OR_MONTH_FIRST.fullmatch(plain)):
        return _numeric(int(found[1]), int(found[3]), _year(found[4]), found[2], order)
    if label == "MONEY" and _PER_UNIT.match(after):
        return amount(plain, _TENTHS_OF_CENTS)
    value = form(plain) if form else None
    in_words = label == "DATE" or (label == "MONEY" and not _DIGIT.search(plain))
    if form and value is None and in_words and (digits := in_digits(plain)):
        return form(digits)
    return value


class DateOrder(Enum):
    """Which of the two comes first in a date of numbers."""

    DAY_FIRST = auto()
    MONTH_FIRST = auto()


def date_order(dates: Iterable[str]) -> DateOrder | None:
    """The order in which a document writes day and month, by its dates of numbers that show it, else by most
    of those with the month's name; None where they show none or disagree.

    `day of` shows none: it is written where the month comes first otherwise.
    """
    plain = [" ".join(text.split()) for text in dates]
    numbers = {order for text in plain if (order := _shown_by_numbers(text))}
    if numbers:
        return _only(numbers)
    words = Counter(order for text in plain if (order := _shown_by_words(text)))
    ranked = words.most_common()
    return ranked[0][0] if len(ranked) == 1 or (ranked and ranked[0][1] > ranked[1][1]) else None


def _shown_by_numbers(text: str) -> DateOrder | None:
    found = _DAY_OR_MONTH_FIRST.fullmatch(text)
    if not found or max(int(found[1]), int(found[3])) <= 12:
        return None
    return DateOrder.DAY_FIRST if int(found[1]) > 12 else DateOrder.MONTH_FIRST


def _shown_by_words(text: str) -> DateOrder | None:
    parts = [part for part in _PARTS.findall(folded(text)) if part not in cldr.weekdays()]
    if len(parts) < 3 or "day" in parts or not iso_date(text):
        return None
    if parts[0] in cldr.months():
        return DateOrder.MONTH_FIRST
    return DateOrder.DAY_FIRST if len(parts[0].rstrip(".")) < 3 else None


def iso_date(text: str) -> str | None:
    """ISO 8601: `2024-03-14`, `2024-03`, `2024`, `--03-14` (no year), `199X` and `18XX` (decade, century).

    Four digits first are a year, and month and day follow. Numbers with full stops are day, month, year; with
    slashes or hyphens they are so only if the order is plain, since one of the first two cannot be a month;
    with any sign a second number that can be no month is the day (`3.26.2001`).
    A year of two digits is 1969 to 2068, as POSIX has it. None for what is ambiguous, relative, or no
    day of the calendar, and for words that are no part of a date (`mid-1970s`, `quarter ended March 31`).
    """
    if found := _YEAR_FIRST.fullmatch(text):
        year, month, day = (int(part) for part in found.groups() if part and part.isdigit())
        return _day(year, month, day)
    if found := _DAY_OR_MONTH_FIRST.fullmatch(text):
        return _numeric(int(found[1]), int(found[3]), _year(found[4]), found[2])
    if found := _DECADE.fullmatch(text):
        return f"{found[1]}X"
    if found := _CENTURY.fullmatch(text):
        return f"{int(found[1]) - 1:02d}XX"
    return _in_words(_PARTS.findall(folded(text)))


def amount(text: str, digits: int = 0) -> str | None:
    """ISO 4217 code and decimal number: `USD 18500`, `USD 18500.50`, `USD -300`.

    A fraction of zero is left out; any other has the currency's usual number of digits at least, as in print,
    and more only where they are not zero; `digits` is how many it has here, if not as usual. A bare `$` is
    taken for US dollars, `¥` for yen. None without a currency that the words give, and for more or fewer than
    one number.
    """
    numbers = list(_DIGITS.finditer(text))
    currency = _currency(text)
    if currency is None or len(numbers) != 1:
        return None
    start, after = numbers[0].start(), text[numbers[0].end() :].lstrip()
    scale = _scale(after)
    if scale is None:
        return None
    usual = cldr.fraction_digits(currency)
    number = decimal(numbers[0].group(), digits or usual).scaleb(scale)
    bracketed = text[:start].rstrip().endswith("(") and after.startswith(")")
    if bracketed or _MINUS.search(text[:start]) or _MINUS_AFTER.search(text[: numbers[0].end() + 1]):
        number = -number
    return f"{currency} {_plain(number, usual)}"


def decimal(digits: str, usual: int = 2) -> Decimal:
    """The number, in whatever way thousands and fractions are set apart.

    Of two signs the last is the decimal one. One sign alone parts thousands before three digits, unless a
    zero stands before it (`0,125`) or fractions usually have three (`KWD 1.500`: `usual`).
    """
    digits = re.sub(rf"['’{GAPS}]", "", digits.rstrip(f".,'’{GAPS}"))
    last = max(digits.rfind("."), digits.rfind(","))
    if last < 0:
        return Decimal(digits)
    whole, fraction = re.sub(r"[.,]", "", digits[:last]), digits[last + 1 :]
    alone = len({sign for sign in digits if sign in ".,"}) == 1
    several = digits.count(digits[last]) > 1
    thousands = alone and (several or (len(fraction) == 3 != usual and whole.strip("0")))
    return Decimal(whole + fraction if thousands else f"{whole}.{fraction}")


def percentage(text: str) -> str | None:
    """`12.5%` for `12,5 %` and `12.50 per cent`."""
    found = _PERCENT.fullmatch(text)
    if not found:
        return None
    number = decimal(found[1].lstrip("-−"))
    return f"{_plain(number if found[1][0].isdigit() else -number, 0)}%"


def telephone(text: str) -> str:
    """E.164 where the country is given: `+442079460958`, with `;ext=12`; else the digits as they are."""
    international = re.sub(r"^\s*00", "+", text)
    try:
        number = phonenumbers.parse(international)
    except phonenumbers.NumberParseException:
        return re.sub(r"[^\d+]", "", text)
    written = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return f"{written};ext={number.extension}" if number.extension else written


def identifier(text: str) -> str:
    """Capitals without blanks; every dash is a hyphen."""
    return re.sub(r"[‐‑‒–—−]", "-", re.sub(r"\s", "", text)).upper()


def letters_and_digits(text: str) -> str:
    """Capitals and digits only: an IBAN or a VAT number. The Swiss are without the word for the tax."""
    compact = re.sub(r"[\W_]", "", text).upper()
    return compact[:12] if re.match(r"CHE\d{9}", compact) else compact


def _date_or_length(text: str) -> str | None:
    return iso_date(text) or length_of_time(text) or length_by_phrases(text)


_FORMS: dict[str, Callable[[str], str | None]] = {
    "DATE": _date_or_length,
    "MONEY": amount,
    "PERCENT": percentage,
    "PHONE": telephone,
    "IBAN": letters_and_digits,
    "VAT_NUMBER": letters_and_digits,
    "EMAIL": str.casefold,
    "CASE_NUMBER": identifier,
    "CONTRACT_NUMBER": identifier,
    "INVOICE_NUMBER": identifier,
}


def _in_words(parts: list[str]) -> str | None:
    """The date of words and numbers (`14. märz 2024`), the month among the words."""
    parts = _with_long_names(parts)
    numbers = [part.rstrip(".") for part in parts if part[0].isdigit()]
    words = [part for part in parts if not part[0].isdigit()]
    named = [word for word in words if word in cldr.months()]
    if len(named) > 1:
        named = [word for word in named if word not in cldr.weekdays()]
    if not _date_words().issuperset(words) or len(named) > 1 or not numbers:
        return None
    if not named:
        return _year_alone(numbers, words)
    dotted = any(part.endswith(".") and len(part) < 4 for part in parts)
    month = _month(named[0], dotted)
    return _of_month(month, numbers, parts.index(named[0])) if month else None


def _with_long_names(parts: list[str]) -> list[str]:
    """The parts with names of two words (Irish ones) as one."""
    joined: list[str] = []
    for part in parts:
        if joined and f"{joined[-1]} {part}" in cldr.months():
            joined[-1] += f" {part}"
        else:
            joined.append(part)
    return joined


def _year_alone(numbers: list[str], words: list[str]) -> str | None:
    alone = len(numbers) == 1 and len(numbers[0]) == 4 and not cldr.weekdays().intersection(words)
    return f"{int(numbers[0]):04d}" if alone and int(numbers[0]) else None


def _month(name: str, dotted: bool) -> int | None:
    """The month of that name; where languages differ, by those with a full stop after the day, or without."""
    meanings = cldr.months()[name]
    fitting = {number for number, stop in meanings if stop == dotted}
    return _only({number for number, _ in meanings}) or _only(fitting)


def _of_month(month: int, numbers: list[str], place: int) -> str | None:
    years = [int(number) for number in numbers if len(number) == 4]
    days = [int(number) for number in numbers if len(number) < 3]
    if not years and len(days) == 2 and place == 1:
        return _day(_year(numbers[1]), month, days[0])
    if len(years) > 1 or len(days) > 1 or len(years) + len(days) < len(numbers):
        return None
    if not days:
        return f"{years[0]:04d}-{month:02d}"
    if not years:
        leap = _day(2000, month, days[0])
        return f"-{leap[4:]}" if leap else None
    return _day(years[0], month, days[0])


def _year(digits: str) -> int:
    """Of two digits the one from 1969 to 2068."""
    year = int(digits)
    return year if len(digits) == 4 else year + (1900 if year > 68 else 2000)


def _numeric(first: int, second: int, year: int, sign: str, order: DateOrder | None = None) -> str | None:
    if second > 12:
        return _day(year, first, second)
    if sign == "." or first > 12 or first == second or order is DateOrder.DAY_FIRST:
        return _day(year, second, first)
    return _day(year, first, second) if order else None


def _day(year: int, month: int, day: int) -> str | None:
    if not (year and 1 <= month <= 12 and 1 <= day <= monthrange(year, month)[1]):
        return None
    return f"{year:04d}-{month:02d}-{day:02d}"


def _plain(number: Decimal, digits: int) -> str:
    """Without an exponent; a fraction that is not zero has `digits` at least."""
    whole, _, fraction = f"{number or abs(number):f}".partition(".")
    fraction = fraction.rstrip("0")
    return f"{whole}.{fraction.ljust(digits, '0')}" if fraction else whole


def _scale(after: str) -> int | None:
    """The power of ten that the number's next word stands for; None where it may be one or another."""
    word = _WORD.match(after)
    name = folded(word.group()) if word else ""
    return None if name == _OPEN_SCALE else SCALES.get(name) or cldr.scales().get(name, 0)


def _currency(text: str) -> str | None:
    """The one currency that a code, else a sign, else a name in the text stands for."""
    for code in _CODE.findall(text):
        if code in cldr.codes():
            return str(code)
    if sign := _signs().search(text):
        return _only(cldr.currency_signs()[sign.group()])
    words = _WORD.findall(folded(text))
    for length in range(min(_LONGEST_NAME, len(words)), 0, -1):
        for start in range(len(words) - length + 1):
            if codes := cldr.currency_names().get(" ".join(words[start : start + length])):
                return _only(codes)
    return None


def _only(found: Collection[_One]) -> _One | None:
    return next(iter(found)) if len(found) == 1 else None


@cache
def _signs() -> re.Pattern[str]:
    """All signs, the longest first; letters stand alone."""
    signs = sorted(cldr.currency_signs(), key=len, reverse=True)
    return re.compile("|".join(re.escape(sign) if cldr.is_symbol(sign) else _alone(sign) for sign in signs))


def _alone(sign: str) -> str:
    return rf"(?<![^\W\d_]){re.escape(sign)}" + ("" if sign == "円" else r"(?!\w)")


@cache
def _date_words() -> frozenset[str]:
    return frozenset().union(cldr.months(), cldr.weekdays(), cldr.date_words(), _BETWEEN)
