"""The trace of a document whose worker was killed, as a real collector gets it from real workers."""

from __future__ import annotations

from pathlib import Path

import pytest
from opentelemetry.sdk.trace import TracerProvider

from docpipe.pipeline.factory import new_pipeline
from docpipe.pipeline.settings import Settings
from tests.acceptance.conftest import Services
from tests.acceptance.test_long_documents import SETTINGS, holder, kill, reaped_until_final
from tests.collector import attributes, collecting
from tests.numbered import Pages, scan
from tests.workers import Workers, wait_until


def test_a_killed_workers_document_is_one_trace_with_a_span_for_each_attempt(
    services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = Pages(tmp_path / "pages")
    pages.folder.mkdir()
    (tmp_path / "logs").mkdir()
    file = scan(tmp_path / "file.pdf", [1])
    env = services.env | SETTINGS | {"PAGES_FOLDER": str(pages.folder)}
    with collecting() as collector, Workers(tmp_path / "logs", env) as workers:
        for name, value in (env | {"DOCPIPE_OTLP_ENDPOINT": collector.endpoint}).items():
            monkeypatch.setenv(name, value)
        for queues in (("ocr",), ("ocr",), ("text", "entity", "graph")):
            workers.start(*queues)
        workers.wait_until_ready()
        pipeline = new_pipeline(Settings())
        pages.tell("hold", 1)
        with TracerProvider().get_tracer("host").start_as_current_span("upload") as upload:
            submission = pipeline.submit(file)
        wait_until(lambda: pages.begun(1), "the page is being read")
        kill(holder(workers.all, pages.readers(1)[0]))
        pages.untell("hold", 1)
        assert reaped_until_final(pipeline, submission) == "completed"
        pipeline.reap()
        pipeline.store.close()
    host = upload.get_span_context()
    assert {span.trace_id for span in collector.spans.values()} == {host.trace_id.to_bytes(16)}
    (root,) = collector.below(host.span_id.to_bytes(8))
    assert [(span.name, attributes(span)["docpipe.ended"]) for span in collector.below(root.span_id)] == [
        ("docpipe.ocr", "lost"),
        ("docpipe.ocr", "complete"),
        ("docpipe.chunk", "complete"),
        ("docpipe.entities", "complete"),
        ("docpipe.graph", "complete"),
    ]
