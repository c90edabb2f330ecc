"""The page of a document: its graph as a drawing, and its runs side by side."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from html import unescape
from itertools import pairwise
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from docpipe.models import Document, Entity, Evidence, Method, Page, Relation
from docpipe.testing import memory_app
from docpipe.web import app as web_app
from docpipe.web.drawing import drawn
from docpipe.web.versions import Difference, changed_lines
from tests.dense import dense
from tests.engines import OPTIONS
from tests.growth import growth
from tests.unit.conftest import NewPipeline


def document(names: int, *pairs: tuple[int, int]) -> Document:
    """Its entities are called 0, 1, … and related in pairs."""
    return Document(
        "u",
        1,
        "completed",
        "crowd.txt",
        entities=tuple(Entity(n, str(n), "PERSON", ()) for n in range(names)),
        relations=tuple(Relation("KNOWS", *pair, Evidence(0, 1, 1), 0.5) for pair in pairs),
    )


@pytest.mark.parametrize("names", [2, 60, 150])
def test_every_name_of_the_drawing_has_a_row_and_no_two_types_overlap(names: int) -> None:
    chain = document(names, *((n, n + 1) for n in range(names - 1)), *((0, n) for n in range(2, names)))
    found = drawn(dict(enumerate(chain.entities)), chain.relations, names)
    rows = sorted(node.y for node in found.nodes)
    assert len(rows) == min(names, 60)
    assert all(below - above >= 20 for above, below in pairwise(rows))
    assert found.left_out == names - len(rows)
    written = sorted(arc.label[1] for arc in found.arcs if arc.label)
    assert written
    assert all(below - above >= 13 for above, below in pairwise(written))
    assert max(rows) < found.height


def test_what_is_related_stands_together_and_what_is_not_is_not_drawn() -> None:
    two = document(7, (0, 4), (4, 2), (1, 5), (3, 3))
    found = drawn(dict(enumerate(two.entities)), two.relations, 5)
    assert [node.name for node in found.nodes] == ["4", "0", "2", "1", "5"]
    assert [arc.title for arc in found.arcs if arc.relation.source == 1] == ["1 KNOWS 5, page 1"]


def test_the_page_draws_the_graph_with_a_way_to_each_place(new_pipeline: NewPipeline) -> None:
    related = replace(OPTIONS, co_occurrence=True)
    pipeline = new_pipeline(memory_app(task_always_eager=True), options=related)
    uuid = pipeline.submit(b"Ann Lee works for Bob Ray.", name="note.txt").document_uuid
    page = TestClient(web_app(pipeline), "http://localhost", client=("127.0.0.1", 1)).get(
        f"/documents/{uuid}"
    )
    relations = pipeline.get(uuid).relations
    assert relations
    assert page.text.count('class="arc"') == len(relations)
    assert page.text.count('class="name"') == len(
        {n for each in relations for n in (each.source, each.target)}
    )


def test_runs_stand_side_by_side_with_what_changed(new_pipeline: NewPipeline, examples: Path) -> None:
    first = new_pipeline(memory_app(task_always_eager=True))
    uuid = first.submit(examples / "invoice.png").document_uuid
    other = replace(OPTIONS, ocr_engine="tests.engines:Unsure")
    second = new_pipeline(memory_app(task_always_eager=True), store=first.store, options=other)
    browser = TestClient(web_app(second), "http://localhost", client=("127.0.0.1", 1))
    at = f"/documents/{uuid}/runs"
    assert "The document has one run" in browser.get(at).text
    second.reprocess(uuid)
    page = browser.get(at).text
    gone, come = (re.findall(f"<{tag}>(.*?)</{tag}>", page) for tag in ("del", "ins"))
    assert gone[:3] == ["Ann met Bob.", "PERSON Ann", "PERSON Bob"]
    assert come[:2] == ["Anm rnet 8ob.", "PERSON Anm"]
    assert f'href="{at}"' in browser.get(f"/documents/{uuid}").text
    same = browser.get(f"{at}?old=2&new=2").text
    assert same.count('class="empty"') == 3
    assert browser.get(f"{at}?old=99&new=x").text.count("<del>") == page.count("<del>")
    assert browser.get("/documents/00000000-0000-0000-0000-000000000000/runs").status_code == 404


def of_lines(lines: list[str]) -> Document:
    text = "\n".join(lines)
    return replace(document(0), text=text, pages=(Page(1, 0, len(text), None, None, Method.TEXT),))


@pytest.mark.parametrize("every", [2, 50])
def test_runs_are_compared_in_linear_time_whatever_their_lines(every: int) -> None:
    def compared(size: int) -> None:
        before = ["a" if every > 2 or n % every else f"b{n}" for n in range(size // 2)]
        after = [f"c{n}" if n % every == 0 else line for n, line in enumerate(before)]
        assert any(changed_lines(of_lines(before), of_lines(after)))

    assert growth(compared) is None


def test_lines_of_a_page_too_long_to_compare_in_order_are_still_told() -> None:
    before = of_lines([*["same"] * 4000, "gone"])
    found = list(changed_lines(before, of_lines([*["same"] * 3999, "come"])))
    assert found == [Difference(1, "same\ngone", "come")]


def opened(new_pipeline: NewPipeline, pages: int) -> tuple[Callable[[str], str], str, Callable[[], int]]:
    """What a browser gets of a path, that of a dense document, and how many rows have been read."""
    pipeline = new_pipeline(memory_app())
    ref = dense(pipeline.store, pages, 40)
    read, rows = [0], pipeline.store._rows  # type: ignore[attr-defined]

    def counted(*asked: object) -> list[object]:
        found: list[object] = rows(*asked)
        read[0] += len(found)
        return found

    pipeline.store._rows = counted  # type: ignore[attr-defined]
    browser = TestClient(web_app(pipeline), "http://localhost", client=("127.0.0.1", 1))
    return (lambda path: browser.get(path).text), f"/documents/{ref.document_uuid}", lambda: read[0]


def test_a_long_document_is_opened_with_as_few_rows_and_as_small_a_page_as_a_short_one(
    new_pipeline: NewPipeline,
) -> None:
    told = []
    for pages in (20, 60):
        get, path, read = opened(new_pipeline, pages)
        page = get(path)
        assert (page.count('class="leaf"'), page.count("<mark")) == (5, 5 * 40)
        told.append((read(), len(page)))
    assert told[0][0] == told[1][0] < 1000
    assert told[1][1] < told[0][1] * 1.01


@pytest.mark.parametrize(("what", "number"), [
    ('id="(page-\\d+)"', 12),
    ('"/entities/[^/]+/(\\d+)">[^<]+</a> <span', 12 * 39 + 1),
    ("<blockquote>([^<]+)", 6 * 39),
])  # fmt: skip
def test_links_lead_to_every_page_entity_and_relation(
    new_pipeline: NewPipeline, what: str, number: int
) -> None:
    get, path, _ = opened(new_pipeline, 12)
    waiting, seen, found = [path], set[str](), set[str]()
    while waiting:
        if (path := waiting.pop()) not in seen:
            seen.add(path)
            page = get(path)
            found.update(re.findall(what, page))
            nexts = re.findall(r'rel="next"[^>]* href="([^"#]+)', page)
            waiting += [unescape(each) for each in nexts]
            waiting = waiting[:40]
    assert len(found) == number


def test_a_place_in_a_list_beyond_its_end_leads_back(new_pipeline: NewPipeline) -> None:
    get, path, _ = opened(new_pipeline, 2)
    page = get(f"{path}?entity=5000&relation=5000")
    assert page.count("Show the first.") == 2
    assert f'href="{path}?page=1&amp;relation=5000#entities"' in page
