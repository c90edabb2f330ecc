"""What a rule of wording finds."""

from __future__ import annotations

from typing import NamedTuple

from docpipe.models import FactType


class Said(NamedTuple):
    """A fact in the text: `start..end` is what is named (a party, a law), `shown` the span that shows it."""

    type: FactType
    start: int
    end: int
    label: str
    """The label of a mention of it; empty where the mention is one that is found anyway (a date)."""
    shown: tuple[int, int]
    score: float
    role: str = ""
