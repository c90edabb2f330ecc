"""The web pages over real parts, two thousand documents and a worker: what people come for, in a browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from benchmarks import growth_rows
from docpipe.pipeline.pipeline import Pipeline
from docpipe.stores import open_store
from tests.browser import Tab, opened
from tests.integration.test_health import close, new_pipeline
from tests.unit.conftest import ENGINES
from tests.unit.test_web_browser import AXE, COMPLAINTS, served, text
from tests.workers import Workers, wait_until

pytestmark = pytest.mark.slow

DOCUMENTS = 2000
OTHER_STATES = """
update source_documents set celery_status = 'cancelled', initial_processing_status = 'cancelled'
 where id % 100 = 8;
update docpipe_runs r set state = 'cancelled' from source_documents d
 where d.document_uuid = r.document_uuid and d.celery_status = 'cancelled';
update source_documents set initial_processing_status = 'completed_with_warnings' where id % 100 = 11;
update stage_runs s set warnings = '[{"code": "unsure_text", "message": "It is hard to read.", "page": 1}]'
  from source_documents d where d.document_uuid = s.document_uuid and d.id % 100 = 11 and s.stage = 'ocr';
update source_documents set celery_status = 'ocr_processing', initial_processing_status = 'ocr_processing'
 where id % 100 = 7;
update stage_runs s
   set state = 'running', started_at = now(), worker = 'far:1', lease_expires_at = now() + interval '1 hour'
  from source_documents d where d.document_uuid = s.document_uuid and d.id % 100 = 7 and s.stage = 'ocr';
"""


@pytest.fixture
def environment(supabase_env: dict[str, str], redis_url: str, tmp_path: Path) -> dict[str, str]:
    own = {"DOCPIPE_STORE": "postgres", "REDIS_URL": redis_url, "DOCPIPE_UPLOADS": str(tmp_path / "uploads")}
    return supabase_env | ENGINES | own


@pytest.fixture
def pipeline(environment: dict[str, str], tmp_path: Path) -> Iterator[Pipeline]:
    dsn = environment["SUPABASE_DB_URL"]
    with psycopg.connect(dsn, autocommit=True) as db:
        for statement in growth_rows.inserts(growth_rows.POSTGRES, DOCUMENTS):
            db.execute(statement.encode())
        db.execute(OTHER_STATES.encode())
    store = open_store("postgres", supabase_db_url=dsn)
    made = new_pipeline(environment["REDIS_URL"], store, tmp_path)
    yield made
    close(made)


def test_a_person_finds_why_who_and_where_and_steers_among_two_thousand_documents(
    browser: str, pipeline: Pipeline, environment: dict[str, str], tmp_path: Path
) -> None:
    blank = tmp_path / "blank.html"
    blank.write_text("<!DOCTYPE html><title>blank</title>")
    with (
        Workers(tmp_path, environment) as workers,
        served(pipeline) as address,
        opened(browser, blank) as tab,
    ):
        workers.start("ocr", "text", "entity", "graph")
        workers.wait_until_ready()
        letter = pipeline.submit(b"Ann Lee met Quentin Ray in Bern.", name="letter.txt", project_id="people")
        broken = pipeline.submit(b"%PDF-1.7 broken", name="broken.pdf", project_id="people")
        for uuid, status in ((letter.document_uuid, "completed"), (broken.document_uuid, "error_ocr")):
            ends(pipeline, uuid, status)
        pipeline.link_entities()
        sends_again(tab, address, pipeline, broken.document_uuid)
        finds_who(tab, address)
        pauses(tab, address, pipeline)
        paths = ["/", "/documents", "/documents?status=warnings&sort=-name", "/entities?project=large"]
        paths += ["/steering", "/search?q=agreement", f"/documents/{broken.document_uuid}", "/documents/d111"]
        looks(tab, address, [*paths, f"/documents/{letter.document_uuid}"], tmp_path)


def ends(pipeline: Pipeline, uuid: str, status: str) -> None:
    wait_until(lambda: pipeline.status(uuid).status == status, f"it is {status}")


def sends_again(tab: Tab, address: str, pipeline: Pipeline, uuid: str) -> None:
    """Find why this one failed, and send it again."""
    tab.load(f"{address}/documents?status=failed&sort=-changed")
    tab.follow("tbody a")
    assert "The PDF engine cannot read broken.pdf" in text(tab)
    tab.follow("[value=retry]")
    assert "resumed" in text(tab)
    wait_until(lambda: len(pipeline.attempts(uuid)) == 2, "a worker has tried again")
    ends(pipeline, uuid, "error_ocr")


def finds_who(tab: Tab, address: str) -> None:
    """Who is this person, and where is it said."""
    tab.load(f"{address}/entities?q=quentin&project=people")
    tab.follow("tbody a")
    assert "Quentin" in str(tab.value("document.querySelector('h1').innerText"))
    tab.follow("main li a[href*='/documents/']")
    assert "Quentin" in tab.value("[...document.querySelectorAll('mark')].map(e => e.innerText)")


def pauses(tab: Tab, address: str, pipeline: Pipeline) -> None:
    """Pause OCR, and let it go on."""
    tab.load(f"{address}/steering")
    tab.value("document.querySelector('[name=what]').value = 'stage:ocr'")
    tab.follow("form[action$='/pause'] button")
    uuid = pipeline.submit(b"Cid met Dee.", name="waits.txt").document_uuid
    tab.load(f"{address}/steering")
    assert "stage ocr is paused" in text(tab)
    assert pipeline.status(uuid).status == "ocr_queued"
    tab.follow("form[action$='/unpause'] button")
    ends(pipeline, uuid, "completed")


def looks(tab: Tab, address: str, paths: list[str], folder: Path) -> None:
    """No page complains, is wider than its window, asks another host or has a serious finding of axe."""
    for domain in ("Log", "Runtime"):
        tab.call(f"{domain}.enable")
    for width in (400, 1400, 2000):
        size = {"width": width, "height": 1000, "deviceScaleFactor": 1, "mobile": False}
        tab.call("Emulation.setDeviceMetricsOverride", **size)
        for number, path in enumerate(paths):
            tab.load(address + path)
            assert tab.value("document.documentElement.scrollWidth <= innerWidth"), (path, width)
            hosts = (
                "performance.getEntriesByType('resource').every(e => new URL(e.name).host === location.host)"
            )
            assert tab.value(hosts), path
            assert not COMPLAINTS & set(tab._events), path
            tab.screenshot(folder / f"{width}-{number}.png")
            if width == 1400:
                tab.value(AXE.read_text(encoding="utf-8") + "; 0")
                serious = tab.value(
                    "axe.run().then(found => found.violations.filter(each =>"
                    " ['serious', 'critical'].includes(each.impact)).map(each => each.id))"
                )
                assert (path, serious) == (path, [])
