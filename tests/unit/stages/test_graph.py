from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from docpipe.errors import InconsistentGraphError
from docpipe.models import (
    Chunk,
    Edge,
    Entity,
    Evidence,
    Facts,
    Kind,
    Mention,
    Method,
    Page,
    Relation,
    StageOutput,
)
from docpipe.stages.graph.build import build_graph, check_graph

TEXT = "Ann, head of Acme.\n\nAnn left."
PAGES = (Page(1, 0, 18, None, None, Method.TEXT), Page(2, 20, 29, None, None, Method.TEXT))
CHUNKS = (Chunk(0, 0, 18, 1, 1), Chunk(1, 20, 29, 2, 2))
MENTIONS = (
    Mention(0, "Ann", "PERSON", 0, 3, 1, None, 1.0, "test", 0),
    Mention(1, "Acme", "ORG", 13, 17, 1, None, 1.0, "test", 0),
    Mention(2, "Ann", "PERSON", 20, 23, 2, None, 1.0, "test", 1),
)
NONE = Facts(Kind.OTHER)
GRAPH = StageOutput(
    facts=NONE,
    entities=(Entity(0, "Ann", "PERSON", (0, 2)), Entity(1, "Acme", "ORG", (1,))),
    relations=(Relation("WORK_FOR", 0, 1, Evidence(0, 17, 1), 0.8),),
    edges=(
        Edge("PART_OF", "page:1", "document"),
        Edge("PART_OF", "page:2", "document"),
        Edge("PART_OF", "chunk:0", "document"),
        Edge("PART_OF", "chunk:1", "document"),
        Edge("NEXT", "chunk:0", "chunk:1"),
        Edge("MENTIONS", "chunk:0", "mention:0"),
        Edge("MENTIONS", "chunk:0", "mention:1"),
        Edge("MENTIONS", "chunk:1", "mention:2"),
        Edge("REFERS_TO", "mention:0", "entity:0"),
        Edge("REFERS_TO", "mention:2", "entity:0"),
        Edge("REFERS_TO", "mention:1", "entity:1"),
    ),
)

Parts = tuple[tuple[Mention, ...], tuple[Entity, ...], tuple[Relation, ...], tuple[Edge, ...]]


def parts() -> Parts:
    return MENTIONS, GRAPH.entities or (), GRAPH.relations or (), GRAPH.edges or ()


def test_the_graph_ties_entities_mentions_chunks_and_pages_to_the_document() -> None:
    assert build_graph(TEXT, PAGES, CHUNKS, MENTIONS) == GRAPH


def test_a_document_without_mentions_has_its_structure_only() -> None:
    output = build_graph(TEXT, PAGES, CHUNKS, ())
    assert output == StageOutput(entities=(), relations=(), edges=(GRAPH.edges or ())[:5], facts=NONE)


def test_an_empty_document_has_an_empty_graph() -> None:
    assert build_graph("", (), (), ()) == StageOutput(entities=(), relations=(), edges=(), facts=NONE)


def test_a_sound_graph_has_no_faults() -> None:
    assert check_graph(TEXT, PAGES, CHUNKS, *parts()) == []


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        (lambda m, e, r, d: (m, e, r, d[:2] + d[3:]), "the edge PART_OF from chunk:0 to document is missing"),
        (lambda m, e, r, d: (m, e, r, d[:4] + d[5:]), "the edge NEXT from chunk:0 to chunk:1 is missing"),
        (
            lambda m, e, r, d: (m, e, r, d[:5] + d[6:]),
            "the edge MENTIONS from chunk:0 to mention:0 is missing",
        ),
        (
            lambda m, e, r, d: (m, e, r, (*d, Edge("NEXT", "chunk:0", "chunk:1"))),
            "the edge NEXT from chunk:0 to chunk:1 is one too many",
        ),
        (
            lambda m, e, r, d: (m, e, r, (*d, Edge("MENTIONS", "chunk:1", "mention:0"))),
            "the edge MENTIONS from chunk:1 to mention:0 is one too many",
        ),
        (
            lambda m, e, r, d: (m, e, r, (*d, Edge("NEXT", "chunk:1", "chunk:2"))),
            "the edge NEXT from chunk:1 to chunk:2 has no end chunk:2",
        ),
        (
            lambda m, e, r, d: (m, e, r, (*d, Edge("REFERS_TO", "mention:0", "entity:1"))),
            "mention:0 refers to 2 entities",
        ),
        (
            lambda m, e, r, d: ((m[0], m[1], replace(m[2], chunk=0)), e, r, d),
            "mention:2 does not start in chunk:0",
        ),
        (
            lambda m, e, r, d: ((replace(m[0], text="Bob"), m[1], m[2]), e, r, d),
            "mention:0 does not read as the text from 0 to 3",
        ),
        (
            lambda m, e, r, d: (m, e, (replace(r[0], evidence=Evidence(0, 10, 1)),), d),
            "the evidence of WORK_FOR does not mention entity:1",
        ),
    ],
)
def test_a_fault_is_named(spoil: Callable[..., Parts], fault: str) -> None:
    assert fault in check_graph(TEXT, PAGES, CHUNKS, *spoil(*parts()))


def test_mentions_that_do_not_fit_the_text_are_a_bug() -> None:
    with pytest.raises(InconsistentGraphError, match="mention:1 does not read as the text"):
        build_graph(TEXT, PAGES, CHUNKS, (MENTIONS[0], replace(MENTIONS[1], start=12, end=16), MENTIONS[2]))
