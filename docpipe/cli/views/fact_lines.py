"""A document's facts in a few lines: what a person wants to know first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from textwrap import wrap
from typing import Any

_Facts = Sequence[Mapping[str, Any]]

_LINES = (
    ("from", ("SENT_BY", "ISSUED_BY")),
    ("to", ("SENT_TO", "ISSUED_TO")),
    ("parties", ("PARTY_TO",)),
    ("dates", ("DATED",)),
    ("amounts", ("AMOUNT_OF",)),
    ("pay to", ("PAID_TO",)),
    ("signed by", ("SIGNED_BY",)),
    ("law, term", ("GOVERNED_BY", "TERM_OF")),
)
_HEAD = 12
_ROWS = 2
_MORE = " …"


def fact_lines(found: Mapping[str, Any], width: int = 80) -> Iterator[str]:
    """A few lines about `found` (as of `document_json`), none longer than `width`; none without facts.

    A kind of fact takes two lines at most; what has no room ends in an ellipsis.
    """
    facts: _Facts = found["facts"]
    if not facts:
        return
    numbers = [fact["text"] for fact in facts if fact["type"] == "NUMBERED"]
    yield from _lines(found["kind"], ", ".join(filter(None, [found["title"], *numbers])), width)
    for head, types in _LINES:
        listed = [_said(fact, facts) for fact in facts if fact["type"] in types and fact["role"] != "signing"]
        if listed:
            yield from _lines(head, "; ".join(dict.fromkeys(listed)), width)


def _lines(head: str, text: str, width: int) -> Iterator[str]:
    rows = wrap(text, width - _HEAD, break_long_words=True, max_lines=_ROWS, placeholder=_MORE) or [""]
    yield f"  {head:{_HEAD - 2}}{rows[0]}".rstrip()
    yield from (" " * _HEAD + row for row in rows[1:])


def _said(fact: Mapping[str, Any], facts: _Facts) -> str:
    text = str(fact["text"])
    if fact["type"] == "SIGNED_BY":
        parties = [each for each in facts if each["type"] == "PARTY_TO" and _is_holder(each, fact)]
        called = next((each["role"] or each["text"] for each in parties), "")
        return f"{text} for {called}" if called and fact["holder"] != fact["entity"] else text
    if fact["type"] in ("DATED", "AMOUNT_OF"):
        return f"{text} {fact['role']}".rstrip()
    return f"{text} ({fact['role']})" if fact["role"] else text


def _is_holder(party: Mapping[str, Any], signature: Mapping[str, Any]) -> bool:
    return party["entity"] is not None and party["entity"] == signature["holder"]
