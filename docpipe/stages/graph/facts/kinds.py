"""What kind of document it is, by its headings, its numbers and how it speaks of itself."""

from __future__ import annotations

import re

from docpipe.models import Kind
from docpipe.stages.graph.facts.reading import Reading
from docpipe.stages.text.wording.wording import is_agreement, language_of

_HEAD = 1_200
_BILL = re.compile(
    r"(?im)(?:^|\t)[^\w\n\t]*+(?:tax\s++|pro-?forma\s++|commercial\s++)?(?:invoice|rechnung|facture|fattura|factura"
    r"|fatura|faktura|factuur|credit\s++note)\b"
)
_RECEIPT = re.compile(
    r"(?im)(?:^|\t)[^\w\n\t]*+(?:official\s++|cash\s++|sales\s++)?(?:receipt|quittung|kassenbon|reçu"
    r"|ticket\s++de\s++caisse|scontrino|recibo)\b"
)
_PAID = re.compile(r"(?i)\b(?:cash|change\s++due|change|card|visa|mastercard|amount\s++tendered)\b")
_TOTAL = re.compile(r"(?im)^[^\w\n]*+(?:grand\s++)?total\b")
MAIL = re.compile(r"(?im)\A(?:\s*+(?:from|to|cc|bcc|date|sent|subject|reply-to):[^\n]*\n){2}")
GREETING = re.compile(
    r"(?m)^[^\w\n]*+(?:Dear\b|Ladies\s++and\s++Gentlemen|To\s++[Ww]hom\s++it|Sehr\s++geehrte|Madame|Monsieur"
    r"|Estimad[oa]s?\b|Egregi|Gentile|Geachte)[^\n]{0,90}$"
)
_COURT = re.compile(
    r"(?i)\b(?:plaintiffs?|defendants?|tribunal|respondents?|petitioner|appellant|claimant"
    r"|in\s++the\s++matter\s++of|(?:district|superior|supreme|high)\s++court)\b"
)
_FILING = re.compile(
    r"(?i)securities\s++and\s++exchange\s++commission|\bform\s++(?:10-[kq]|8-k|20-f|s-1|6-k"
    r"|def\s++14a)\b"
)
_AMENDS = re.compile(
    r"(?im)^[^\w\n]*+(?:(?:first|second|third|fourth|fifth|\w+)\s++)?amendment\s++(?:no\.?\s*+\d+\s++)?(?:to"
    r"|of)\b|\bamendment\s++agreement\b"
)
_REPORT = re.compile(r"(?im)^[^\n]{0,60}\breport[^\w\n]*+$")


def kind_of(reading: Reading) -> Kind:
    """The kind; OTHER where nothing shows it."""
    head = reading.text[:_HEAD]
    for kind, shown in (
        (Kind.EMAIL, MAIL.match(head)),
        (Kind.INVOICE, _BILL.search(head) and reading.labelled("MONEY")),
        (Kind.RECEIPT, _is_receipt(reading, head)),
        (Kind.AMENDMENT, is_agreement(reading.text) and _amends(reading.text, head)),
        (Kind.AGREEMENT, is_agreement(reading.text)),
        (Kind.COURT_PAPER, len(_COURT.findall(head)) > 1),
        (Kind.FILING, _FILING.search(head)),
        (Kind.LETTER, GREETING.search(reading.text, 0, 2 * _HEAD)),
        (Kind.REPORT, _REPORT.search(head)),
    ):
        if shown:
            return kind
    return Kind.OTHER


def _amends(text: str, head: str) -> bool:
    language = language_of(text)
    title = language.title.search(head) if language else None
    return bool(language.amends.search(title["title"]) if language and title else _AMENDS.search(head))


def _is_receipt(reading: Reading, head: str) -> bool:
    short = len(reading.text) < 2 * _HEAD
    paid = short and _TOTAL.search(reading.text) and _PAID.search(reading.text)
    return bool(_RECEIPT.search(head) or paid)
