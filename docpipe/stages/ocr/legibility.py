"""Whether a text reads like language, told from its letters and words alone."""

from __future__ import annotations

import re
import unicodedata
from operator import add

_PAIRS = """
56760465746879364988662025 64007000600500600612500050 70307007704201700014500004 71039000700204700534521044
55676475755989240997663316 60004300510400600604300000 60037022330303500544500050 70127001500302600314450030
73668373456769620588350404 60026000402201500020400000 62026001634300600445510031 83338442724820701056541050
74008000700053750033500031 80688362825016703078512054 46564353645778550877665114 60006000500500750733400000
00000000000000000000700000 85469332702444811467543035 80608002835332652279540025 92109206821202810757633142
64457240632658450667322222 70008000603001700420400020 50005005500002400020100020 10002000300000100002000000
30324002210332400144012002 60027000501103500002402041
"""
"""How common each pair of the letters a to z is, row by row from `aa` to `zz`: 0 (never) to 9, each step a
factor of 1.8; 5 is what chance would give. Counted over spaCy's stop words and example sentences of
sixteen European languages, accents taken off. Measured: pages of real text, receipts and forms too,
have a mean of 5.9 and more; the same pages under a broken character map, of 4.3 and less."""
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_MIN_PAIRS = 60
_SAMPLE = 900
"""Characters that are looked at: enough to tell, and no page takes longer."""
_WORD = re.compile(
    r"""["'“‘„«(\[*]*+"""
    r"""(?:[^\W\d_]{2,}+(?:[-'’./&@][^\W\d_]*+)*+|[aAiIoOeEyYàÀ&]|[-+]?[$€£#]?\d[\d.,:/%-]*+)"""
    r"""[\])"'”’».,;:!?%*]*+"""
)
_UNMAPPED = re.compile(r"\(cid:\d+\)")
_MEANINGLESS = frozenset({"Co", "Cn", "Cs", "Cc"})


def _commonness() -> dict[str, int]:
    digits = iter("".join(_PAIRS.split()))
    return {first + second: int(next(digits)) for first in _LETTERS for second in _LETTERS}


_COMMONNESS = _commonness()


def letter_score(text: str) -> float | None:
    """The mean commonness (0 to 9) of the text's letter pairs; None where there are too few to tell."""
    plain = unicodedata.normalize("NFKD", _sample(text).lower())  # accents are letters of their own then
    found = [_COMMONNESS[pair] for pair in map(add, plain, plain[1:]) if pair in _COMMONNESS]
    return sum(found) / len(found) if len(found) >= _MIN_PAIRS else None


def _sample(text: str) -> str:
    """The text, or of a long one its start, middle and end."""
    if len(text) <= _SAMPLE:
        return text
    part, middle = _SAMPLE // 3, len(text) // 2
    return " ".join((text[:part], text[middle : middle + part], text[-part:]))


def word_share(text: str) -> float:
    """Part 0..1 of the pieces between spaces that are words or numbers, not a mix of letters and signs."""
    words = _sample(text).split()
    return sum(_WORD.fullmatch(word) is not None for word in words) / max(1, len(words))


def garbage_share(text: str) -> float:
    """Part 0..1 of the visible characters that mean nothing: private, unassigned, U+FFFD, control, cid."""
    unmapped = 0
    if "(cid:" in text:
        text, unmapped = _UNMAPPED.subn("", text)
    kinds = set(text)
    bad = [c for c in kinds if (c == "\ufffd" or unicodedata.category(c) in _MEANINGLESS) and not c.isspace()]
    if not bad and not unmapped:
        return 0.0
    blank = sum(text.count(c) for c in kinds if c.isspace())
    return (sum(map(text.count, bad)) + unmapped) / max(1, len(text) - blank + unmapped)
