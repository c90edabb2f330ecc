"""Expressions for any of many words, in time linear in the word that is found."""

from __future__ import annotations

import re
from collections.abc import Iterable


def one_of(words: Iterable[str]) -> str:
    """An expression for any of the words, the longest that fits: a trie."""
    tree = _tree(set(words))
    return tree and f"(?:{tree})"


def _tree(words: Iterable[str]) -> str:
    """Without a group where there is one way on: most of the time of compiling is that of reading groups."""
    firsts: dict[str, list[str]] = {}
    for word in sorted(words):
        firsts.setdefault(word[:1], []).append(word[1:])
    ends = firsts.pop("", None) is not None
    branches = [re.escape(first) + _tree(rest) for first, rest in firsts.items()]
    if not branches or (len(branches) == 1 and not ends):
        return "".join(branches)
    return f"(?:{'|'.join(branches)})" + "?" * ends


def printed(names: Iterable[str]) -> str:
    """Any of the names with a capital, or in capitals."""
    return one_of(form for name in names for form in (name[0].upper() + name[1:], name.upper()))
