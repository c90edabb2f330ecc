"""Small text documents, each different, the same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Iterator

_PEOPLE = ("Ann Lee", "Bob Marsh", "Carol Dunn", "David Okoye", "Elena Petrova", "Farid Haddad")
_FIRMS = ("Acme Corp", "Harwick Port Authority", "Norddeutsche Werft GmbH", "Initech Ltd")
_MONTHS = ("January", "March", "May", "August", "October", "December")
_SENTENCES = (
    "{person} met {other} in the office of {firm}.",
    "On {day} {month} {year} {person} paid USD {amount:,}.00 to {firm}.",
    "{firm} and {person} agree that the amount is due on {day} {month} {year}.",
    "Neither {person} nor {other} may assign this agreement without the consent of {firm}.",
    "Payment was late again.",
)


def texts(seed: int, count: int) -> Iterator[bytes]:
    """`count` texts of one to a dozen paragraphs."""
    chance = random.Random(seed)
    for number in range(count):
        paragraphs = [_paragraph(chance) for _ in range(chance.randint(1, 12))]
        yield "\n\n".join([f"File {number}", *paragraphs]).encode()


def _paragraph(chance: random.Random) -> str:
    return " ".join(_sentence(chance) for _ in range(chance.randint(1, 6)))


def _sentence(chance: random.Random) -> str:
    person, other = chance.sample(_PEOPLE, 2)
    return chance.choice(_SENTENCES).format(
        person=person,
        other=other,
        firm=chance.choice(_FIRMS),
        day=chance.randint(1, 28),
        month=chance.choice(_MONTHS),
        year=chance.randint(1990, 2026),
        amount=chance.randint(1, 90_000),
    )
