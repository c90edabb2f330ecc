"""What an agreement calls itself: its heading, else the words of its first sentence."""

from __future__ import annotations

import re
from collections.abc import Sequence

_HEAD = 4_000
_PAPER = (
    r"(?:AGREEMENT|Agreement|CONTRACT|Contract|LEASE|Lease|DEED|Deed|COVENANTS?|Covenants?"
    r"|UNDERTAKING|Undertaking|NDA|INDENTURE|Indenture|AMENDMENT|Amendment)"
)
_SMALL = r"(?:of|and|to|not|for|in|on|the|with|by|or|&)"
_TITLE_WORD = r"[A-Z][\w’'/&-]*+"
"""Taken whole, so that a line that is no title is given up in one pass."""
_OPENS = rf"(?i:{_SMALL})"
_LINE = re.compile(rf"[^\S\n]*+(?:(?:{_TITLE_WORD}|{_SMALL}\b|&)[,;/]?[^\S\n]*+)++")
_ENDS = re.compile(rf"\b{_PAPER}$")
_NOT_A_TITLE = re.compile(
    r"(?i)\s*(?:exhibit|appendix|schedule|annex|this|the\s|re\b|page|article|section|signature)"
)
_THIS = re.compile(
    rf"\b(?:This|THIS|this)\s+(?P<title>(?:(?:{_TITLE_WORD}|{_SMALL}),?\s+){{1,14}}?{_PAPER})(?=[\s,.(“\"])"
)
_BARE = re.compile(
    r"\b(?:[Tt]his|THIS|[Tt]he\s+following\s+is\s+an)\s+(?P<title>(?:[Ll]etter\s+)?(?:[Aa]greement"
    r"|AGREEMENT|[Cc]ontract|[Ll]etter))\b"
)
_OPEN = re.compile(rf"{_OPENS}\b")
_FEW = 3


def read_title(text: str) -> tuple[int, int] | None:
    """The span of the words that name the agreement; None in a text that calls itself none."""
    for found in (_heading(text), _named(text, _THIS), _named(text, _BARE)):
        if found:
            return found
    return None


def _named(text: str, pattern: re.Pattern[str]) -> tuple[int, int] | None:
    found = pattern.search(text, 0, _HEAD) or pattern.search(text)
    return found.span("title") if found else None


def _heading(text: str) -> tuple[int, int] | None:
    """The first line of capitals that ends with the word of a paper, with the lines above that belong to it;
    rather one of several words than of a single one.
    """
    short = None
    lines = _lines(text)
    for number, (start, end) in enumerate(lines):
        if _ENDS.search(text[start:end]) and _is_title(text, start, end):
            first = number
            while first and number - first < _FEW and _continues(text, lines[first - 1], (start, end)):
                first -= 1
            found = lines[first][0], end
            if len(text[slice(*found)].split()) > 1 and not _OPEN.match(text, found[0]):
                return found
            short = short or found
    return short


def _continues(text: str, above: tuple[int, int], line: tuple[int, int]) -> bool:
    piece = text[slice(*above)]
    same = piece.isupper() == text[slice(*line)].isupper()
    opens = piece.rstrip().endswith((",", "-")) or re.match(rf"\s*{_OPENS}\b", text[slice(*line)])
    return (same and bool(opens) and _is_title(text, *above)) or _ends_open(piece)


def _ends_open(piece: str) -> bool:
    return re.search(rf"\b{_OPENS}$", piece.rstrip()) is not None and piece.strip().isupper()


def _is_title(text: str, start: int, end: int) -> bool:
    piece = text[start:end]
    return _LINE.fullmatch(piece) is not None and not _NOT_A_TITLE.match(piece)


def _lines(text: str) -> Sequence[tuple[int, int]]:
    found, start = [], 0
    for line in text[:_HEAD].split("\n"):
        lead = len(line) - len(line.lstrip())
        found.append((start + lead, start + len(line.rstrip())))
        start += len(line) + 1
    return [(one, other) for one, other in found if one < other]
