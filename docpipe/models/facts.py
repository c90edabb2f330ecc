"""What kind of document a document is, and what it says of itself: typed facts, each with its evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from docpipe.models.geometry import PageBox


class Kind(StrEnum):
    """What kind of document a document is."""

    AGREEMENT = "agreement"
    AMENDMENT = "amendment"
    """It changes an agreement that stands elsewhere."""
    INVOICE = "invoice"
    RECEIPT = "receipt"
    LETTER = "letter"
    EMAIL = "e-mail"
    FILING = "filing"
    """A form or report that the law wants registered."""
    COURT_PAPER = "court paper"
    REPORT = "report"
    OTHER = "other"


class FactType(StrEnum):
    """What a fact says; the roles of each are in docs/reference/graph.md."""

    KIND = "KIND"
    """What kind of document it is: `value` is the kind, `entity` the document itself."""
    PARTY_TO = "PARTY_TO"
    """A party; `role` is what the document calls it (`Borrower`), else empty."""
    DATED = "DATED"
    """A date; `role` says which: `effective`, `signing`, `expiry`, `issued`, `due` or `sent`."""
    GOVERNED_BY = "GOVERNED_BY"
    """The country or state whose law governs."""
    TERM_OF = "TERM_OF"
    """How long it lasts."""
    NUMBERED = "NUMBERED"
    """The document's own number."""
    AMOUNT_OF = "AMOUNT_OF"
    """An amount of money; `role` is what it is for (`monthly fee`, `total`, `tax`)."""
    SIGNED_BY = "SIGNED_BY"
    """Who signed or is to sign; `holder` is the party signed for, `role` the title below the signature."""
    ISSUED_BY = "ISSUED_BY"
    ISSUED_TO = "ISSUED_TO"
    PAID_TO = "PAID_TO"
    """The account to pay to: an IBAN."""
    SENT_BY = "SENT_BY"
    SENT_TO = "SENT_TO"


@dataclass(frozen=True, slots=True)
class Evidence:
    """The span of text that shows a relation or fact, and the page it starts on."""

    start: int
    end: int
    page: int
    boxes: tuple[PageBox, ...] = ()
    """One for each line it covers, or part of one; empty where the format has no geometry."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing the document says of itself."""

    type: FactType
    text: str
    """As the document has it, in one line: a name, a date, an amount."""
    evidence: Evidence
    score: float
    """0..1: how rarely the rule that found it errs."""
    role: str = ""
    """Which of several facts of the type it is."""
    value: str | None = None
    """The normal form of a date, amount, number or term (ISO 8601: `P2Y`), where it is plain."""
    entity: int | None = None
    """Index of the entity that it names; None where it names none."""
    holder: int | None = None
    """Index of the entity that it belongs to: of a signature, the party signed for."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What kind of document it is, which of its entities it is itself, and its facts in the order of the text
    that shows them.
    """

    kind: Kind
    subject: int | None = None
    """Index of the entity that it is: an agreement by its title or number, an invoice by its number."""
    title: str = ""
    """As the document has it, in one line: `SERVICES AGREEMENT`, the subject of a mail; empty without one."""
    evidence: Evidence | None = None
    """Where `title` stands."""
    items: tuple[Fact, ...] = ()

    def listed(self) -> tuple[Fact, ...]:
        """As one list, which begins with the fact that says the kind: the form in which stores keep them."""
        place = self.evidence or Evidence(0, 0, 1)
        own = Fact(FactType.KIND, self.title, place, 1.0, value=self.kind.value, entity=self.subject)
        return own, *self.items

    @classmethod
    def of(cls, listed: Sequence[Fact]) -> Self | None:
        """From what `listed` gave; None of an empty list."""
        if not listed:
            return None
        own = listed[0]
        place = own.evidence if own.text else None
        return cls(Kind(own.value or Kind.OTHER), own.entity, own.text, place, tuple(listed[1:]))
