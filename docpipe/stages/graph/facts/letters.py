"""The facts of a letter or mail: sender, receivers, date, subject."""

from __future__ import annotations

import re
from collections.abc import Iterator

from docpipe.models import Fact, FactType, Mention
from docpipe.stages.graph.facts.kinds import GREETING
from docpipe.stages.graph.facts.reading import Reading

_FIELD = re.compile(
    r"(?im)^(?P<name>from|to|cc|date|sent"
    r"|subject):[^\S\n]*(?P<value>[^\n]*(?:\n[^\S\n]+\S[^\n]*)*)$"
)
_HEADS = 3_000
_CLOSING = re.compile(
    r"(?m)^[^\w\n]*+(?:(?:Yours|Very|Sincerely|Respectfully|Kind(?:est)?\s++regards|Best|Regards"
    r"|Mit\s++freundlichen|Cordialement|Veuillez)\b[^\n]{0,70})$"
)
_ABOUT = re.compile(r"(?i)^\W*(?:re|subject|betreff|objet|ref|regarding)\s*+[:.]\s*+")
_NAMES = ("PERSON", "ORG")
_SUBJECT_WORDS = 14
_ADDRESSED = re.compile(
    r"(?:^|\s)(?:Mr|Mrs|Ms|Miss|Dr|Prof|Herrn?|Frau|Monsieur|Madame|Mme|M|Señora?)\.?\s+$"
)


def mail_facts(reading: Reading) -> tuple[str, tuple[int, int] | None, list[Fact]]:
    """Subject, where it stands, and the facts that the header fields state."""
    subject, place, facts = "", None, []
    for field in _FIELD.finditer(reading.text, 0, _HEADS):
        name, span = field["name"].lower(), field.span("value")
        if name == "subject" and not subject:
            subject, place = " ".join(field["value"].split()), span
        elif name in ("date", "sent"):
            facts += [
                reading.fact(FactType.DATED, each, 0.97, "sent") for each in reading.between(*span, "DATE")
            ][:1]
        elif name in ("from", "to", "cc"):
            kind = FactType.SENT_BY if name == "from" else FactType.SENT_TO
            facts += [
                reading.named(kind, each, 0.97, "copy" if name == "cc" else "")
                for each in _addresses(reading, span)
            ]
    return subject, place, facts


def _addresses(reading: Reading, span: tuple[int, int]) -> list[Mention]:
    """The names in a field, and the addresses of those who have none."""
    named = list(reading.between(*span, *_NAMES))
    return named or list(reading.between(*span, "EMAIL"))


def letter_facts(reading: Reading) -> tuple[str, tuple[int, int] | None, list[Fact]]:
    """Subject, where it stands, and the facts that head and close of a letter show."""
    greeting = GREETING.search(reading.text)
    head = greeting.start() if greeting else 0
    dates = [each for each in reading.between(0, head, "DATE") if each.value]
    date = dates[0] if dates else None
    subject = _subject(reading, head)
    facts = [reading.named(FactType.SENT_BY, each, 0.85) for each in _senders(reading, date, head)]
    facts += [reading.named(FactType.SENT_TO, each, 0.85) for each in _receivers(reading, date, head)]
    facts += [reading.fact(FactType.DATED, date, 0.9, "sent")] if date else []
    return " ".join(reading.text[slice(*subject)].split()) if subject else "", subject, facts


def _senders(reading: Reading, date: Mention | None, head: int) -> Iterator[Mention]:
    """The company of the letterhead, else of the close, and the person who closes the letter."""
    closing = next(iter(_CLOSING.finditer(reading.text, head)), None)
    below = list(reading.between(closing.end(), closing.end() + 250, *_NAMES)) if closing else []
    above = reading.between(0, date.start if date else 0, "ORG")
    company = next(above, None) or next((each for each in below if each.label == "ORG"), None)
    yield from (
        each for each in (company, next((each for each in below if each.label == "PERSON"), None)) if each
    )


def _receivers(reading: Reading, date: Mention | None, head: int) -> Iterator[Mention]:
    """Who is named between the date and the greeting; where nobody is, who has a form of address above."""
    below = list(reading.between(date.end if date else 0, head, *_NAMES))
    above = [each for each in reading.between(0, head, *_NAMES) if _ADDRESSED.search(_line_to(reading, each))]
    seen = set()
    for each in below or above:
        if reading.entity(each) not in seen and not _ABOUT.match(
            reading.text[reading.line(each.start)[0] : each.start]
        ):
            seen.add(reading.entity(each))
            yield each


def _line_to(reading: Reading, mention: Mention) -> str:
    return reading.text[reading.line(mention.start)[0] : mention.start]


def _below(reading: Reading, place: int) -> Iterator[int]:
    """Where the next two lines begin."""
    for _ in range(2):
        place = reading.line(place)[1] + 1
        yield place


def _subject(reading: Reading, head: int) -> tuple[int, int] | None:
    """The line marked as the subject, beside the greeting; else the last one before it that is no address."""
    end = len(reading.text[:head].rstrip())
    start, stop = reading.line(end - 1) if end else (0, 0)
    above = reading.line(start - 1)[0] if start else 0
    for place in (start, above, *(_below(reading, head) if head else ())):
        line = reading.line(place)
        if marked := _ABOUT.match(reading.text[slice(*line)]):
            return line[0] + marked.end(), line[1]
    words = reading.text[start:stop]
    plain = "," not in words and 0 < len(words.split()) <= _SUBJECT_WORDS
    named = any(reading.between(start, stop, *_NAMES, "LOCATION"))
    return (start, stop) if plain and not named else None
