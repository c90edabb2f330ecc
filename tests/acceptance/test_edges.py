"""The planted facts of the example contract, read from its scan, form the edges a reader would draw."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pymupdf
import pytest

from tests.acceptance.conftest import FOLDER, EmbeddedRun

Result = dict[str, Any]

CLIENT, CONTRACTOR = "Northwind Harbour Logistics LLC", "Calder & Finch Engineering Ltd."
TITLE, NUMBER = "Services Agreement", "NHL-2024-0317"

EDGES = [
    ("DATED", TITLE, "March 15, 2024", 1),
    *(("PARTY_TO", party, paper, 1) for party in (CLIENT, CONTRACTOR) for paper in (TITLE, NUMBER)),
    *(("AMOUNT_OF", amount, TITLE, 1) for amount in ("USD 18,500.00", "EUR 42,750.00")),
    *(("AMOUNT_OF", amount, NUMBER, 2) for amount in ("USD 55,500.00", "$1,250,000")),
    ("WORK_FOR", "Robert Ellison", CLIENT, 2),
    ("WORK_FOR", "Helen Marsh", CONTRACTOR, 2),
]
"""Type, source, target, and the page of the evidence."""

_ASKEW = 12
"""Points."""


@pytest.fixture
def scan(embedded: EmbeddedRun) -> Result:
    return embedded.results["contract_scan.pdf"]


def edges(scan: Result) -> dict[tuple[str, str, str, int], Result]:
    name = [" ".join(entity["name"].split()) for entity in scan["entities"]]
    return {
        (r["type"], name[r["source"]], name[r["target"]], r["evidence"]["page"]): r for r in scan["relations"]
    }


@pytest.mark.parametrize("edge", EDGES, ids=lambda edge: f"{edge[1]} {edge[0]} {edge[2]}")
def test_a_planted_fact_is_an_edge_whose_evidence_shows_both_ends_where_they_are_printed(
    scan: Result, edge: tuple[str, str, str, int]
) -> None:
    relation = edges(scan)[edge]
    for end in ("source", "target"):
        shown = list(_mentions_in(scan, relation, end))
        assert shown
        assert any(_stands_where_printed(mention) for mention in shown)


def _mentions_in(scan: Result, relation: Result, end: str) -> Iterator[Result]:
    """The mentions of one end of the relation inside its evidence, on its page."""
    evidence = relation["evidence"]
    for index in scan["entities"][relation[end]]["mentions"]:
        mention = scan["mentions"][index]
        inside = evidence["start"] <= mention["start"] and mention["end"] <= evidence["end"]
        if inside and mention["page"] == evidence["page"]:
            yield mention


def _stands_where_printed(mention: Result) -> bool:
    """Whether the box on the scan meets, on its line, the words on the page that was scanned. The scan lies
    askew: at its right margin a line stands up to a line higher than it was printed.
    """
    with pymupdf.open(FOLDER / "contract.pdf") as printed:  # type: ignore[no-untyped-call]
        places = printed[mention["page"] - 1].search_for(" ".join(mention["text"].split()))
    x0, y0, x1, y1 = mention["bbox"]
    near = [each for each in places if y0 <= (each.y0 + each.y1) / 2 <= y1 + _ASKEW]
    return any(each.x0 < x1 and x0 < each.x1 for each in near)


def test_the_scan_gives_no_other_party_date_or_amount(scan: Result) -> None:
    expected = {edge[:2] for edge in EDGES}
    drawn = {edge[:2] for edge in edges(scan) if edge[0] in ("PARTY_TO", "DATED", "AMOUNT_OF")}
    assert drawn - expected == set()
