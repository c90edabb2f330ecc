"""What the rules for facts read: the text with its mentions and entities, and what lies where."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from docpipe.models import Entity, Evidence, Fact, FactType, Mention, Page
from docpipe.stages.text.places import page_at


@dataclass(frozen=True)
class Reading:
    """A document as the graph stage knows it; `mentions` in the order of the text."""

    text: str
    pages: Sequence[Page]
    mentions: Sequence[Mention]
    entities: Sequence[Entity]

    @cached_property
    def _starts(self) -> list[int]:
        return [mention.start for mention in self.mentions]

    @cached_property
    def _entity_of(self) -> dict[int, int]:
        return {index: entity.index for entity in self.entities for index in entity.mentions}

    def labelled(self, *labels: str) -> list[Mention]:
        return [mention for mention in self.mentions if mention.label in labels]

    def between(self, start: int, end: int, *labels: str) -> Iterator[Mention]:
        """The mentions of these labels that begin in `start..end`."""
        low, high = bisect_left(self._starts, start), bisect_left(self._starts, end)
        yield from (each for each in self.mentions[low:high] if each.label in labels)

    def at(self, start: int, end: int) -> Mention | None:
        """The mention that shares most with `start..end`."""
        low = max(0, bisect_left(self._starts, start) - 1)
        near = [each for each in self.mentions[low : low + 6] if each.start < end and start < each.end]
        return max(near, key=lambda each: min(each.end, end) - max(each.start, start), default=None)

    def entity(self, mention: Mention | None) -> int | None:
        return None if mention is None else self._entity_of.get(mention.index)

    def evidence(self, start: int, end: int) -> Evidence:
        return Evidence(start, end, self.pages[page_at(self.pages, start)].number if self.pages else 1)

    def line(self, offset: int) -> tuple[int, int]:
        """The line of the text that holds `offset`."""
        end = self.text.find("\n", offset)
        return self.text.rfind("\n", 0, offset) + 1, len(self.text) if end < 0 else end

    def named(self, kind: FactType, mention: Mention, score: float, role: str = "") -> Fact:
        """`fact`, with the name of the entity for its text: a head or address often has only a part of it."""
        fact = self.fact(kind, mention, score, role)
        if fact.entity is None or mention.label not in ("PERSON", "ORG"):
            return fact
        return replace(fact, text=" ".join(self.entities[fact.entity].name.split()))

    def fact(
        self,
        kind: FactType,
        mention: Mention,
        score: float,
        role: str = "",
        shown: tuple[int, int] | None = None,
    ) -> Fact:
        """The fact that this mention is the document's `kind`, shown by `shown` and the mention itself."""
        start, end = shown or (mention.start, mention.end)
        place = self.evidence(min(start, mention.start), max(end, mention.end))
        words = " ".join(mention.text.split())
        return Fact(kind, words, place, score, role, mention.value, self.entity(mention))
