"""Words that an agreement defines: what stands for a party, and what has capitals and is no name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice

from docpipe.models import FactType
from docpipe.stages.text.wording.names import is_name
from docpipe.stages.text.wording.values import Said
from docpipe.stages.text.wording.wording import is_agreement, read_wording

_QUOTED = re.compile(r"[“\"](?P<term>[A-Z][\w’'/-]*(?:\s+[\w’'/-]+){0,4}?)[,.]?[”\"]")
_SMALL = re.compile(r"(?<![\w.@/-])[a-z]{2,}(?![\w@/]|\.\w)")
_WORD = re.compile(r"[^\W\d_]+")
_LITTLE_WORDS = """
    a an and any as at by each either every for from in its neither no not of on or other our s such that the
    this to under with without your
"""
_LITTLE = frozenset(_LITTLE_WORDS.split())
_PERSONAL = frozenset(("you", "your", "us", "we", "our", "i", "me"))
_MOST = 400
_BLANKS = re.compile(r"\s++")
_NAME_BEFORE = re.compile(r"(?<=[\w&-])|(?<=[a-z]\s[A-Z])")
_NAME_AFTER = re.compile(r"[\w&-]|\s++[A-Z][a-z]")


class Vocabulary:
    """The words of one agreement: its defined terms, parties' names apart, and what it also writes small."""

    def __init__(self, text: str) -> None:
        self.small = frozenset(_SMALL.findall(text))
        parties = [said for said in read_wording(text) if said.type is FactType.PARTY_TO]
        self.names = frozenset(
            word for said in parties for word in _words(text[said.start : said.end]) if is_name(word)
        )
        terms = {tuple(_words(found["term"])) for found in _QUOTED.finditer(text)}
        self.terms = frozenset(term for term in terms if self._is_common(term))
        self.words = frozenset(word for term in self.terms for word in term) - self.names

    def _is_common(self, term: tuple[str, ...]) -> bool:
        return not self.names.issuperset(term) and (len(term) > 1 or self.small.issuperset(term))

    def is_term(self, name: str) -> bool:
        """Whether it is a defined term, of the words of such, or one word that is written small too."""
        words = tuple(word for word in _words(name) if len(word) > 1 and word not in _LITTLE)
        if len(words) > 1:
            return words in self.terms or self.words.issuperset(words)
        if not words:
            return "&" not in name
        return words in self.terms or (words[0] in self.small and words[0] not in self.names)


def vocabulary(text: str) -> Vocabulary | None:
    """None of a text that is no agreement."""
    return Vocabulary(text) if is_agreement(text) else None


def _words(text: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(text)]


def defined_parties(text: str) -> list[Said]:
    """The parties that are called by a term of their own, with it as their role."""
    parties = [said for said in read_wording(text) if said.type is FactType.PARTY_TO]
    roles = [said.role for said in parties]
    return [said for said in parties if _is_own(said.role) and roles.count(said.role) == 1]


def _is_own(role: str) -> bool:
    return len(role) > 2 and role[:1].isupper() and role.lower() not in _PERSONAL


def party_terms(text: str, parties: Sequence[Said]) -> Iterator[tuple[int, int, str]]:
    """Where the parties are called by their terms: start, end and the party's label; never within a name."""
    for party in parties:
        for start, end in islice(_places(text, party.role.split()), _MOST):
            if not (party.start <= start < party.end):
                yield start, end, party.label


def _places(text: str, words: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Where the words follow each other, whatever blanks part them, and are no part of a longer name."""
    start = text.find(words[0])
    while start >= 0:
        end = _end_of(text, start, words)
        if end and _NAME_BEFORE.match(text, start) is None and _NAME_AFTER.match(text, end) is None:
            yield start, end
        start = text.find(words[0], end or start + 1)


def _end_of(text: str, start: int, words: Sequence[str]) -> int | None:
    end = start + len(words[0])
    for word in words[1:]:
        blanks = _BLANKS.match(text, end)
        if blanks is None or not text.startswith(word, blanks.end()):
            return None
        end = blanks.end() + len(word)
    return end
