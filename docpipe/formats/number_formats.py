"""Numbers of a workbook as a person sees them: dates, amounts with their currency, percentages."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

_NUMBERS = {
    "0": (1,),
    "0.00": (2,),
    "#,##0": (3, 37, 38),
    "#,##0.00": (4, 39, 40),
    "0%": (9,),
    "0.00%": (10,),
    "yyyy-mm-dd": (14, 15, 16),
    "yyyy-mm": (17,),
    "hh:mm": (18, 20),
    "hh:mm:ss": (19, 21, 45, 46, 47),
    "yyyy-mm-dd hh:mm": (22,),
    "$#,##0.00": (44,),
    "$#,##0": (42,),
}
BUILT_IN = {str(number): code for code, numbers in _NUMBERS.items() for number in numbers}
"""Format codes that workbooks name by number only."""
_LITERAL = re.compile(r'"([^"]{0,200})"|\\(.)|\[\$([^\]-]{0,20})[^\]]{0,20}\]|\[[^\]]{0,40}\]|_.|\*.')
_DIGITS = re.compile(r"[#0?][#0?,.]*+")
_DATE_LETTERS = re.compile(r"[ydhms]", re.IGNORECASE)


def shown_number(value: str, code: str) -> str:
    """The number as its format code shows it; dates as ISO 8601; all digits where there is no code."""
    try:
        number = Decimal(value)
    except InvalidOperation:
        return value
    if not number.is_finite() or abs(number) > Decimal(10) ** 30:
        return value
    sections = code.split(";")
    first = sections[0]
    bare = _LITERAL.sub("", first)
    if "general" in first.lower() or (not bare.strip() and not first.strip()):
        return _plain(number)
    if _DATE_LETTERS.search(bare) and "0" not in bare.replace(".0", ""):
        return _moment(number, bare.lower())
    digits = _DIGITS.search(_LITERAL.sub(lambda found: " " * len(found[0]), first))
    return _amount(number, first, digits) if digits else _plain(number)


def _plain(number: Decimal) -> str:
    text = f"{round(number, 10):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _amount(number: Decimal, code: str, digits: re.Match[str]) -> str:
    before, after = _words(code[: digits.start()]), _words(code[digits.end() :])
    if "%" in after:
        number *= 100
    decimals = len(digits[0].partition(".")[2].rstrip(","))
    shown = abs(number).quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)
    text = f"{shown:,f}" if "," in digits[0].partition(".")[0] else f"{shown:f}"
    return ("-" if number < 0 and shown else "") + f"{before}{text}{after}".strip()


def _words(code: str) -> str:
    """What stands before or after the digits: texts in quotes, currencies, signs."""
    return _LITERAL.sub(
        lambda found: found[1] or found[2] or found[3] or (" " if found[0][0] == "_" else ""), code
    )


def _moment(number: Decimal, code: str) -> str:
    """A count of days since 1899-12-30 as its date, its time of day, or both."""
    seconds = int((number * 86_400).to_integral_value(ROUND_HALF_UP))
    days, second = divmod(seconds, 86_400)
    clock = f"{second // 3600:02d}:{second // 60 % 60:02d}" + (f":{second % 60:02d}" if "s" in code else "")
    has_date, has_time = "y" in code or "d" in code, "h" in code or "s" in code
    if not has_date:
        return clock if has_time else _date(days)[:7]
    date = _date(days) if "d" in code else _date(days)[:7]
    return f"{date} {clock}" if has_time else date


def _date(days: int) -> str:
    """The day that is so many days after 1899-12-30, by the rules of the Gregorian calendar."""
    if not 0 <= days < 2_958_466:
        return str(days)
    era, day = divmod(days + 693_899, 146_097)  # from 0000-03-01, so that leap days end a year
    year = (day - day // 1460 + day // 36_524 - day // 146_096) // 365
    day -= 365 * year + year // 4 - year // 100
    month = (5 * day + 2) // 153
    day -= (153 * month + 2) // 5
    year, month = year + era * 400 + (month > 9), (month + 2) % 12 + 1
    return f"{year:04d}-{month:02d}-{day + 1:02d}"
