"""Names a project knows beforehand, found as whole words wherever they stand."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable

from docpipe.engines.ports import Span

_TOKEN = re.compile(r"[^\W_]+")


class Gazetteer:
    """Finds listed names, in time linear in the text whatever the length of the list.

    A name is found as it is written, or all in capitals; one in capitals only so. Of two that overlap
    the one that starts first is found, then the longer.

    Args:
        entries: pairs of name and label; a name without a letter or digit is left out. The last
            label given to a name holds.
    """

    def __init__(self, entries: Iterable[tuple[str, str]]) -> None:
        self._labels: dict[str, str] = {}
        for name, label in entries:
            spaced = " ".join(name.split())
            self._labels |= {spaced: label, spaced.upper(): label}
        by_word: defaultdict[str, list[str]] = defaultdict(list)
        for name in sorted(self._labels, key=len, reverse=True):
            if word := _TOKEN.search(name):
                by_word[word.group()].append(name)
        self._by_word = dict(by_word)

    def find(self, text: str) -> list[Span]:
        """The names in `text`, sorted and apart; between words one space is expected."""
        spans: list[Span] = []
        end = 0
        for word in _TOKEN.finditer(text):
            for name in self._by_word.get(word.group(), ()):
                start = word.start() - name.index(word.group())
                if start >= end and text.startswith(name, start) and _stands_alone(text, start, len(name)):
                    end = start + len(name)
                    spans.append(Span(start, end, self._labels[name]))
                    break
        return spans


def _stands_alone(text: str, start: int, length: int) -> bool:
    before, after = text[start - 1 : start], text[start + length : start + length + 1]
    first, last = text[start], text[start + length - 1]
    return not (before.isalnum() and first.isalnum()) and not (last.isalnum() and after.isalnum())
