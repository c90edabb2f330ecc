"""Expressions for any of many words, in time linear in the word that is found."""

from __future__ import annotations

import re
from collections.abc import Iterable


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
