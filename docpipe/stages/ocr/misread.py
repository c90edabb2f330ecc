"""Letters that recognisers take for others, put right where the signs around them leave no doubt.

`1`, `l` and `I` look alike in many types, and typewriters had no `1`; so do `0` and `O`. What is a word in
one language may be a misreading in another, so some are put right on English or French pages only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from docpipe.formats.base import TextLine

_Rule = tuple[re.Pattern[str], Callable[[re.Match[str]], str]]

_WORD = re.compile(r"[^\W\d_]+")
_ENGLISH = re.compile(
    r"(?:a|and|are|as|at|be|by|for|from|has|have|is|it|not|of|on|or|that|the|this|to|was|with)", re.IGNORECASE
)
_FRENCH = re.compile(
    r"(?:dans|des|du|elle|est|et|il|les|nous|par|pas|pour|que|qui|sont|sur|une|vous)", re.IGNORECASE
)
_TELLING = 5
_ENGLISH_SHARE, _FRENCH_SHARE = 0.15, 0.08
"""A page of a language has at least so many of these words, and they are such a part of its words."""
_VOWELS = "aeiouyhàâæéèêëîïôœùûAEIOUYHÀÂÆÉÈÊËÎÏÔŒÙÛ"
"""Before which the article loses its own: `l'eau`, `l'homme`."""
_VERBS = "am|can|could|did|do|had|have|hope|know|may|must|need|shall|should|think|want|was|will|wish|would"


def put_right(lines: Sequence[TextLine]) -> list[TextLine]:
    """The recognised lines of one page as they most likely stand there; every letter keeps its place."""
    words = [word for line in lines for word in _WORD.findall(line.text)]
    rules = _ANYWHERE
    if _is_in(_ENGLISH, _ENGLISH_SHARE, words):
        rules += _IN_ENGLISH
    if _is_in(_FRENCH, _FRENCH_SHARE, words):
        rules += _IN_FRENCH
    return [_ruled(line, rules) for line in lines]


def _ruled(line: TextLine, rules: Sequence[_Rule]) -> TextLine:
    text = line.text
    for pattern, better in rules:
        text = pattern.sub(better, text)
    return line if text == line.text else replace(line, text=text)


def _is_in(language: re.Pattern[str], share: float, words: Sequence[str]) -> bool:
    telling = sum(language.fullmatch(word) is not None for word in words)
    return telling >= _TELLING and telling >= share * len(words)


def _ones(found: re.Match[str]) -> str:
    number = found.group()
    is_unit_or_name = re.fullmatch(r"[\d.,:-]*+l|l\d", number)  # 5l of water, the norm l2
    return number if is_unit_or_name or number.strip("l.,:-") == "" else number.replace("l", "1")


def _zeros(number: re.Match[str]) -> str:
    return number.group().replace("O", "0")


def _thousands(amount: re.Match[str]) -> str:
    whole, cents = amount.group().rsplit(".", 1)
    return f"{whole.replace('.', ',')}.{cents}"


def _one(_: re.Match[str]) -> str:
    return "1"


def _article(_: re.Match[str]) -> str:
    return "l"


def _capital_i(letters: re.Match[str]) -> str:
    return "I" * len(letters.group())


def _without_accents(word: re.Match[str]) -> str:
    return word.group().replace("í", "i")


_ANYWHERE: tuple[_Rule, ...] = (
    # l970, -l05, 6.3.l.l.5, DP-l335
    (re.compile(r"(?<!\w)[\dl]++(?:[.,:-][\dl]++){0,20}(?!\w)"), _ones),
    # HH-l, J-l2
    (re.compile(r"(?<=[A-Z]-)l(?=\d?(?!\w))"), _one),
    # EUR 12.450.00: no language writes an amount so
    (
        re.compile(
            r"(?<=[A-Z]{3} )\d{1,3}(?:\.\d{3})+\.\d\d(?![\d.,])|(?<=[$€£])\d{1,3}(?:\.\d{3})+\.\d\d(?![\d.,])"
        ),
        _thousands,
    ),
    # $3,O0O, O.7; not Fe2O3
    (re.compile(r"(?<![\w/.,-])(?:[$€£](?=[O.,]*\d)[\dO.,]+|\d[\dO.,]*\d|O\.\d+)(?![\w/])"), _zeros),
)
_IN_ENGLISH: tuple[_Rule, ...] = (
    # l'd, l have
    (re.compile(rf"(?<![^\s\"“(])l(?=['’](?:m|d|ve|ll)\b| (?:{_VERBS})\b)"), _capital_i),
    # Richard Il; not Il Trovatore, Kim Jong Il
    (re.compile(r"(?:^|(?<=[a-z] )(?<!Jong ))(?:Il|lI|IIl|IlI|lII)(?![\w'’]| [A-Z])"), _capital_i),
    # lnc., lncome, lsland, lreland, lBM, lan Curtis
    (re.compile(r"\bl(?=nc\b|n[a-z]{2}|[mst][a-z]{3}|r[aeio][a-z]|[A-Z]{2}|an [A-Z]|owa\b)"), _capital_i),
    # oríginal; not García
    (re.compile(r"\b[a-z]+í[a-zí]*\b"), _without_accents),
)
_IN_FRENCH: tuple[_Rule, ...] = (
    # 1'orgue, I'Arsenal; not 1'30, nor Turkish 1'in on a Turkish page
    (re.compile(rf"(?<![\w.,'’])[1I](?=['’][{_VOWELS}][^\W\d_])"), _article),
)
