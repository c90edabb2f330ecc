"""Which names of different documents are the same: blocking, and scoring of pairs.

A pair's score depends on the pair alone, and only names that share a block are compared. So the links
of a project are a function of the set of its names: the order in which documents came plays no part.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from docpipe.models import Entity, EntityLink, EntityName, Mention
from docpipe.stages.graph.spellings import LITERAL, compare, name_key, named

QUANTITIES = frozenset(["MONEY", "CARDINAL", "ORDINAL", "QUANTITY", "PERCENT", "TIME"])
"""Values that are equal by chance: they stay things of their document."""

_LETTERS = (4, 6, 8, 12, 16, 24, 32)
"""Lengths of the beginnings and ends by which names are blocked."""


def names_of(
    document_uuid: str, entities: Sequence[Entity], mentions: Sequence[Mention]
) -> Iterator[EntityName]:
    """The names of a document's entities, with their keys and blocks."""
    text_of = {mention.index: mention.text for mention in mentions}
    value_of = {mention.index: mention.value for mention in mentions}
    for entity in entities:
        own = name_key(entity.label, entity.name, next(map(value_of.get, entity.mentions), None))
        alone = _says_too_little(entity.label, own)
        key = f"{own} @{document_uuid}/{entity.index}" if alone else own
        spellings = {entity.name, *(text_of[index] for index in entity.mentions if index in text_of)}
        yield EntityName(
            index=entity.index,
            key=f"{entity.label} {key}",
            name=entity.name,
            label=entity.label,
            spellings="\n".join(sorted({" ".join(each.lower().split()) for each in spellings})),
            mention_count=len(entity.mentions),
            blocks=() if alone else tuple(sorted(blocks_of(entity.label, own))),
        )


def _says_too_little(label: str, key: str) -> bool:
    """A first name or a surname alone names different people in different documents."""
    return label in QUANTITIES or (label == "PERSON" and " " not in key)


def blocks_of(label: str, key: str) -> set[str]:
    """The blocks of a name: those that may be the same with one rule or another share one at least.

    A name whose one half is misspelt has its beginning or its end in common with the other; how many
    letters count grows with the name, so that blocks stay small. Values have none: they are equal or not.
    """
    if label in LITERAL:
        return set()
    letters = key.replace(" ", "")
    sizes = {size for length in (len(letters) - 1, len(letters)) if (size := _half(length))}
    blocks = {f"{label} ^{letters[:size]}" for size in sizes}
    blocks |= {f"{label} ${letters[-size:]}" for size in sizes}
    name = named(label, key)
    blocks.add(f"{label} ~{name.seen}")
    if label == "PERSON":
        return blocks | {f"{label} {name.words[-1]}, {name.words[0][0]}"}
    if len(letters) <= 7:
        blocks.add(f"{label} ={letters}")
    return blocks | ({f"{label} ={name.initials}"} if len(name.initials) > 1 else set())


def _half(length: int) -> int:
    return max((size for size in _LETTERS if size <= length / 2), default=0)


def find_links(names: Iterable[EntityName], rivals: Mapping[str, Iterable[str]]) -> list[EntityLink]:
    """The links between `names` and all names that share a block with them.

    Args:
        rivals: the keys in each block, those of `names` included.
    """
    pairs: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for name in names:
        for block in name.blocks:
            for other in rivals.get(block, ()):
                if other != name.key:
                    pairs[name.label].add((min(name.key, other), max(name.key, other)))
    return [link for label in sorted(pairs) for pair in sorted(pairs[label]) for link in _link(label, *pair)]


def _link(label: str, one: str, other: str) -> Iterator[EntityLink]:
    found = compare(label, one.partition(" ")[2], other.partition(" ")[2])
    if found:
        yield EntityLink(one, other, *found)
