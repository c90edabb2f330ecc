"""The web pages in a real browser: what a person does there, and what the browser thinks of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from docpipe.pipeline.pipeline import Pipeline
from docpipe.web import app as web_app
from tests.browser import Tab, opened
from tests.dense import dense
from tests.unit.conftest import NewPipeline
from tests.workers import REPOSITORY, wait_until

AXE = REPOSITORY / "tests" / "stack" / "node_modules" / "axe-core" / "axe.min.js"
COMPLAINTS = {"Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled"}


@contextmanager
def served(pipeline: Pipeline) -> Iterator[str]:
    """The address of the pages, which a thread serves meanwhile."""
    server = uvicorn.Server(uvicorn.Config(web_app(pipeline), port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_until(lambda: server.started, "the pages are served")
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = server.force_exit = True
        thread.join()


@pytest.fixture
def pipeline(new_eager: NewPipeline) -> Pipeline:
    made = new_eager()
    made.submit(b"Ann Lee met Bob Ray in Bern. " * 40, name="a very long name of a letter.txt")
    made.submit(b"%PDF-1.7 broken", name="broken.pdf")
    made.link_entities()
    return made


@pytest.fixture
def tab(browser: str, pipeline: Pipeline, tmp_path: Path) -> Iterator[Callable[[str], Tab]]:
    """Opens a page of docpipe's, at a path."""
    blank = tmp_path / "blank.html"
    blank.write_text("<!DOCTYPE html><title>blank</title>")
    with served(pipeline) as address, opened(browser, blank) as driven:
        for domain in ("Log", "Runtime"):
            driven.call(f"{domain}.enable")

        def load(path: str) -> Tab:
            driven.load(address + path)
            return driven

        yield load


def text(tab: Tab) -> str:
    return str(tab.value("document.querySelector('main').innerText"))


def paths(pipeline: Pipeline) -> list[str]:
    uuids = [each.document_uuid for each in pipeline.store.documents()]
    entity = pipeline.graphs.search("").items[0].id.replace("/entity:", "/")
    lists = ["/", "/documents", "/search?q=ann", "/entities", "/steering"]
    documents = [path for uuid in uuids for path in (f"/documents/{uuid}?q=met", f"/documents/{uuid}/runs")]
    return [*lists, f"/entities/{entity}", *documents]


def test_why_a_document_failed_is_found_and_it_is_sent_again(tab: Callable[[str], Tab]) -> None:
    page = tab("/documents?status=failed")
    page.follow("tbody a")
    assert "The PDF engine cannot read broken.pdf" in text(page)
    page.value("document.querySelector('[name=why]').value = 'it was on its way'")
    page.follow("[value=retry]")
    assert "resumed" in text(page)
    assert "it was on its way" in text(tab("/steering"))


def test_the_overview_shows_what_comes_without_being_asked(
    tab: Callable[[str], Tab], pipeline: Pipeline
) -> None:
    page = tab("/")
    assert "2 completed" not in text(page).replace("\n", " ")
    pipeline.submit(b"Bob met Ann.", name="another.txt")
    wait_until(lambda: "2 completed" in text(page).replace("\n", " "), "the overview shows it")


def test_ticking_all_ticks_every_document(tab: Callable[[str], Tab]) -> None:
    page = tab("/documents")
    page.value("document.querySelector('[data-all]').click()")
    assert page.value("[...document.querySelectorAll('[name=document]')].map(e => e.checked)") == [True, True]


def test_who_somebody_is_and_where_it_is_said(tab: Callable[[str], Tab]) -> None:
    page = tab("/entities")
    page.value("document.querySelector('main [name=q]').value = 'bob'")
    page.follow("main .filters button")
    page.follow("tbody a")
    assert "Bob" in str(page.value("document.querySelector('h1').innerText"))
    assert "a very long name of a letter.txt" in text(page)
    page.follow("main li a[href*='/documents/']")
    assert "Bob" in page.value("[...document.querySelectorAll('mark')].map(e => e.innerText)")


def test_ocr_is_paused_and_goes_on(tab: Callable[[str], Tab], pipeline: Pipeline) -> None:
    page = tab("/steering")
    page.value("document.querySelector('[name=what]').value = 'stage:ocr'")
    page.follow("form[action$='/pause'] button")
    uuid = pipeline.submit(b"Cid met Dee.", name="waits.txt").document_uuid
    assert pipeline.status(uuid).status == "ocr_queued"
    page = tab("/steering")
    assert "stage ocr is paused" in text(page)
    page.follow("form[action$='/unpause'] button")
    assert pipeline.status(uuid).status == "completed"


def test_nothing_is_deleted_without_a_yes(tab: Callable[[str], Tab], pipeline: Pipeline) -> None:
    uuid = next(each.document_uuid for each in pipeline.store.documents() if each.name == "broken.pdf")
    page = tab(f"/documents/{uuid}")
    page.value("window.confirm = asked => { window.asked = asked; return false; }")
    page.value("document.querySelector('[value=delete]').click()")
    assert "with everything that was made of it?" in page.value("window.asked")
    assert pipeline.status(uuid).name == "broken.pdf"
    page.value("window.confirm = () => true")
    page.follow("[value=delete]")
    assert [each.name for each in pipeline.store.documents()] == ["a very long name of a letter.txt"]


def test_everything_can_be_read_without_scripts(tab: Callable[[str], Tab], pipeline: Pipeline) -> None:
    page = tab("/")
    page.call("Emulation.setScriptExecutionDisabled", value=True)
    for path in paths(pipeline):
        assert len(text(tab(path))) > 40, path
    page = tab("/documents")
    page.follow("tbody a")
    assert "Every status" in text(page)


def test_a_long_document_is_scrolled_to_its_end(tab: Callable[[str], Tab], pipeline: Pipeline) -> None:
    ref = dense(pipeline.store, 17, 8)
    page = tab(f"/documents/{ref.document_uuid}?label=ORG")
    leaves = "[...document.querySelectorAll('.leaf')].map(e => e.id)"
    assert page.value(leaves)[:5] == [f"page-{number}" for number in range(1, 6)]

    def at_the_end() -> bool:
        page.value("document.querySelector('.leaves').scrollTo({top: 1e9, behavior: 'instant'})")
        return not page.value("document.querySelector('[data-more]')?.href")

    wait_until(at_the_end, "all pages are there")
    assert page.value(leaves) == [f"page-{number}" for number in range(1, 18)]
    marks = page.value("[...document.querySelectorAll('mark')].map(e => e.textContent)")
    assert marks.count("Everywhere") == 17
    assert not COMPLAINTS & set(page._events)


@pytest.mark.parametrize("width", [400, 1400, 2000])
def test_no_page_is_wider_than_its_window_or_complains_or_asks_another_host(
    tab: Callable[[str], Tab], pipeline: Pipeline, width: int
) -> None:
    page = tab("/documents")
    page.call(
        "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False
    )
    for path in paths(pipeline):
        page = tab(path)
        assert page.value("document.documentElement.scrollWidth <= innerWidth"), path
        hosts = "performance.getEntriesByType('resource').every(e => new URL(e.name).host === location.host)"
        assert page.value(hosts), path
        assert not COMPLAINTS & set(page._events), path


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(tab: Callable[[str], Tab], pipeline: Pipeline, scheme: str) -> None:
    for path in paths(pipeline):
        page = tab(path)
        media = [{"name": "prefers-color-scheme", "value": scheme}]
        page.call("Emulation.setEmulatedMedia", features=media)
        page.value(AXE.read_text(encoding="utf-8") + "; 0")
        told = page.value(
            "axe.run().then(found => ({violations: found.violations, passes: found.passes.length}))"
        )
        found: list[dict[str, Any]] = told["violations"]
        assert told["passes"] > 10, path
        serious = [
            (each["id"], [node["html"] for node in each["nodes"]][:3])
            for each in found
            if each["impact"] in ("serious", "critical")
        ]
        assert (path, serious) == (path, [])
