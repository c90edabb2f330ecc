"""Exact recognisers: things whose form alone says what they are.

Every expression has bounded repetitions only, so that the time is linear in the text whatever the
text is. Names of months and currencies are those of `cldr`, loaded when the first text is searched. A
single line break may stand inside a match, a blank line not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import NamedTuple

from stdnum import iban, numdb

from docpipe.engines.ports import Span
from docpipe.stages.entities import cldr, references
from docpipe.stages.entities.alternatives import one_of, printed
from docpipe.stages.entities.companies import find_companies
from docpipe.stages.entities.in_words import find_in_words
from docpipe.stages.entities.telephones import find_telephones
from docpipe.stages.entities.values import GAPS, SCALES
from docpipe.stages.entities.vat import find_vat_numbers
from docpipe.stages.text.reading_text import without_marks

_GAP = r"[^\S\n]{0,3}\n?[^\S\n]{0,3}"
_BREAK = r"(?:[^\S\n]{1,3}\n?[^\S\n]{0,3}|\n[^\S\n]{0,3})"
_IN_CELL = r"[^\S\n\t]{0,3}\n?[^\S\n\t]{0,3}"  # a tab parts the cells of a table: a date stands in one

# --- addresses ----------------------------------------------------------------------------------

_EMAIL = re.compile(
    r"(?<![\w.+%-])[^\W_][\w.+%'-]{0,63}@(?:[^\W_](?:[^\W_]|-){0,62}\.){1,6}(?:[^\W\d_]{2,24}|xn--[a-z0-9-]{2,59})"
    r"(?![\w@-])"
)
_URL = re.compile(r"(?<![\w@])(?:https?://|ftp://|www\.)[\w\[][^\s<>\"“”‘’«»|\\^`{}]{1,2000}")
_IBAN_START = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}\d{2}(?=[ \u00a0-]?[A-Za-z0-9])")
_IBAN_PARTS = re.compile(r"(\d{1,3})!")

# --- dates ----------------------------------------------------------------------------------------

_DAY_NUMBER = r"(?:3[01]|[12]\d|0?[1-9])"
_MONTH_NUMBER = r"(?:1[0-2]|0?[1-9])"
_DAY = rf"{_DAY_NUMBER}(?: ?(?:st|nd|rd|th|ST|ND|RD|TH)\b)?"
_ANY_DAY = rf"{_DAY_NUMBER}(?: ?(?:st|nd|rd|th|ST|ND|RD|TH)\b|er|re|[º°ª])?\.?"
_YEAR = r"(?:1[0-9]|20|21)\d\d"
_BEFORE_DATE = r"(?<![\w./-])(?<!\d,)"
_AFTER_DATE = r"(?!\w|/\d|-\d\d?-)"
_RAISED = r"(?:[^\S\n]?(?:st|nd|rd|th)\b)?"
"""The ending of a day's number that stands above the line: it is read at the end of the line."""
_OF = rf"(?:{_BREAK}(?:of|OF|de|ta['’]){_RAISED})?"
_OF_YEAR = rf"(?: ?,?{_IN_CELL}|{_BREAK}(?:de|del|of){_BREAK})"
_MONTH_FIRST = ("hu", "lt")
"""Languages that write year, month, day with the month's name."""

_LEVEL = (
    r"(?i:section|sec|version|ver|v|release|rev|build|clause|article|art|paragraph|para|chapter|item|no|nr|§)"
)
_DOTTED = re.compile(
    rf"\b{_LEVEL}\b\.?{_IN_CELL}[\d.]+"  # a number of such a thing is no date: it is matched, and left out
    rf"|(?<![\w./§-])(?<!§ )(?<!\d,)(?P<it>{_DAY_NUMBER}\. ?{_MONTH_NUMBER}\. ?{_YEAR}"
    rf"|(?:3[01]|[12]\d|0[1-9])\.(?:1[0-2]|0[1-9])\.\d\d)(?!\w|[./-]\d|-\d\d?-)"
)
_SHORT = re.compile(
    r"\b(?i:due|dated?|on|by|until|since|from|am|vom|bis|ab|seit|den|du|le|au|dal?|il|al|del?|el|op|dnia)"
    rf"[: ]{{1,3}}(?P<it>{_DAY_NUMBER}\.{_MONTH_NUMBER}\.\d\d"
    rf"|{_MONTH_NUMBER}\.(?:3[01]|2\d|1[3-9])\.(?:{_YEAR}|\d\d))(?!\w|[./-]\d)"
)
_STOPS = re.compile(r"\d\. ?\d\d?\. ?\d\d")
_JAPANESE = re.compile(r"(?<!\d)\d{4}年\d{1,2}月\d{1,2}日")
_SINCE_1400 = r"(?:1[4-9]|20)\d\d"
_YEAR_ENDS = r"(?![\w%]|[.,:/-]\d| (?:[a-z]{1,20}s\b))"
_YEAR_ALONE = re.compile(
    rf"\b(?:[Ii]n|[Ss]ince|[Uu]ntil|[Dd]uring|[Cc]irca|[Ff]rom|[Bb]y|[Ee]arly|[Ll]ate|[Mm]id|[Ss]ummer|[Ww]inter"
    rf"|[Ss]pring|[Aa]utumn|[Ff]all)(?: of)?{_BREAK}(?P<it>{_SINCE_1400}){_YEAR_ENDS}"
)
_FIRST_YEAR = re.compile(rf"(?<![\w.,:/$€£-])(?P<it>{_SINCE_1400})(?= [-–—] {_SINCE_1400}{_YEAR_ENDS})")
_LAST_YEAR = re.compile(
    rf"(?<![\w.,:/$€£-])(?:{_SINCE_1400} [-–—] |[Ff]rom {_SINCE_1400} (?:to|until|till) )"
    rf"(?P<it>{_SINCE_1400}){_YEAR_ENDS}"
)
_BEFORE_CHRIST = re.compile(r"(?<![\w.,/-])\d{1,4} (?:BCE?\b|B\.C\.)")


@cache
def _quarters() -> re.Pattern[str]:
    """A quarter or half of a year, and a business year: `Q3 2024`, `3. Quartal 2024`, `FY2023`, `H1 2024`."""
    quarter = rf"(?:(?i:{one_of(cldr.quarter_spellings())})|H[12]|[1-4]Q|[12]H)"
    short = r"['’]\d\d"
    return re.compile(
        rf"(?<![\w.-])(?:{quarter}(?:[ /]|, ?| (?:of|de|del|di) )?(?:FY ?)?(?:{_YEAR}|{short})"
        rf"|[1-4][QH]\d\d|{_YEAR}[ /-]?[QH][1-4]|FY ?(?:{_YEAR}|['’]?\d\d)(?:[/–-]\d\d)?)(?![\w.-]\w|\w)"
    )


@cache
def _dates() -> re.Pattern[str]:
    """Dates with the name of a month, and those whose numbers only a date has.

    A month of any language stands between day and year; without a year or without a day only an English one
    with a capital, or the whole name as its language prints it. The month stands first in English only.
    """
    english = printed(cldr.month_spellings("en", "en_GB")) + r"\b\.?"
    every = cldr.month_spellings(*cldr.LANGUAGES)
    any_month = rf"(?i:{one_of({*every, *map(_unaccented, every)})})\b\.?"
    others = [each for each in cldr.LANGUAGES if each != "en"]
    alone = rf"(?:{english}|{one_of(cldr.month_spellings(*others, abbreviated=False))}\b)"
    year_first = rf"(?i:{one_of(cldr.month_spellings(*_MONTH_FIRST))})\b\.?"
    latvian = rf"(?i:{one_of(cldr.month_spellings('lv'))})\b\.?"
    weekday = rf"(?:{printed(cldr.weekday_spellings('en'))}\b\.?,? )?"
    return re.compile(
        rf"{_BEFORE_DATE}{weekday}(?:"
        rf"{_YEAR}([-/.])(?:0[1-9]|1[0-2])\1(?:0[1-9]|[12]\d|3[01])"
        rf"|{_YEAR}(?:\.|{_BREAK}m\.){_BREAK}{year_first}{_IN_CELL}{_DAY_NUMBER}(?!\d)(?:\.|{_BREAK}d\.)?"
        rf"|{_YEAR}\. (?:{_MONTH_NUMBER})\. {_DAY_NUMBER}\."
        rf"|{_YEAR}\.{_BREAK}gada{_BREAK}{_DAY_NUMBER}\.{_BREAK}{latvian}"
        rf"|{_ANY_DAY}(?:{_BREAK}(?:day|DAY))?{_OF}{_IN_CELL}(?:d['’])?{any_month}{_OF_YEAR}{_YEAR}"
        rf"|{_DAY_NUMBER}([-/.]){any_month}\2(?:{_YEAR}|\d\d)"
        rf"|{_ANY_DAY}(?:{_BREAK}(?:day|DAY))?{_OF}{_IN_CELL}(?:d['’])?{alone}"
        rf"|{english}{_IN_CELL}{_DAY}(?:[-–]{_DAY})?(?:(?: ?|\t(?=,)),?{_IN_CELL}{_YEAR})"
        rf"|{english}{_IN_CELL}(?<!\.\n){_DAY}(?:[-–]{_DAY})?(?!\d|[.,:]\d)"
        rf"|{alone},?{_BREAK}(?:(?:of|de|del){_BREAK})?{_YEAR}"
        rf"|{_DAY_NUMBER}-(?:1[0-2]|0[1-9])-{_YEAR}"
        rf"|{_DAY_NUMBER}/{_DAY_NUMBER}/(?:{_YEAR}|\d\d)"
        rf"){_AFTER_DATE}"
    )


def _unaccented(name: str) -> str:
    """As bad print and old keyboards write it: `fevrier`."""
    return cldr.folded(name) if name.isascii() or cldr.folded(name).isascii() else name


# --- amounts --------------------------------------------------------------------------------------

_GROUPED = (
    r"\d{1,3}(?:,\d{2,3}){1,6}(?:\.\d{1,4})?|\d{1,3}(?:\.\d{3}){1,6}(?:,\d{1,3})?"
    rf"|\d{{1,3}}(?:['’{GAPS}]\d{{3}}){{1,6}}(?:[.,]\d{{1,3}})?"
)
_DASHES = r"(?:[.,]?[-–—]{1,2}(?!\w))?"
_AMOUNT = rf"(?:{_GROUPED}|\d{{1,15}}(?:[.,]\d{{1,4}})?){_DASHES}"
_IN_PRINT = rf"(?:{_GROUPED}|\d{{1,15}}[.,]\d{{2,3}}(?!\d)){_DASHES}"
"""An amount that is more than a number: its thousands or its fraction are set apart."""

_SURE_CODES = (
    *(
        "USD",
        "EUR",
        "GBP",
        "CHF",
        "JPY",
        "CNY",
        "CAD",
        "AUD",
        "NZD",
        "HKD",
        "SGD",
        "INR",
        "BRL",
        "MXN",
        "ZAR",
    ),
    *("SEK", "NOK", "DKK", "ISK", "PLN", "CZK", "HUF", "BGN", "RSD", "UAH", "RUB", "TRY"),
    *("KRW", "AED", "ILS", "TWD", "THB", "SAR"),
)
"""Codes that say by themselves that a number is an amount; others (`ALL`, `PHP`) are words as well."""


@cache
def _money() -> re.Pattern[str]:
    """A code or sign with an amount to its right, or a code, sign or name with an amount to its left."""
    symbols = [sign for sign in cldr.currency_signs() if cldr.is_symbol(sign)]
    letters = [
        sign for sign in cldr.currency_signs() if not cldr.is_symbol(sign) and sign not in ("Ft", "円")
    ]
    edge = "".join(sorted({re.escape(one) for sign in symbols for one in sign if cldr.is_symbol(one)}))
    code, sure = one_of(cldr.currencies()), one_of(_SURE_CODES)
    before = rf"(?:{one_of(symbols)}|kr\.?)"
    after = rf"(?:{one_of(symbols)}|{one_of(letters)}\b)"
    short = one_of(form for scale in SCALES for form in (scale, scale.capitalize()))
    scale = rf"(?:{_GAP}(?:(?i:{one_of(cldr.scale_spellings())})|{short}\.?)(?!\w))?(?:{_GAP}(?:de |d['’]))?"
    name = rf"(?:U\.?S\.? )?(?i:{one_of(cldr.currency_spellings())})\b"
    amount = rf"[-−]?(?:{_AMOUNT}|\({_IN_PRINT}\)){scale}"
    return re.compile(
        rf"(?<![\w{edge}])(?:(?:[Mm]ore than|[Ll]ess than|[Oo]ver){_BREAK})?(?:"
        rf"(?:[-−]?{sure} ?{before}?|[-−]?{before}){_GAP}{amount}(?: ?{sure}\b)?"
        rf"|{code}{_GAP}{_IN_PRINT}{scale}"
        rf"|(?<![.,]){amount}{_GAP}(?:{sure}\b|{after}|{name})"
        rf"|(?<![.,]){_IN_PRINT}{scale}{_GAP}(?:{code}|Ft)\b"
        rf")(?!\d|[.,]\d)"
    )


_TOTAL = re.compile(
    r"(?m)^[^\w\n]{0,3}(?i:(?:(?:grand|net|sub)[ -]?)?total(?:[ -](?:amount|due|payable|ttc|ht))?"
    r"|balance due|amount due|(?:zwischen)?summe|gesamtbetrag|zu zahlen|net à payer)"
    rf"[^\w\n]{{0,60}}(?P<it>{_IN_PRINT})[^\S\n]{{0,9}}$"
)
"""The sum at the foot of a receipt, which often names no currency."""
_YEN = re.compile(rf"(?<![\d.,]){_AMOUNT}円")

# --- names by their form --------------------------------------------------------------------------

_AGREEMENT = re.compile(
    r"(?<![\w-])(?!(?:This|The|An?|Such|Said|Each|Any|Our|Your|In|Under) )[A-Z][a-z]{2,20}"
    r"(?:[ -](?:[A-Z][a-z]{1,20}|and|of)){0,4} (?:Agreement|Contract|Lease|Deed)(?![\w-])"
    r"|(?<=This )(?:[A-Z][a-z]{2,20} ){1,5}(?:Agreement|Contract|Lease|Deed)(?![\w-])"
)

EXACT = frozenset(
    {"EMAIL", "URL", "PHONE", "IBAN", "VAT_NUMBER", "CASE_NUMBER", "CONTRACT_NUMBER", "INVOICE_NUMBER"}
)
"""Labels whose form leaves no doubt."""

VALUES = frozenset({"DATE", "MONEY"})
"""Labels of values, as opposed to names."""

_BLOCK_END = re.compile(r"[.;\n]\s(?:(?<=[a-z]{4}[.;]\s)(?=[A-Z])|(?<=\n\n))")
"""Borders that nothing here runs over: the end of a sentence, a blank line."""

_DIGIT = re.compile(r"\d")
_TENTHS = re.compile(r"\d[.,]\d\d")


class _Rule(NamedTuple):
    """What an expression finds: its part named `it` where it has one."""

    label: str
    expression: re.Pattern[str]
    hints: tuple[str, ...]
    """Words or signs of which a text in which it can find something holds one."""
    form: re.Pattern[str] | None = None
    """What such a text holds too, where that is quicker to find."""


@cache
def _numbered() -> tuple[_Rule, ...]:
    """What has a digit in it."""
    dashes = (" - ", " – ", " — ")
    return (
        *(_Rule("CASE_NUMBER", expression, ("",)) for expression in (references.CASE, references.FILE)),
        _Rule("CASE_NUMBER", references.DOCKET, (":",)),
        _Rule("CASE_NUMBER", references.ECLI, ("ECLI:",)),
        _Rule("CASE_NUMBER", references.GERMAN_FILE, ("/",)),
        _Rule("CASE_NUMBER", references.UNION_CASE, ("/",)),
        *(_Rule("CASE_NUMBER", each, ("-",)) for each in (references.FRENCH_APPEAL, references.CLAIM)),
        _Rule("CASE_NUMBER", references.NEUTRAL, ("[",)),
        _Rule("LAW", references.STATUTE, ("",)),
        _Rule("CONTRACT_NUMBER", references.CONTRACT, ("",)),
        *(_Rule("INVOICE_NUMBER", each, ("",)) for each in (references.INVOICE, references.INVOICE_CODE)),
        _Rule("DATE", _dates(), ("",)),
        _Rule("DATE", _quarters(), ("Q", "T", "H", "K", "F", "quart", "Quart", "trim")),
        _Rule("DATE", _DOTTED, (".",), _STOPS),
        _Rule("DATE", _SHORT, (".",), _STOPS),
        _Rule("DATE", _JAPANESE, ("年",)),
        _Rule("DATE", _YEAR_ALONE, ("1", "20")),
        _Rule("DATE", _FIRST_YEAR, dashes),
        _Rule("DATE", _LAST_YEAR, (*dashes, "rom ")),
        _Rule("DATE", _BEFORE_CHRIST, (" BC", " B.C.")),
        _Rule("MONEY", _money(), ("",)),
        _Rule("MONEY", _TOTAL, ("",), _TENTHS),
        _Rule("MONEY", _YEN, ("円",)),
    )


_LETTERED: tuple[_Rule, ...] = (
    _Rule("CONTRACT", _AGREEMENT, ("Agreement", "Contract", "Lease", "Deed")),
    _Rule("EMAIL", _EMAIL, ("@",)),
)


def find_patterns(text: str) -> list[Span]:
    """What the recognisers find in `text`, sorted by start, without overlaps; score 1.

    Labels: EMAIL, URL, PHONE, IBAN (length and ISO 7064 check digits right), VAT_NUMBER (its country's
    check digits right), CASE_NUMBER, CONTRACT_NUMBER, INVOICE_NUMBER (the number without the words
    before it), DATE, MONEY, CONTRACT (a titled agreement) and ORG (a name with a company's legal form).
    Of two that overlap, the exact label wins over DATE and MONEY, these over names, then the longer,
    then the earlier. Marks of notes on figures are read as if they were not there.
    """
    bare = without_marks(text)
    if len(bare.text) == len(text):
        return _find_all(text)
    return [
        Span(*bare.original(span.start, span.end), span.label, span.score) for span in _find_all(bare.text)
    ]


def _find_all(text: str) -> list[Span]:
    lettered, numbered = _possible(_LETTERED, text), _possible(_numbered(), text)
    numbered += lettered
    found: list[Span] = []
    for start, end in _blocks(text):
        has_digit = _DIGIT.search(text, start, end) is not None
        found += _by_rules(numbered if has_digit else lettered, text, start, end)
        if has_digit:
            found += references.find_reports(text, start, end)
            found += _by_digits(text, start, end)
        found += _urls(text, start, end)
        found += find_companies(text, start, end)
        found += find_in_words(text, start, end)
    return without_overlaps(found, _rank)


def _possible(rules: Iterable[_Rule], text: str) -> list[_Rule]:
    """Every expression costs time on every character, so only those run that can find something."""
    narrowed = (rule._replace(hints=tuple(filter(text.__contains__, rule.hints))) for rule in rules)
    return [rule for rule in narrowed if rule.hints]


def _blocks(text: str) -> Iterator[tuple[int, int]]:
    start = 0
    for border in _BLOCK_END.finditer(text):
        yield start, border.end()
        start = border.end()
    yield start, len(text)


def _by_rules(rules: list[_Rule], text: str, start: int, end: int) -> Iterator[Span]:
    piece = text[start:end]
    for rule in rules:
        if any(map(piece.__contains__, rule.hints)) and (not rule.form or rule.form.search(piece)):
            for match in rule.expression.finditer(text, start, end):
                if (place := _it(match))[0] >= 0:
                    yield Span(*place, rule.label)


def _by_digits(text: str, start: int, end: int) -> Iterator[Span]:
    numbers = [*_ibans(text, start, end), *find_vat_numbers(text, start, end)]
    yield from numbers
    for phone in find_telephones(text, start, end):
        if not any(phone.start < number.end and number.start < phone.end for number in numbers):
            yield phone


def without_overlaps(spans: list[Span], rank: Callable[[Span], tuple[int, ...]]) -> list[Span]:
    """The spans, sorted by start, without those that overlap a span of lower rank.

    Among equal ranks the earlier span stays, then the one whose label comes first.
    """
    order = sorted(spans, key=lambda s: (*rank(s), s.start, s.label))
    kept: list[Span] = []
    taken = bytearray(max((span.end for span in spans), default=0))
    for span in order:
        if not any(taken[span.start : span.end]):
            taken[span.start : span.end] = b"\1" * (span.end - span.start)
            kept.append(span)
    return sorted(kept, key=lambda span: span.start)


def _rank(span: Span) -> tuple[int, int]:
    form = 0 if span.label in EXACT else 1 if span.label in VALUES else 2
    return form, span.start - span.end


def _it(match: re.Match[str]) -> tuple[int, int]:
    """The match's part named `it`, else all of it, without a full stop that ends the sentence."""
    start, end = match.span("it") if "it" in match.re.groupindex else match.span()
    return start, end - match.string.endswith(".", start, end)


def _urls(text: str, low: int, high: int) -> Iterator[Span]:
    if text.find("://", low, high) < 0 and text.find("www.", low, high) < 0:
        return
    for match in _URL.finditer(text, low, high):
        url = match.group().rstrip(".,;:!?'*_-")
        while url.endswith((")", "]")) and url.count(url[-1]) > url.count({")": "(", "]": "["}[url[-1]]):
            url = url[:-1].rstrip(".,;:!?'")
        yield Span(match.start(), match.start() + len(url), "URL")


def _ibans(text: str, low: int, high: int) -> Iterator[Span]:
    for match in _IBAN_START.finditer(text, low, high):
        end = _iban_end(text, match.start(), _iban_length(match.group()[:2].upper()))
        if end and iban.is_valid(text[match.start() : end], check_country=False):
            yield Span(match.start(), end, "IBAN")


@cache
def _iban_length(country: str) -> int:
    """How many characters the country's IBANs have, by the registry that stdnum ships; 0 if it has none."""
    _, form = numdb.get("iban").info(f"{country}00")[0]
    return 4 + sum(map(int, _IBAN_PARTS.findall(form["bban"]))) if "bban" in form else 0


def _iban_end(text: str, start: int, length: int) -> int | None:
    """Where the IBAN of `length` characters ends, single blanks or hyphens between them; None if nowhere."""
    position, seen = start, 0
    while seen < length:
        if text[position : position + 1] in (" ", "\u00a0", "-"):
            position += 1
        character = text[position : position + 1]
        if not (character.isascii() and character.isalnum()):
            return None
        position, seen = position + 1, seen + 1
    return position if seen and not text[position : position + 1].isalnum() else None
