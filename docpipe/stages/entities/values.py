"""What a written date or amount says: ISO 8601 dates, ISO 4217 currencies."""

from __future__ import annotations

import re
from calendar import monthrange
from decimal import Decimal

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")

_ISO = re.compile(r"(\d{4})-(\d\d)-(\d\d)")
_NAMED = re.compile(r"[A-Za-z]{3,9}")
_NUMBER = re.compile(r"\d+")
_NUMERIC = re.compile(r"(\d{1,2})([./])(\d{1,2})\2(\d{4})")
_DECADE = re.compile(r"(\d{3})0['’]?s")
_CENTURY = re.compile(r"(\d{1,2})(?:st|nd|rd|th)[ -]century", re.IGNORECASE)

_CURRENCIES = {
    "$": "USD",
    "US$": "USD",
    "C$": "CAD",
    "CA$": "CAD",
    "A$": "AUD",
    "AU$": "AUD",
    "NZ$": "NZD",
    "HK$": "HKD",
    "S$": "SGD",
    "€": "EUR",
    "£": "GBP",
    "¥": "JPY",
    "₹": "INR",
    "dollar": "USD",
    "euro": "EUR",
    "pounds sterling": "GBP",
    "swiss francs": "CHF",
}
_CODE = re.compile(r"\b[A-Z]{3}(?![A-Za-z])")
_SIGN = re.compile(r"(?:(?:US|CA|AU|NZ|HK|C|A|S)?\$|[€£¥₹])")
_WORD = re.compile(r"dollar|euro|pounds sterling|swiss francs")
_DIGITS = re.compile(r"\d[\d.,'’ \u00a0]*")
_SCALE = re.compile(r"(trillion|billion|million|thousand|bn|mn|mio|[mkb])\b", re.IGNORECASE)
_SCALES = {"t": 12, "b": 9, "m": 6, "k": 3}


def value_of(label: str, text: str) -> str | None:
    """The value of a DATE or MONEY mention, None where the words leave it open."""
    if label == "DATE":
        return iso_date(" ".join(text.split()))
    return amount(" ".join(text.split())) if label == "MONEY" else None


def iso_date(text: str) -> str | None:
    """ISO 8601: `2024-03-14`, `2024-03`, `2024`, `--03-14` (no year), `199X` and `18XX` (decade, century).

    Numbers alone are read as day, month, year (with full stops), or with slashes only where one of the
    first two cannot be a month. None for what is ambiguous, relative, or no day of the calendar.
    """
    if found := _ISO.fullmatch(text):
        return _day(*map(int, found.groups()))
    if found := _NUMERIC.fullmatch(text):
        return _numeric(int(found[1]), int(found[3]), int(found[4]), found[2])
    if found := _DECADE.search(text):
        return f"{found[1]}X"
    if found := _CENTURY.search(text):
        return f"{int(found[1]) - 1:02d}XX"
    return _with_month(text)


def amount(text: str) -> str | None:
    """ISO 4217 code and decimal number: `USD 18500.00`. A bare `$` is taken for US dollars, `¥` for yen."""
    currency, digits = _currency(text), _DIGITS.search(text)
    if not currency or not digits:
        return None
    number = Decimal(_plain(digits.group().rstrip(" .,'’\u00a0")))
    scale = _SCALE.match(text[digits.end() :].lstrip())
    if scale:
        power = 3 if scale[1].lower() == "thousand" else _SCALES[scale[1][0].lower()]
        number = number.scaleb(power)
        number = number.quantize(Decimal(1)) if number == number.to_integral_value() else number
    return f"{currency} {number:f}"


def _with_month(text: str) -> str | None:
    month = next((m for word in _NAMED.findall(text) if (m := word[:3].lower()) in MONTHS), None)
    numbers = [number for number in _NUMBER.findall(text) if len(number) in (1, 2, 4)]
    years = [int(number) for number in numbers if len(number) == 4]
    days = [int(number) for number in numbers if len(number) < 4]
    if len(years) > 1 or len(days) > 1 or not (month or years):
        return None
    if month is None:
        return f"{years[0]:04d}" if text.isdecimal() else None
    number = MONTHS.index(month) + 1
    if not days:
        return f"{years[0]:04d}-{number:02d}" if years else None
    if not years:
        leap = _day(2000, number, days[0])
        return f"-{leap[4:]}" if leap else None
    return _day(years[0], number, days[0])


def _numeric(first: int, second: int, year: int, sign: str) -> str | None:
    if sign == "." or first > 12 or first == second:
        return _day(year, second, first)
    return _day(year, first, second) if second > 12 else None


def _day(year: int, month: int, day: int) -> str | None:
    if not (year and 1 <= month <= 12 and 1 <= day <= monthrange(year, month)[1]):
        return None
    return f"{year:04d}-{month:02d}-{day:02d}"


def _currency(text: str) -> str | None:
    if code := _CODE.search(text):
        return code.group()
    sign = _SIGN.search(text) or _WORD.search(text.lower())
    return _CURRENCIES[sign.group()] if sign else None


def _plain(digits: str) -> str:
    """Digits with a point: of two signs the last is the decimal one, one parts thousands before three."""
    digits = re.sub(r"['’ \u00a0]", "", digits)
    last = max(digits.rfind("."), digits.rfind(","))
    if last < 0:
        return digits
    whole, fraction = re.sub(r"[.,]", "", digits[:last]), digits[last + 1 :]
    alone = len({sign for sign in digits if sign in ".,"}) == 1
    thousands = alone and (len(fraction) == 3 or digits.count(digits[last]) > 1)
    return whole + fraction if thousands else f"{whole}.{fraction}"
