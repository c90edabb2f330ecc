"""Which keys of a project are one thing: the components of the links, and what people decided."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from docpipe.models import EntityDecision, EntityLink

WEAK = frozenset({"initials", "acronym"})
"""Rules that say what a short form may stand for; they hold only if it can stand for one thing."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A link or decision, and whether it holds."""

    link: EntityLink
    holds: bool
    decision: EntityDecision | None = None


class Clusters:
    """Disjoint sets of keys. The same for every order of links and decisions.

    Decisions to merge come first, then links from the best score down, then those of `WEAK` rules. A link
    that would put two keys together that somebody split is set aside, and so is a weak one whose short
    form has two things that it can stand for.
    """

    def __init__(self, links: Iterable[EntityLink], decisions: Iterable[EntityDecision]) -> None:
        self._parent: dict[str, str] = {}
        self._members: dict[str, set[str]] = {}
        decided = sorted(decisions, key=lambda each: (each.key_a, each.key_b))
        self._cuts: dict[str, set[str]] = defaultdict(set)
        for cut in (each for each in decided if not each.same):
            self._cuts[cut.key_a].add(cut.key_b)
            self._cuts[cut.key_b].add(cut.key_a)
        best = sorted(links, key=lambda link: (-link.score, link.key_a, link.key_b, link.rule))
        strong = [link for link in best if link.rule not in WEAK]
        weak = [link for link in best if link.rule in WEAK]
        self.verdicts = [Verdict(_tie(each), self._join(_tie(each)), each) for each in decided if each.same]
        self.verdicts += [Verdict(link, self._join(link)) for link in strong]
        self.verdicts += list(self._joined_weak(weak))
        self.verdicts += [Verdict(_tie(each), True, each) for each in decided if not each.same]

    def root(self, key: str) -> str:
        """The smallest key of the cluster."""
        while (parent := self._parent.get(key, key)) != key:
            key = parent
        return key

    def members(self, key: str) -> set[str]:
        """All keys of the cluster that `key` belongs to."""
        root = self.root(key)
        return self._members.get(root, {root})

    def _apart(self, one: str, other: str) -> bool:
        """Whether somebody split a key of one cluster from a key of the other."""
        together, others = self.members(one), self.members(other)
        return any(self._cuts[key] & others for key in together if key in self._cuts)

    def _join(self, link: EntityLink) -> bool:
        low, high = sorted((self.root(link.key_a), self.root(link.key_b)))
        if low == high:
            return True
        if self._apart(low, high):
            return False
        self._members[low] = self.members(low) | self.members(high)
        self._members.pop(high, None)
        self._parent[high] = low
        return True

    def _joined_weak(self, links: Sequence[EntityLink]) -> Iterator[Verdict]:
        """Judged against the clusters as they stand before any weak link has joined some."""
        means: dict[str, set[str]] = defaultdict(set)
        for short, long in map(_short_first, links):
            if not self._apart(short, long):
                means[short].add(self.root(long))
        clear = {short for short, things in means.items() if len(things) == 1}
        for link in links:
            yield Verdict(link, _short_first(link)[0] in clear and self._join(link))


def _tie(decision: EntityDecision) -> EntityLink:
    return EntityLink(decision.key_a, decision.key_b, "merge" if decision.same else "split", 1.0)


def _short_first(link: EntityLink) -> tuple[str, str]:
    short, long = sorted((link.key_a, link.key_b), key=lambda key: (len(key), key))
    return short, long
