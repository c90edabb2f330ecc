"""Facts in the graph of a document."""

from __future__ import annotations

from docpipe.graph.build import graph_of
from docpipe.graph.values import GraphEdge
from docpipe.models import Document, Entity, Evidence, Fact, Facts, FactType, Kind

FACTS = Facts(
    Kind.AGREEMENT,
    0,
    "LOAN AGREEMENT",
    Evidence(0, 14, 1),
    (
        Fact(FactType.PARTY_TO, "Acme Inc.", Evidence(20, 29, 1), 0.95, "Borrower", entity=1),
        Fact(FactType.SIGNED_BY, "somebody", Evidence(30, 38, 2), 0.9),
    ),
)
DOCUMENT = Document(
    "u", 1, "completed", "loan.pdf",
    entities=(Entity(0, "Loan Agreement", "CONTRACT", ()), Entity(1, "Acme Inc.", "ORG", ())),
    facts=FACTS,
)  # fmt: skip


def test_a_fact_is_an_edge_from_the_document_to_what_it_names() -> None:
    assert graph_of(DOCUMENT).edges == (
        GraphEdge(
            "u/fact:0", "IS", "u", "u/entity:0",
            {"text": "LOAN AGREEMENT", "score": 1.0, "value": "agreement", "start": 0, "end": 14, "page": 1},
        ),
        GraphEdge(
            "u/fact:1", "PARTY_TO", "u", "u/entity:1",
            {"text": "Acme Inc.", "score": 0.95, "role": "Borrower", "start": 20, "end": 29, "page": 1},
        ),
    )  # fmt: skip


def test_the_document_has_its_kind_and_title() -> None:
    assert graph_of(DOCUMENT).nodes[0].properties == {
        "name": "loan.pdf",
        "run": 1,
        "status": "completed",
        "kind": "agreement",
        "title": "LOAN AGREEMENT",
    }


def test_facts_are_the_same_after_they_were_a_list() -> None:
    assert Facts.of(FACTS.listed()) == FACTS
    assert Facts.of([]) is None
