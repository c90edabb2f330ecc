"""What text means, as points: texts that mean alike are near each other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

_DIGITS = 6
"""Decimal places of a value: what is cut off moves no score by more than the model's own noise."""


@dataclass(frozen=True, slots=True)
class Vector:
    """What a passage of a chunk means."""

    index: int
    chunk: int
    """Index of the chunk the passage lies in."""
    start: int
    end: int
    page: int
    """Where the passage begins."""
    model: str
    """The engine's name; only vectors of one model can be compared."""
    values: tuple[float, ...]
    """Of length 1."""


def of_length_one(values: Sequence[float]) -> tuple[float, ...]:
    """The vector made as long as all others, so that the inner product alone says how near two are."""
    length = math.hypot(*values) or 1.0
    return tuple(round(value / length, _DIGITS) for value in values)
