"""Which mentions of one document name the same thing: exact first, then rules that rarely err."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

from docpipe.models import Entity, Mention, Merge
from docpipe.stages.graph.aliases import Alias, find_aliases, find_terms
from docpipe.stages.graph.shared import find_shared
from docpipe.stages.graph.spellings import (
    FORM,
    LITERAL,
    Decision,
    Name,
    alike,
    compare,
    name_key,
    named,
    plain,
    shortens,
)
from docpipe.stages.text.wording.terms import in_figures

__all__ = ["LITERAL", "compare", "name_key", "plain", "resolve"]

_NEIGHBOURS = 20
"""How many names to either side a name is compared with, in alphabetical order of both its ends."""

_CROWD = 200
"""A word shared by more names than this distinguishes none of them."""


_LENGTH = re.compile(r"P\d{1,4}[DWMY]")


class _Link(NamedTuple):
    """Two names that are one, and why."""

    one: Name
    other: Name
    decision: Decision


class _Sets:
    """Disjoint sets; the smallest member names its set, so the order of joining does not matter."""

    def __init__(self, members: Iterable[Name]) -> None:
        self._parent = {member: member for member in members}

    def root(self, member: Name) -> Name:
        while (parent := self._parent[member]) != member:
            self._parent[member] = member = self._parent[parent]
        return member

    def join(self, one: Name, other: Name) -> bool:
        low, high = sorted((self.root(one), self.root(other)), key=_order)
        self._parent[high] = low
        return low != high


def resolve(mentions: Sequence[Mention], text: str = "") -> tuple[Entity, ...]:
    """The things that `mentions` name: every mention belongs to exactly one entity.

    Two mentions are one entity when their labels agree and, in this order: they differ in form only
    (`form`); `text`, into which the mentions point, calls them one (`called`: a party by its term; `defined`,
    `known as`) or puts one address or number behind both (`shared`); they differ by what bad print
    confuses (`ocr`) or a few characters (`spelling`); a short name can stand for one
    fuller name only, by its letters (`acronym`), given names (`initials`) or words (`part`). Values
    (dates, amounts, addresses, numbers) are one only when their normal form (`Mention.value`) is the same,
    and those without one when they read the same.

    Entities come in the order of their first mention; an entity is named by its fullest, then most
    frequent spelling that is no term (a length of time in figures: `2 years`), and keeps why its spellings
    are one in `merges`, with the first mention of each. Neither depends on the order of the mentions given.
    The time is that of sorting, times a constant.
    """
    ordered = sorted(mentions, key=lambda mention: (mention.start, mention.index))
    name_of = {mention.index: _name(mention) for mention in ordered}
    names, merges = _by_key(name_of)
    sets = _Sets(sorted(set(names.values()), key=_order))
    terms = list(find_terms(text, [mention for mention in ordered if mention.label not in LITERAL]))
    called = {name_of[alias.other] for alias in terms}
    for link in _joined(text, ordered, name_of, names, sets, terms):
        merges.append(link)
    groups: dict[Name, list[Mention]] = defaultdict(list)
    for mention in ordered:
        groups[sets.root(names[name_of[mention.index]])].append(mention)
    first = {name_of[mention.index]: mention.index for mention in reversed(ordered)}
    evidence: dict[Name, list[Merge]] = defaultdict(list)
    for link in merges:
        pair = sorted((first[link.one], first[link.other]))
        merge = Merge(link.decision.rule, link.decision.score, (pair[0], pair[1]))
        evidence[sets.root(names[link.one])].append(merge)
    return tuple(
        _entity(index, group, sorted(evidence[root], key=lambda merge: (merge.mentions, merge.rule)), called)
        for index, (root, group) in enumerate(groups.items())
    )


def _name(mention: Mention) -> Name:
    return named(mention.label, mention.text, mention.value)


def _order(name: Name) -> tuple[str, str, str]:
    return name.label, name.key, name.surface


def _by_key(name_of: dict[int, Name]) -> tuple[dict[Name, Name], list[_Link]]:
    """For every spelling the one that stands for its key, the commonest, and the links between them."""
    counts = Counter(name_of.values())
    by_key: dict[tuple[str, str], list[Name]] = defaultdict(list)
    for name in counts:
        by_key[name.label, name.key].append(name)
    stands_for: dict[Name, Name] = {}
    links = []
    for group in by_key.values():
        chief = min(group, key=lambda name: (-counts[name], name.surface))
        stands_for |= dict.fromkeys(group, chief)
        links += [_Link(chief, name, Decision("form", FORM)) for name in group if name != chief]
    return stands_for, links


def _joined(
    text: str,
    mentions: Sequence[Mention],
    name_of: dict[int, Name],
    names: dict[Name, Name],
    sets: _Sets,
    terms: Sequence[Alias],
) -> Iterator[_Link]:
    """Join the names in `sets`; gives the links that did it, a spanning tree of every set."""
    comparable = [name for name in dict.fromkeys(names.values()) if name.label not in LITERAL]
    comparable.sort(key=_order)
    said = [
        _Link(name_of[alias.one], name_of[alias.other], Decision(alias.rule, alias.score))
        for alias in [
            *terms,
            *find_aliases(text, [m for m in mentions if m.label not in LITERAL]),
            *find_shared(text, mentions),
        ]
    ]
    called = {names[name_of[alias.other]] for alias in terms}  # a term is no short form of other names
    comparable = [name for name in comparable if name not in called]
    for link in [*said, *_neighbours(comparable)]:
        if sets.join(names[link.one], names[link.other]):
            yield link
    hosts = _hosts(comparable)
    while joined := [link for link in _only_hosts(hosts, sets) if sets.join(link.one, link.other)]:
        yield from joined


def _neighbours(names: Sequence[Name]) -> Iterator[_Link]:
    """Pairs that differ in a few characters: sorted by either end, one error leaves them neighbours."""
    for direction in (1, -1):
        ordered = sorted(names, key=lambda name: (name.label, name.key[::direction], name.surface))
        for position, one in enumerate(ordered):
            for other in ordered[position + 1 : position + 1 + _NEIGHBOURS]:
                if decision := alike(one, other):
                    yield _Link(one, other, decision)


_Hosts = dict[Name, list[tuple[Name, Decision]]]


def _hosts(names: Sequence[Name]) -> _Hosts:
    """For every short name, what it may stand for and why: of each word, only names that share it."""
    by_word: dict[tuple[str, str], list[Name]] = defaultdict(list)
    by_initials: dict[tuple[str, str], list[Name]] = defaultdict(list)
    for name in names:
        if name.label in ("PERSON", "ORG"):
            for word in set(name.words):
                by_word[name.label, word].append(name)
        if len(name.words) > 1:
            by_initials[name.label, name.initials].append(name)
    return {
        short: [(full, why) for full in candidates if full != short and (why := shortens(short, full))]
        for short in names
        for candidates in [[*by_initials.get((short.label, short.acronym), ()), *_rarest(short, by_word)]]
        if candidates
    }


def _rarest(name: Name, by_word: dict[tuple[str, str], list[Name]]) -> list[Name]:
    telling = [word for word in name.words if len(word) > 1]
    shared = min((by_word[name.label, word] for word in telling), key=len, default=[])
    return shared if len(shared) <= _CROWD else []


def _only_hosts(hosts: _Hosts, sets: _Sets) -> list[_Link]:
    """The links to the only thing a short name can mean, as the sets stand now."""
    return [
        _Link(full, short, decision)
        for short, candidates in hosts.items()
        if len({sets.root(full) for full, _ in candidates}) == 1
        for full, decision in candidates[:1]
    ]


def _entity(
    index: int, mentions: Sequence[Mention], merges: Sequence[Merge], called: Collection[Name]
) -> Entity:
    names = Counter(map(_name, mentions))

    def fullness(name: Name) -> tuple[int, int, bool, int, str]:
        return -len(name.words), -names[name], name.surface.isupper(), len(name.surface), name.surface

    chief = min([name for name in names if name not in called] or names, key=fullness)
    indices = tuple(mention.index for mention in mentions)
    return Entity(index, _shown(chief), chief.label, indices, tuple(merges))


def _shown(chief: Name) -> str:
    """The spelling by which the entity is named; of a length of time that in figures."""
    if chief.label == "DATE" and _LENGTH.fullmatch(chief.key):
        return in_figures(chief.surface, chief.key)
    return chief.surface
