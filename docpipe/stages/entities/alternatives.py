"""Expressions for any of many words, in time linear in the word that is found."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cache


def one_of(words: Iterable[str]) -> str:
    """An expression for any of the words, the longest that fits: a trie."""
    firsts: dict[str, list[str]] = {}
    for word in sorted(set(words)):
        firsts.setdefault(word[:1], []).append(word[1:])
    ends = firsts.pop("", None) is not None
    branches = [re.escape(first) + (one_of(rest) if rest != [""] else "") for first, rest in firsts.items()]
    return f"(?:{'|'.join(branches)})" + "?" * ends if branches else ""


def printed(names: Iterable[str]) -> str:
    """Any of the names with a capital, or in capitals."""
    return one_of(form for name in names for form in (name[0].upper() + name[1:], name.upper()))


@cache
def capitals() -> str:
    """The inside of a character class: every capital letter of the Latin, Greek and Cyrillic scripts."""
    return _ranges(str.isupper)


@cache
def small_letters() -> str:
    """As `capitals`, of small letters."""
    return _ranges(str.islower)


def _ranges(belongs: Callable[[str], bool]) -> str:
    codes = [code for code in (*range(0x41, 0x530), *range(0x1E00, 0x1F00)) if belongs(chr(code))]
    runs: list[list[int]] = []
    for code in codes:
        if runs and runs[-1][1] == code - 1:
            runs[-1][1] = code
        else:
            runs.append([code, code])
    return "".join(f"{chr(first)}-{chr(last)}" for first, last in runs)
