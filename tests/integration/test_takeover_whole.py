"""All of a take-over in one piece: a database with everything in it, and documents at work."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from docpipe.cli.takeover import takeover
from docpipe.cli.takeover.queue import importing as queue
from docpipe.cli.takeover.tables import triggers
from docpipe.cli.takeover.tables.triggers import Kind
from docpipe.cli.takeover.verify import verify
from docpipe.errors import SourceNotFoundError
from docpipe.models.status import is_final
from docpipe.pipeline.factory import new_pipeline
from docpipe.pipeline.pipeline import Pipeline
from tests.integration.importing import settings_of
from tests.integration.legacy_database import Legacy, build, fill, table, value
from tests.integration.test_health import close
from tests.integration.test_takeover import WISHES, schema, words_rows
from tests.integration.test_takeover_queue import QUEUES, surroundings
from tests.integration.test_takeover_triggers import KEPT
from tests.stack import Stack
from tests.workers import HANG_SECONDS, Workers

TABLES = (
    "source_documents", "neo4j_documents", "document_processing_queue", "docpipe_queue_imports",
    "docpipe_undo", "docpipe_runs", "stage_runs", "docpipe_migrations",
)  # fmt: skip
OPEN = (
    {"queue": "pending", "initial_processing_status": "pending"},
    {"queue": "processing", "initial_processing_status": "ocr_processing"},
)
LOST = "open7"
DOCUMENTS = 25


def everything(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Documents in every word of each place, and 20 with an open row, of which one has no bytes any more."""
    rows: list[tuple[str, dict[str, Any]]] = words_rows()
    rows += [(f"open{number}", dict(OPEN[number % 2])) for number in range(20)]
    rows += [(f"over-{word}", {"queue": word}) for word in ("completed", "failed")]
    for label, values in rows:
        path = folder / f"{label}.txt"
        if label != LOST:
            path.write_text(f"Ann met Bob in {label}.")
        yield label, values | {"original_file_path": str(path)}


def statuses(dsn: str) -> dict[str, str]:
    """Each document's status."""
    word = "docpipe_document_status(celery_status::text, initial_processing_status::text)"
    return dict(table(dsn, f"select document_uuid, {word} from source_documents"))


def whole(dsn: str) -> list[object]:
    """Schema, triggers and all rows that a step of a take-over may change."""
    rows = [table(dsn, f"select t::text from {name} t order by 1") for name in TABLES]
    return [schema(dsn), table(dsn, KEPT), *rows]


def done_twice(dsn: str, step: Callable[[], object], nothing: object) -> None:
    """Do the step; a second time it does nothing, says so, and changes nothing."""
    assert step() != nothing
    before = whole(dsn)
    assert step() == nothing
    assert whole(dsn) == before


def take_over(dsn: str, folder: Path) -> None:
    """Check, plan, apply, triggers."""
    kinds = {kind for each in triggers.listed(dsn) for kind in each.kinds}
    asked_about = {Kind.OTHER, Kind.BUILT}  # these databases have none
    assert kinds == set(Kind) - asked_about
    assert len(triggers.listed(dsn)) >= 12
    before = schema(dsn)
    assert any("project_uuid" in each for each in takeover.plan(dsn).obstacles)
    assert takeover.plan(dsn, WISHES).obstacles == ()
    assert schema(dsn) == before
    done_twice(dsn, lambda: takeover.apply(dsn, WISHES), [])
    restore = iter((folder / "restore.sql", folder / "again.sql"))
    done_twice(dsn, lambda: triggers.switch_off(dsn, next(restore)), [])


def hand_over(dsn: str, pipeline: Pipeline) -> list[str]:
    """Import and seal; the uuids that were handed over."""
    handed: list[queue.Imported] = []

    def import_all() -> Counter[str]:
        return queue.import_rows(dsn, pipeline, with_stranded=True, tell=handed.append)

    unfinished = {uid for uid, status in statuses(dsn).items() if not is_final(status)}
    done_twice(dsn, import_all, {})
    done_twice(dsn, lambda: queue.seal(dsn), [])
    uids = [each.document_uuid or "" for each in handed]
    assert (len(uids), set(uids)) == (len(set(uids)), unfinished)
    return uids


def ends(pipeline: Pipeline, uids: list[str]) -> dict[str, str]:
    """How each document ended, with its error's code."""
    for uid in uids:
        with contextlib.suppress(SourceNotFoundError):
            pipeline.wait(uid, timeout=HANG_SECONDS)
    found = [pipeline.status(uid) for uid in uids]
    return {
        each.document_uuid: f"{each.status} {each.error.code if each.error else ''}".strip() for each in found
    }


@pytest.fixture(params=[1, 2])
def legacy(request: pytest.FixtureRequest, empty_database: str, tmp_path: Path) -> Legacy:
    made = build(empty_database, request.param)
    fill(empty_database, made, everything(tmp_path))
    return made


def test_a_database_is_taken_over_runs_documents_and_is_given_back(
    legacy: Legacy, stack: Stack, empty_database: str, redis_url: str, tmp_path: Path
) -> None:
    dsn, count = empty_database, "select count(*) from document_processing_queue"
    before, old_rows = schema(dsn), value(dsn, count)
    take_over(dsn, tmp_path)
    with contextlib.ExitStack() as opened:
        _, env = opened.enter_context(surroundings(stack, dsn, redis_url, tmp_path))
        pipeline = new_pipeline(settings_of(env))
        opened.callback(close, pipeline)
        old = hand_over(dsn, pipeline)
        workers = opened.enter_context(Workers(tmp_path, env))
        workers.start(*QUEUES)
        workers.wait_until_ready()
        texts = (f"Ann met Bob, number {number}.".encode() for number in range(DOCUMENTS))
        new = [pipeline.submit(text, name="new.txt").document_uuid for text in texts]
        lost = legacy.documents[LOST]
        assert ends(pipeline, old + new) == dict.fromkeys(old + new, "completed") | {
            lost: "error_ocr not_found"
        }
        for _ in range(2):
            assert [each for each in verify(dsn, pipeline, live=True) if not each.ok] == []
    assert value(dsn, count) == old_rows
    assert table(dsn, "select max(run), max(attempt) from stage_runs") == [(1, 1)]  # nothing was done twice
    takeover.rollback(dsn, drop_results=True)
    assert takeover.rollback(dsn) == takeover.Rollback((), 0)
    assert schema(dsn) == before
