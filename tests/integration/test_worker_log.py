"""A worker with DOCPIPE_LOG_JSON writes one JSON object per line, bound to document, run, stage and task."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from docpipe.stores import open_store
from tests.integration.test_health import close, new_pipeline
from tests.unit.conftest import ENGINES
from tests.workers import Worker, Workers, wait_until


def lines(worker: Worker) -> list[dict[str, Any]]:
    """Everything after Celery's banner; a line that is no JSON fails the test."""
    found = worker.log.read_text().splitlines()
    first = next(index for index, line in enumerate(found) if line.startswith("{"))
    return [json.loads(line) for line in found[first:] if line.strip()]


def test_every_line_of_a_worker_is_json_and_a_stage_s_lines_name_their_document(
    redis_url: str, tmp_path: Path
) -> None:
    address = f"sqlite://{tmp_path / 'docpipe.db'}"
    environment = ENGINES | {"REDIS_URL": redis_url, "DOCPIPE_STORE": address, "DOCPIPE_LOG_JSON": "true"}
    pipeline = new_pipeline(redis_url, open_store(address), tmp_path)
    submission = pipeline.submit(b"Ann met Bob.", name="note.txt")
    with Workers(tmp_path, environment) as workers:
        worker = workers.start("ocr")
        wait_until(lambda: submission.status().status == "ocr_complete", "the stage is complete")
        wait_until(lambda: "stage_complete" in worker.log.read_text(), "it is said")
        told = lines(worker)  # before Celery writes, without its log, that it shuts down
    said = [line for line in told if line["event"] == "stage_complete"]
    assert [(line["document"], line["run"], line["stage"], line["task"]) for line in said] == [
        (submission.document_uuid, 1, "ocr", submission.task_id)
    ]
    assert {line["level"] for line in told} <= {"info", "warning"}
    assert any(line["logger"].startswith("celery.") for line in told)
    close(pipeline)


def test_the_log_of_a_worker_has_no_line_for_each_request_of_the_store(
    redis_url: str, supabase_env: dict[str, str], tmp_path: Path
) -> None:
    store = open_store(
        "supabase",
        supabase_url=supabase_env["SUPABASE_URL"],
        supabase_key=supabase_env["SUPABASE_SECRET_KEY"],
    )
    pipeline = new_pipeline(redis_url, store, tmp_path)
    submission = pipeline.submit(b"Ann met Bob.", name="note.txt")
    environment = ENGINES | supabase_env | {"REDIS_URL": redis_url, "DOCPIPE_STORE": "supabase"}
    with Workers(tmp_path, environment) as workers:
        worker = workers.start("ocr")
        wait_until(lambda: submission.status().status == "ocr_complete", "the stage is complete")
        wait_until(lambda: "stage_complete" in worker.log.read_text(), "it is said")
        assert "HTTP Request" not in worker.log.read_text()
    close(pipeline)
