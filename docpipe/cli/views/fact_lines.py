"""A document's facts in a few lines: what a person wants to know first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_Facts = Sequence[Mapping[str, Any]]

_LINES = (
    ("from", ("SENT_BY", "ISSUED_BY")),
    ("to", ("SENT_TO", "ISSUED_TO")),
    ("parties", ("PARTY_TO",)),
    ("dates", ("DATED",)),
    ("number", ("NUMBERED",)),
    ("amounts", ("AMOUNT_OF", "PAID_TO")),
    ("law, term", ("GOVERNED_BY", "TERM_OF")),
    ("signed by", ("SIGNED_BY",)),
)
_HEAD = 11


def fact_lines(found: Mapping[str, Any], width: int = 80) -> Iterator[str]:
    """A few lines about `found` (as of `document_json`), none longer than `width`; none without facts."""
    facts: _Facts = found["facts"]
    if not facts:
        return
    yield _line(found["kind"], found["title"], width)
    for head, types in _LINES:
        listed = [_said(fact, found) for fact in facts if fact["type"] in types]
        if listed:
            yield _line(head, "; ".join(dict.fromkeys(listed)), width)


def _line(head: str, text: str, width: int) -> str:
    line = f"  {head:{_HEAD}} {text}".rstrip()
    return line if len(line) <= width else line[: width - 1].rstrip() + "…"


def _said(fact: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    text = str(fact["text"])
    if fact["type"] == "SIGNED_BY":
        holder = found["entities"][fact["holder"]]["name"] if fact["holder"] is not None else ""
        return f"{text} for {holder}" if holder and holder != text else text
    if fact["type"] in ("DATED", "AMOUNT_OF"):
        return f"{text} {fact['role']}".rstrip()
    return f"{text} ({fact['role']})" if fact["role"] else text
