"""Numbers of a workbook as a person sees them: dates, amounts with their currency, percentages."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation, localcontext
from fractions import Fraction

_ACCOUNTS = '_({0}* {1}_);_({0}* ({1});_({0}* "-"??_);_(@_)'
_NUMBERS = {
    "0": (1,),
    "0.00": (2,),
    "#,##0": (3,),
    "#,##0.00": (4,),
    "0%": (9,),
    "0.00%": (10,),
    "0.00E+00": (11, 48),
    "# ?/?": (12, 13),
    "yyyy-mm-dd": (14, 15, 16),
    "yyyy-mm": (17,),
    "hh:mm": (18, 20),
    "hh:mm:ss": (19, 21, 45, 47),
    "yyyy-mm-dd hh:mm": (22,),
    "#,##0;(#,##0)": (37, 38),
    "#,##0.00;(#,##0.00)": (39, 40),
    "[h]:mm:ss": (46,),
    _ACCOUNTS.format("", "#,##0"): (41,),
    _ACCOUNTS.format("$", "#,##0"): (42,),
    _ACCOUNTS.format("", "#,##0.00"): (43,),
    _ACCOUNTS.format("$", "#,##0.00"): (44,),
}
BUILT_IN = {str(number): code for code, numbers in _NUMBERS.items() for number in numbers}
"""Format codes that workbooks name by number only."""
_LITERAL = re.compile(r'"([^"]{0,200})"|\\(.)|\[\$([^\]-]{0,20})[^\]]{0,20}\]|\[[^\]]{0,40}\]|_.|\*.')
_DIGITS = re.compile(r"[#0?][#0?,.]*+")
_PLACES = frozenset("#0?")
_QUOTED = re.compile(r'"[^"]{0,200}"|\\.')
_DATE_LETTERS = re.compile(r"[ydhms]", re.IGNORECASE)
_ELAPSED = re.compile(r"\[h+\]", re.IGNORECASE)
_SPLIT_SECONDS = re.compile(r"\.0++")
_CONDITION = re.compile(r"\[(<=|>=|<>|<|>|=)(-?\d{1,15}(?:\.\d{1,15})?)\]")
_HOLDS: dict[str, Callable[[Decimal, Decimal], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "=": operator.eq,
    "<>": operator.ne,
}
_LONGEST_CODE = 255
"""Characters; no spreadsheet program takes a longer one, and each cell would cost all of it."""
_LARGEST = 30
"""Digits before the point: of larger numbers the digits as they are stored."""
_EXACT = Context(prec=300)
"""Digits for all of such a number and as many places as a code can have."""
_GENERAL = re.compile("general", re.IGNORECASE)
_EXPONENT = re.compile(
    r"(?<![#0?.])(?P<digits>[#0?][#0?.]*+)E(?P<sign>[+-])(?P<places>[#0?]++)", re.IGNORECASE
)
_FRACTION = re.compile(r"(?<![#0?])(?P<whole>[#0?]++\s++)?[#0?]++\s*+/\s*+(?P<below>[#0?]++|\d{1,4})")
_SIGN = re.compile(_LITERAL.pattern + "|.", re.DOTALL)


def shown_number(value: str, code: str, from_1904: bool = False) -> str:
    """The number as its format code shows it; dates as ISO 8601; all digits where there is no code.

    Days are counted from 1899-12-30, in workbooks of early Macintoshes `from_1904`-01-01.
    """
    try:
        number = Decimal(value)
    except InvalidOperation:
        return value
    if not number.is_finite() or number.adjusted() > _LARGEST:
        return value
    with localcontext(_EXACT):
        return _shown(number, code if len(code) <= _LONGEST_CODE else "", from_1904)


def _shown(number: Decimal, code: str, from_1904: bool) -> str:
    section, signed = _section(number, code)
    bare = _LITERAL.sub("", section)
    sign = "-" if signed and number < 0 else ""
    if not code.strip():
        return _plain(number)
    masked = _LITERAL.sub(lambda found: "\0" * len(found[0]), section)
    for notation, written in _NOTATIONS:
        if found := notation.search(masked):
            before, after = _words(section[: found.start()]), _words(section[found.end() :])
            return f"{sign}{before}{written(abs(number), found)}{after}".strip()
    if _DATE_LETTERS.search(bare) and "0" not in _SPLIT_SECONDS.sub("", bare):
        is_span = bool(_ELAPSED.search(section))
        return _moment(number + 1462 * (from_1904 and not is_span), bare.lower(), is_span)
    digits = _DIGITS.search(masked)
    if digits is None:
        return _words(section).strip() if ";" in code else _plain(number)
    if _DIGITS.search(masked, digits.end()):
        return sign + _in_groups(number, section)
    return _amount(number, section, digits, sign)


def _section(number: Decimal, code: str) -> tuple[str, bool]:
    """The part of the code that is for such a number, and whether a minus goes before what it shows.

    Codes have one part for all, or more: for positive numbers, negative ones, zero; or by a condition.
    """
    sections = _QUOTED.sub(lambda found: found[0].replace(";", "\0"), code).split(";")[:3]
    sections = [section.replace("\0", ";") for section in sections]
    if any(map(_CONDITION.search, sections)):
        chosen = next((each for each in sections if _is_met(each, number)), sections[-1])
        return chosen, True
    place = 0 if number > 0 else 1 if number < 0 else 2
    return (sections[place], False) if place < len(sections) else (sections[0], True)


def _is_met(section: str, number: Decimal) -> bool:
    found = _CONDITION.search(section)
    return found is None or _HOLDS[found[1]](number, Decimal(found[2]))


def _plain(number: Decimal) -> str:
    text = f"{round(number, 10):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _amount(number: Decimal, code: str, digits: re.Match[str], sign: str) -> str:
    before, after = _words(code[: digits.start()]), _words(code[digits.end() :])
    whole, _, fraction = digits[0].partition(".")
    if "%" in before + after:
        number *= 100
    number = number.scaleb(-3 * (len(digits[0]) - len(digits[0].rstrip(","))))
    shown = abs(number).quantize(Decimal(1).scaleb(-len(fraction.rstrip(","))), ROUND_HALF_UP)
    text = f"{shown:,f}" if "," in whole.rstrip(",") else f"{shown:f}"
    text = "0" * (whole.count("0") - sum(map(str.isdigit, text.partition(".")[0]))) + text
    if not shown and "0" not in digits[0]:
        text = ""
    return (sign if shown else "") + f"{before}{text}{after}".strip()


def _in_groups(number: Decimal, code: str) -> str:
    """Digits between other signs, as of a telephone number or a sort code: put in from the right."""
    left = f"{abs(number).quantize(Decimal(1), ROUND_HALF_UP):f}"
    signs = list(_SIGN.finditer(code))
    first = next(n for n, found in enumerate(signs) if found[0] in _PLACES)
    shown = ""
    for n in reversed(range(len(signs))):
        found = signs[n][0]
        if found not in _PLACES:
            shown = _words(found) + shown
        elif left or found == "0":
            shown = (left if n == first and left else left[-1:] or "0") + shown
            left = left[:-1]
    return shown.strip()


def _general(number: Decimal, _: re.Match[str]) -> str:
    return _plain(number)


def _power(number: Decimal, code: re.Match[str]) -> str:
    """In scientific notation."""
    _, _, places = code["digits"].partition(".")
    mantissa, _, exponent = f"{number:.{len(places)}E}".partition("E")
    power = int(exponent)
    sign = "-" if power < 0 else "+" if code["sign"] == "+" else ""
    return f"{mantissa}E{sign}{str(abs(power)).zfill(code['places'].count('0'))}"


def _ratio(number: Decimal, code: re.Match[str]) -> str:
    """As a fraction, with its whole part before it where the code has one."""
    number = round(number, _LARGEST)  # what is smaller would be a quotient of huge numbers
    whole, rest = divmod(number, 1) if code["whole"] else (Decimal(0), number)
    below = code["below"]
    if below.isdigit() and int(below):
        over, under = int((rest * int(below)).to_integral_value(ROUND_HALF_UP)), int(below)
    else:
        over, under = Fraction(rest).limit_denominator(10 ** min(len(below), 4) - 1).as_integer_ratio()
    if code["whole"] and over == under:
        whole, over = whole + 1, 0
    parts = [f"{whole:f}"] if whole or not over else []
    return " ".join([*parts, f"{over}/{under}"] if over else parts)


_NOTATIONS = ((_GENERAL, _general), (_EXPONENT, _power), (_FRACTION, _ratio))
"""What is no row of digits."""


def _words(code: str) -> str:
    """What stands before or after the digits: texts in quotes, currencies, signs."""
    return _LITERAL.sub(
        lambda found: found[1] or found[2] or found[3] or (" " if found[0][0] == "_" else ""), code
    )


def _moment(number: Decimal, code: str, elapsed: bool = False) -> str:
    """A count of days since 1899-12-30 as its date, its time of day, or both; or as hours that passed."""
    seconds = int((number * 86_400).to_integral_value(ROUND_HALF_UP))
    days, second = (0, seconds) if elapsed else divmod(seconds, 86_400)
    clock = f"{second // 3600:02d}:{second // 60 % 60:02d}" + (f":{second % 60:02d}" if "s" in code else "")
    has_date, has_time = "y" in code or "d" in code, elapsed or "h" in code or "s" in code
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
