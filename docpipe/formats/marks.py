"""Raised and lowered letters in text that has no places: marks of notes, exponents, ordinals."""

from __future__ import annotations

import re

_RAISED = str.maketrans("0123456789+-−=()n", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾ⁿ")
_LOWERED = str.maketrans("0123456789+-−=()", "₀₁₂₃₄₅₆₇₈₉₊₋₋₌₍₎")
_DIGITS = re.compile(r"[0-9+\-−=()n]{1,8}")
_UNIT = re.compile(r"(?:^|[^\w])(?:[kcdmµ]?m|km|ft|in|yd|[a-zA-Z]|10)$")
_ORDINAL = re.compile(r"(?:st|nd|rd|th|er|re|e|o|a|ème|º|ª|TM|®|™|SM)\.?")


_ROMAN = str.maketrans("ivx", "ⁱᵛˣ")


def as_mark(number: str) -> str:
    """The mark of a note, by its number in Arabic or small Roman figures, as it follows what it stands on."""
    return f" {number.translate(_RAISED).translate(_ROMAN)}"


def marked(text: str, before: str, lowered: bool = False) -> str:
    """A raised (or lowered) piece of text as it is to follow `before`, never as digits of one number with it.

    The exponents of units and powers become raised digits (`m²`, `CO₂`), ordinals stay (`1st`). All others
    are marks of notes: raised digits, or the letters as they are, after a space.
    """
    core = text.strip()
    if not core or _ORDINAL.fullmatch(core):
        return text
    small = core.translate(_LOWERED if lowered else _RAISED) if _DIGITS.fullmatch(core) else core
    lead, tail = text[: len(text) - len(text.lstrip())], text[len(text.rstrip()) :]
    if not before[-1:].strip() or (small != core and (lowered or _UNIT.search(before[-4:]))):
        return lead + small + tail
    return f"{lead or ' '}{small}{tail}"
