"""The graph stage: entities, their relations, and the edges that hold the document together."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from docpipe.errors import InconsistentGraphError
from docpipe.models import Chunk, Edge, Entity, Evidence, Facts, Mention, Page, Relation, StageOutput
from docpipe.stages.graph.facts.facts import find_facts, joined
from docpipe.stages.graph.relations import RelationOptions, find_relations
from docpipe.stages.graph.resolution import resolve
from docpipe.stages.text.places import boxes_of

PART_OF = "PART_OF"
"""From a page or a chunk to the document."""
NEXT = "NEXT"
"""From a chunk to the one after it."""
MENTIONS = "MENTIONS"
"""From a chunk to a mention."""
REFERS_TO = "REFERS_TO"
"""From a mention to its entity."""

DOCUMENT = "document"
"""The id of the document's own node."""


@dataclass(frozen=True, slots=True)
class GraphOptions:
    """How the graph is built."""

    relations: RelationOptions = field(default_factory=RelationOptions)


_DEFAULT = GraphOptions()


def build_graph(
    text: str,
    pages: Sequence[Page],
    chunks: Sequence[Chunk],
    mentions: Sequence[Mention],
    options: GraphOptions = _DEFAULT,
) -> StageOutput:
    """Gather the mentions into entities, relate these, and tie everything to the document.

    Gives `entities`, `facts` (what the document is and says of itself), `relations` (typed, with
    evidence) and `edges` (PART_OF, NEXT, MENTIONS, REFERS_TO), checked by `check_graph`. Time and
    memory are linear in the document, except for sorting.

    Raises:
        InconsistentGraphError: the pages, chunks and mentions do not fit each other; names the nodes.
    """
    entities = resolve(mentions, text)
    facts = find_facts(text, pages, mentions, entities)
    said = find_relations(text, pages, mentions, entities, options.relations)
    relations = tuple(
        replace(each, evidence=_placed(each.evidence, text, pages))
        for each in joined(said, facts, mentions, entities)
    )
    facts = _with_places(facts, text, pages)
    edges = tuple(structural_edges(pages, chunks, mentions, entities))
    faults = check_graph(text, pages, chunks, mentions, entities, relations, edges, facts.subject)
    if faults:
        raise InconsistentGraphError(
            f"The graph is inconsistent in {len(faults)} places: {'; '.join(faults[:5])}."
        )
    return StageOutput(entities=entities, relations=relations, edges=edges, facts=facts)


def _with_places(facts: Facts, text: str, pages: Sequence[Page]) -> Facts:
    items = tuple(replace(fact, evidence=_placed(fact.evidence, text, pages)) for fact in facts.items)
    title = None if facts.evidence is None else _placed(facts.evidence, text, pages)
    return replace(facts, evidence=title, items=items)


def _placed(evidence: Evidence, text: str, pages: Sequence[Page]) -> Evidence:
    """With its boxes, which only evidence that is kept needs."""
    return replace(evidence, boxes=boxes_of(text, pages, evidence.start, evidence.end))


def structural_edges(
    pages: Sequence[Page], chunks: Sequence[Chunk], mentions: Sequence[Mention], entities: Sequence[Entity]
) -> Iterator[Edge]:
    """The edges between the document, its pages, chunks, mentions and entities."""
    for page in pages:
        yield Edge(PART_OF, f"page:{page.number}", DOCUMENT)
    for chunk in chunks:
        yield Edge(PART_OF, f"chunk:{chunk.index}", DOCUMENT)
    for one, other in pairwise(chunks):
        yield Edge(NEXT, f"chunk:{one.index}", f"chunk:{other.index}")
    for mention in mentions:
        yield Edge(MENTIONS, f"chunk:{mention.chunk}", f"mention:{mention.index}")
    for entity in entities:
        for index in entity.mentions:
            yield Edge(REFERS_TO, f"mention:{index}", f"entity:{entity.index}")


def check_graph(
    text: str,
    pages: Sequence[Page],
    chunks: Sequence[Chunk],
    mentions: Sequence[Mention],
    entities: Sequence[Entity],
    relations: Sequence[Relation],
    edges: Sequence[Edge],
    subject: int | None = None,
) -> list[str]:
    """What is inconsistent in a document's graph, one sentence each; empty when all is well.

    Every page and chunk is PART_OF the document, the NEXT chain is unbroken, every mention reads as
    the text does, starts in its one chunk and refers to one entity, both ends of every edge exist,
    and the evidence of a relation spans a mention of either entity; the entity that the document itself is
    (`subject`) need not be named there.
    """
    return [
        *_wrong_places(text, chunks, mentions),
        *_wrong_edges(pages, chunks, mentions, entities, edges),
        *_wrong_relations(mentions, entities, relations, subject),
    ]


def _wrong_places(text: str, chunks: Sequence[Chunk], mentions: Sequence[Mention]) -> Iterator[str]:
    spans = {chunk.index: (chunk.start, chunk.end) for chunk in chunks}
    for mention in mentions:
        if text[mention.start : mention.end] != mention.text:
            yield f"mention:{mention.index} does not read as the text from {mention.start} to {mention.end}"
        start, end = spans.get(mention.chunk, (0, 0))
        if not start <= mention.start < end:
            yield f"mention:{mention.index} does not start in chunk:{mention.chunk}"


def _wrong_edges(
    pages: Sequence[Page],
    chunks: Sequence[Chunk],
    mentions: Sequence[Mention],
    entities: Sequence[Entity],
    edges: Sequence[Edge],
) -> Iterator[str]:
    nodes = _nodes(pages, chunks, mentions, entities)
    for edge in edges:
        for end in (edge.source, edge.target):
            if end not in nodes:
                yield f"the edge {edge.type} from {edge.source} to {edge.target} has no end {end}"
    expected = Counter(structural_edges(pages, chunks, mentions, entities))
    found = Counter(edges)
    for edge in expected - found:
        yield f"the edge {edge.type} from {edge.source} to {edge.target} is missing"
    for edge in found - expected:
        yield f"the edge {edge.type} from {edge.source} to {edge.target} is one too many"
    referring = Counter(edge.source for edge in edges if edge.type == REFERS_TO)
    for mention in mentions:
        if referring[f"mention:{mention.index}"] != 1:
            yield f"mention:{mention.index} refers to {referring[f'mention:{mention.index}']} entities"


def _nodes(
    pages: Sequence[Page], chunks: Sequence[Chunk], mentions: Sequence[Mention], entities: Sequence[Entity]
) -> set[str]:
    return {
        DOCUMENT,
        *(f"page:{page.number}" for page in pages),
        *(f"chunk:{chunk.index}" for chunk in chunks),
        *(f"mention:{mention.index}" for mention in mentions),
        *(f"entity:{entity.index}" for entity in entities),
    }


def _wrong_relations(
    mentions: Sequence[Mention],
    entities: Sequence[Entity],
    relations: Sequence[Relation],
    subject: int | None,
) -> Iterator[str]:
    places: dict[int, list[tuple[int, int]]] = defaultdict(list)
    span_of = {mention.index: (mention.start, mention.end) for mention in mentions}
    for entity in entities:
        places[entity.index] = sorted(span_of[index] for index in entity.mentions if index in span_of)
    for relation in relations:
        for end in (relation.source, relation.target):
            if end != subject and not _holds(relation.evidence.start, relation.evidence.end, places[end]):
                yield f"the evidence of {relation.type} does not mention entity:{end}"


def _holds(start: int, end: int, spans: Sequence[tuple[int, int]]) -> bool:
    """Whether one of `spans` (sorted, apart from each other) lies in `start..end`."""
    first = bisect_left(spans, (start, start))
    return first < len(spans) and spans[first][1] <= end
