"""Exact recognisers: things whose form alone says what they are.

Every expression has bounded repetitions only, so that the time is linear in the text whatever the
text is. Month names are English. A single line break may stand inside a match, a blank line not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from docpipe.engines.ports import Span
from docpipe.stages.entities.vat import find_vat_numbers

_GAP = r"[^\S\n]{0,3}\n?[^\S\n]{0,3}"
_BREAK = r"(?:[^\S\n]{1,3}\n?[^\S\n]{0,3}|\n[^\S\n]{0,3})"
_IN_CELL = r"[^\S\n\t]{0,3}\n?[^\S\n\t]{0,3}"  # a tab parts the cells of a table: a date stands in one

# --- addresses ----------------------------------------------------------------------------------

_EMAIL = re.compile(
    r"(?<![\w.+%-])[A-Za-z0-9][\w.+%'-]{0,63}@(?:[A-Za-z0-9][A-Za-z0-9-]{0,62}\.){1,6}[A-Za-z]{2,24}(?![\w@-])"
)
_URL = re.compile(r"(?<![\w@])(?:https?://|ftp://|www\.)[\w\[][^\s<>\"“”‘’«»|\\^`{}]{1,2000}")
_PHONE = re.compile(
    r"(?<![\w.,/+-])(?:"
    r"(?:\+|00)[1-9]\d{0,2}[ .\-/]{0,2}(?:\(0?\d{1,4}\)[ .\-/]{0,2})?\d{1,5}(?:[ .\-/]{0,2}\d{2,5}){1,5}"
    r"|(?:1[ .-])?\([2-9]\d\d\) ?\d{3}[ .-]\d{4}"
    r"|(?:1[.-])?[2-9]\d\d([.-])\d{3}\1\d{4}"
    r")(?![\w]|[.,-]\d)"
)
_CUED_PHONE = re.compile(
    r"\b(?:[Tt]el(?:ephone|efon)?|TEL|[Pp]hone|PHONE|[Ff]ax|FAX|[Mm]obile|[Cc]ell)\b\.?"
    r"(?: ?(?:[Nn]o\.?|[Nn]umber))? ?:? {0,3}(?P<it>\+?\(?\d[\d ()./-]{5,22}\d)(?!\w)"
)

_DIGITS_OF_PHONE = re.compile(r"\d[\d ()./-]{6}")

# --- numbers that name something ------------------------------------------------------------------

_NUMBER_CUE = r"[^\S\n]?(?:[Nn]os?\b\.?|NOS?\b\.?|[Nn]umber|NUMBER|[Nn]r\b\.?|#|ID\b)[^\S\n]?:?" + _GAP
_CODE = r"(?P<it>(?=[A-Z0-9/:._-]{0,30}\d)[A-Z0-9](?:[A-Za-z0-9]|[/:._-](?=[A-Za-z0-9])){1,39})"
_CASE = re.compile(
    r"\b(?:[Cc]ase|CASE|[Dd]ocket|DOCKET|[Cc]ause|CAUSE|[Cc]ivil [Aa]ction|CIVIL ACTION|Index|Claim|CLAIM"
    rf"|Matter|[Aa]ppeal|[Pp]etition){_NUMBER_CUE}{_CODE}"
)
_DOCKET = re.compile(r"(?<![\w:-])\d{1,2}:\d{2}-[a-z]{2}-\d{3,6}(?:-[A-Z]{2,4}){0,3}(?![\w-])")
_ECLI = re.compile(r"\bECLI:[A-Z]{2}:[A-Z0-9]{1,7}:\d{4}:[A-Z0-9.]{1,25}(?<!\.)")
_CONTRACT = re.compile(
    r"\b(?:[Cc]ontract|CONTRACT|[Aa]greement|AGREEMENT|[Ll]ease|LEASE|[Pp]olicy|POLICY|[Pp]urchase [Oo]rder"
    rf"|PURCHASE ORDER|P\.?O\.?){_NUMBER_CUE}{_CODE}"
)
_INVOICE = re.compile(rf"\b(?:[Ii]nvoice|INVOICE){_NUMBER_CUE}{_CODE}")
_INVOICE_CODE = re.compile(
    r"\b(?:[Ii]nvoice|INVOICE)[ :]{1,3}(?P<it>[A-Z]{1,6}-?\d[A-Z0-9]{0,15}(?:[/-][A-Z0-9]{1,15}){0,4})(?!\w)"
)

_IBAN_START = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?=[ A-Z0-9])")
_IBAN_COUNTRIES = {
    15: "NO",
    16: "BE",
    18: "DK FI FO GL NL",
    19: "MK SI",
    20: "AT BA EE KZ LT LU XK",
    21: "CH HR LI LV",
    22: "BG BH CR DE GB GE IE ME RS VA",
    23: "AE GI IL IQ TL",
    24: "AD CZ ES MD PK RO SA SE SK TN VG",
    25: "PT ST",
    26: "IS TR",
    27: "FR GR IT MC MR SM",
    28: "AL AZ BY CY DO GT HU LB PL SV",
    29: "BR EG PS QA UA",
    30: "JO KW MU",
    31: "MT SC",
    32: "LC",
}
"""Countries by the length of their IBAN, from SWIFT's IBAN registry (ISO 13616)."""
_IBAN_LENGTH = {code: length for length, codes in _IBAN_COUNTRIES.items() for code in codes.split()}

# --- dates and amounts ----------------------------------------------------------------------------

_MONTH = (
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?"
    r"|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?"
    r"|JAN(?:UARY)?|FEB(?:RUARY)?|MAR(?:CH)?|APR(?:IL)?|MAY|JUNE?|JULY?|AUG(?:UST)?|SEPT?(?:EMBER)?"
    r"|OCT(?:OBER)?|NOV(?:EMBER)?|DEC(?:EMBER)?)\b\.?"
)
_DAY = r"(?:3[01]|[12]\d|0?[1-9])(?:st|nd|rd|th|ST|ND|RD|TH)?"
_YEAR = r"(?:1[0-9]|20|21)\d\d"
_WEEKDAY = r"(?:(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day,? )?"
_DATE = re.compile(
    rf"(?<![\w./-])(?<!\d,){_WEEKDAY}(?:"
    rf"{_YEAR}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])"
    rf"|{_DAY}(?:{_BREAK}day)?(?:{_BREAK}of)?{_IN_CELL}{_MONTH}(?:,?{_IN_CELL}{_YEAR})?"
    rf"|{_MONTH}{_IN_CELL}{_DAY}(?:[-–]{_DAY})?(?:,?{_IN_CELL}{_YEAR})"
    rf"|{_MONTH}{_IN_CELL}{_DAY}(?:[-–]{_DAY})?(?!\d|[.,:]\d)"
    rf"|{_MONTH},?{_BREAK}(?:of{_BREAK})?{_YEAR}"
    r"|(?:3[01]|[12]\d|0?[1-9])\.(?:1[0-2]|0?[1-9])\.(?:1[0-9]|20|21)\d\d"
    r"|(?:3[01]|[12]\d|0?[1-9])/(?:3[01]|[12]\d|0?[1-9])/(?:(?:1[0-9]|20|21)\d\d|\d\d)"
    r")(?!\w|/\d|-\d\d?-)"
)
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

_AMOUNT = (
    r"(?:\d{1,3}(?:,\d{2,3}){1,6}(?:\.\d{1,4})?|\d{1,3}(?:\.\d{3}){1,6}(?:,\d{1,2})?"
    r"|\d{1,3}(?:['’ \u00a0]\d{3}){1,6}(?:[.,]\d{1,2})?|\d{1,15}(?:[.,]\d{1,4})?)(?:\.?[-–—]{1,2}(?!\w))?"
)
_SCALE = rf"(?:{_GAP}(?:[Mm]illion|[Bb]illion|[Tt]rillion|[Tt]housand|MILLION|BILLION|bn|mn|mio|[mkMBK])\b)?"
_CURRENCY = (
    r"(?:USD|EUR|GBP|CHF|JPY|CNY|CAD|AUD|NZD|HKD|SGD|SEK|NOK|DKK|PLN|CZK|HUF|INR|BRL|MXN|ZAR|KRW|TRY|AED)"
)
_SIGN = r"(?:(?:US|CA|AU|NZ|HK|C|A|S)?\$|[€£¥₹])"
_MONEY = re.compile(
    rf"(?<![\w$€£¥₹])(?:(?:[Mm]ore than|[Ll]ess than|[Oo]ver){_BREAK})?"
    rf"(?:(?:{_CURRENCY} ?{_SIGN}?|{_SIGN}){_GAP}{_AMOUNT}{_SCALE}(?: ?{_CURRENCY}\b)?"
    rf"|(?<![.,]){_AMOUNT}{_SCALE}{_GAP}(?:{_CURRENCY}\b|[€£]|(?:U\.?S\.? )?[Dd]ollars\b|[Ee]uros?\b"
    r"|[Pp]ounds [Ss]terling\b|[Ss]wiss [Ff]rancs\b))(?![\d]|[.,]\d)"
)

# --- names by their form --------------------------------------------------------------------------

_PLAIN = r"(?:[\w&'’-]|\.(?=\w)){0,30}"
_WORD = rf"(?:(?:[A-Z]|Co|St)\.|[A-Z0-9]{_PLAIN})"
_FORM = (
    r"(?:Incorporated|Inc|INC|Ltd|LTD|Limited|LIMITED|LLC|L\.L\.C|LLP|L\.P|PLC|plc|Plc|Corporation|CORPORATION|Corp"
    r"|CORP|GmbH|AG|KG|S\.A|SARL|S\.r\.l|B\.V|N\.V|Pty|Oy|A/S)"
)
_COMPANY = re.compile(
    rf"(?<![\w&'’.-])(?=[A-Z]){_WORD}(?: (?:{_WORD}|&|and|de)){{0,5}}?,? "
    rf"{_FORM}\b\.?(?: (?:Ltd|& Co\.? KG)\b\.?)?"
)
_LEGAL_FORM = re.compile(rf" {_FORM}\b")
_ABBREVIATED = (
    "Inc.",
    "INC.",
    "Ltd.",
    "LTD.",
    "Corp.",
    "CORP.",
    "L.L.C.",
    "L.P.",
    "S.A.",
    "S.r.l.",
    "B.V.",
    "N.V.",
    "Co.",
)
_LEADING = re.compile(
    r"(?:(?:The|This|That|Between|By|And|From|To|For|With|In|On|At|Of|If|When|While|As|Both|Dear|Seller|Buyer"
    r"|Client|Customer|Supplier|Tenant|Landlord|Licensor|Licensee|Party|Parties|THE|BETWEEN|AND)"
    r"(?:[:,.]| and| of)? )+"
)
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

_CASE_WORDS = (
    *("ase", "ocket", "ause", "ction", "ndex", "laim", "atter", "ppeal", "etition"),
    *("ASE", "CKET", "AUSE", "CTION", "LAIM"),
)
_CONTRACT_WORDS = (
    *("ontract", "greement", "ease", "olicy", "urchase", "P.O", "PO"),
    *("ONTRACT", "REEMENT", "EASE", "LICY", "CHASE"),
)

_Rule = tuple[str, re.Pattern[str], tuple[str, ...]]
"""Label, expression, and words or signs of which the text then holds one."""

_NUMBERED: tuple[_Rule, ...] = (
    (
        "CASE_NUMBER",
        _CASE,
        _CASE_WORDS,
    ),
    ("CASE_NUMBER", _DOCKET, (":",)),
    ("CASE_NUMBER", _ECLI, ("ECLI:",)),
    (
        "CONTRACT_NUMBER",
        _CONTRACT,
        _CONTRACT_WORDS,
    ),
    ("INVOICE_NUMBER", _INVOICE, ("nvoice", "INVOICE")),
    ("INVOICE_NUMBER", _INVOICE_CODE, ("nvoice", "INVOICE")),
    ("DATE", _DATE, ("",)),
    ("DATE", _YEAR_ALONE, ("1", "20")),
    ("DATE", _FIRST_YEAR, (" - ", " – ", " — ")),
    ("DATE", _LAST_YEAR, (" - ", " – ", " — ", "rom ")),
    ("DATE", _BEFORE_CHRIST, (" BC", " B.C.")),
    ("MONEY", _MONEY, (*"$€£¥₹", "oll", "uro", "ster", "wiss", *_CURRENCY[3:-1].split("|"))),
)
"""What has a digit in it."""

_LETTERED: tuple[_Rule, ...] = (
    ("CONTRACT", _AGREEMENT, ("Agreement", "Contract", "Lease", "Deed")),
    ("EMAIL", _EMAIL, ("@",)),
)


def find_patterns(text: str) -> list[Span]:
    """What the recognisers find in `text`, sorted by start, without overlaps; score 1.

    Labels: EMAIL, URL, PHONE, IBAN (length and ISO 7064 check digits right), VAT_NUMBER (its country's
    check digits right), CASE_NUMBER, CONTRACT_NUMBER, INVOICE_NUMBER (the number without the words
    before it), DATE, MONEY, CONTRACT (a titled agreement) and ORG (a name with a company's legal form).
    Of two that overlap, the exact label wins over DATE and MONEY, these over names, then the longer,
    then the earlier.
    """
    lettered, numbered = _possible(_LETTERED, text), _possible(_NUMBERED, text)
    numbered += lettered
    found: list[Span] = []
    for start, end in _blocks(text):
        has_digit = _DIGIT.search(text, start, end) is not None
        found += _by_rules(numbered if has_digit else lettered, text, start, end)
        if has_digit:
            found += _by_digits(text, start, end)
        found += _urls(text, start, end)
        found += _companies(text, start, end)
    return without_overlaps(found, _rank)


def _possible(rules: Iterable[_Rule], text: str) -> list[_Rule]:
    """Every expression costs time on every character, so only those run that can find something."""
    return [rule for rule in rules if any(map(text.__contains__, rule[2]))]


def _blocks(text: str) -> Iterator[tuple[int, int]]:
    start = 0
    for border in _BLOCK_END.finditer(text):
        yield start, border.end()
        start = border.end()
    yield start, len(text)


def _by_rules(rules: list[_Rule], text: str, start: int, end: int) -> Iterator[Span]:
    for label, expression, _ in _possible(rules, text[start:end]):
        for match in expression.finditer(text, start, end):
            yield Span(*_it(match), label)


def _by_digits(text: str, start: int, end: int) -> Iterator[Span]:
    yield from _phones(text, start, end)
    yield from _ibans(text, start, end)
    yield from find_vat_numbers(text, start, end)


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


def _phones(text: str, low: int, high: int) -> Iterator[Span]:
    if not _DIGITS_OF_PHONE.search(text, low, high):
        return
    for expression in (_PHONE, _CUED_PHONE):
        for match in expression.finditer(text, low, high):
            start, end = _it(match)
            if 7 <= sum(map(str.isdigit, text[start:end])) <= 15:
                yield Span(start, end, "PHONE")


def _ibans(text: str, low: int, high: int) -> Iterator[Span]:
    for match in _IBAN_START.finditer(text, low, high):
        end = _iban_end(text, match.start(), _IBAN_LENGTH.get(match.group()[:2], 0))
        if end and _mod_97(text[match.start() : end].replace(" ", "")) == 1:
            yield Span(match.start(), end, "IBAN")


def _iban_end(text: str, start: int, length: int) -> int | None:
    """Where the IBAN of `length` characters ends, single spaces between them; None where there is none."""
    position, seen = start, 0
    while seen < length:
        if text[position : position + 1] == " ":
            position += 1
        character = text[position : position + 1]
        if not (character.isascii() and (character.isdigit() or character.isupper())):
            return None
        position, seen = position + 1, seen + 1
    return position if seen and not text[position : position + 1].isalnum() else None


def _mod_97(iban: str) -> int:
    """ISO 7064 MOD 97-10: first four characters to the end, letters as 10..35; valid when 1."""
    return int("".join(str(int(character, 36)) for character in iban[4:] + iban[:4])) % 97


def _companies(text: str, low: int, high: int) -> Iterator[Span]:
    if not _LEGAL_FORM.search(text, low, high):
        return
    for match in _COMPANY.finditer(text, low, high):
        start, end = match.span()
        if not match.group().endswith(_ABBREVIATED):
            end -= match.group().endswith(".")
        if lead := _LEADING.match(text, start, end):
            start = lead.end()
        if len(text[start:end].split()) > 1:
            yield Span(start, end, "ORG")
