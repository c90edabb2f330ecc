"""What a collector of traces gets: one trace for each document, under the host's own span."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from opentelemetry.proto.trace.v1.trace_pb2 import Status as SpanStatus
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

from docpipe.execution.plan import BUILT_IN
from docpipe.execution.trace_context import TraceContext, current
from docpipe.models import Failure, Ref
from docpipe.pipeline.traces import Traces
from docpipe.stores.sqlite.store import SqliteStore
from tests.collector import Collector, attributes, collecting
from tests.contract.test_store import claim, new, run_all, token_of
from tests.contract.test_telemetry import PARENT, added
from tests.unit.conftest import NewPipeline

FAILURE = Failure("network", "NetworkError", "Ann's letter cannot be reached.", "ocr")
PLAN = [stage.planned for stage in BUILT_IN]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    opened = SqliteStore(tmp_path / "docpipe.db")
    yield opened
    opened.close()


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as collector:
        yield collector


def roots(collector: Collector) -> list[Span]:
    found = [span for span in collector.spans.values() if span.name == "docpipe.run"]
    return sorted(found, key=lambda span: span.start_time_unix_nano)


def killed_then_complete(store: SqliteStore, parent: str | None = PARENT) -> Ref:
    ref = added(store, parent=parent)
    store.retry(ref, "ocr", token_of(claim(store, ref, "ocr")), FAILURE, 0.0)
    claim(store, ref, "ocr", lease_seconds=0.0)
    run_all(store, ref)
    return ref


def test_each_attempt_is_a_span_below_the_run_below_the_hosts(
    store: SqliteStore, collector: Collector
) -> None:
    ref = killed_then_complete(store)
    assert Traces(store.telemetry, collector.endpoint).send() == 1
    (root,) = roots(collector)
    parent = TraceContext.parsed(PARENT)
    assert parent is not None
    assert (root.trace_id, root.parent_span_id) == (parent.trace_id.to_bytes(16), parent.span_id.to_bytes(8))
    spans = collector.below(root.span_id)
    assert [(span.name, attributes(span)["docpipe.ended"]) for span in spans] == [
        ("docpipe.ocr", "retried"),
        ("docpipe.ocr", "lost"),
        ("docpipe.ocr", "complete"),
        ("docpipe.chunk", "complete"),
        ("docpipe.entities", "complete"),
        ("docpipe.graph", "complete"),
    ]
    assert {span.trace_id for span in collector.spans.values()} == {root.trace_id}
    error, ok = SpanStatus.STATUS_CODE_ERROR, SpanStatus.STATUS_CODE_OK
    assert [span.status.code for span in [root, *spans]] == [ok, error, error, ok, ok, ok, ok]
    assert attributes(spans[0]) == {
        "docpipe.document": ref.document_uuid, "docpipe.run": 1, "docpipe.stage": "ocr",
        "docpipe.attempt": 1, "docpipe.ended": "retried", "docpipe.worker": "host:1",
        "messaging.message.id": "task", "error.type": "network",
    }  # fmt: skip
    assert all(
        root.start_time_unix_nano <= span.start_time_unix_nano <= span.end_time_unix_nano for span in spans
    )
    assert spans[-1].end_time_unix_nano <= root.end_time_unix_nano
    assert "Ann" not in str(collector.spans), "an error may quote the document"


def test_what_the_collector_does_not_take_is_sent_later_and_once(
    store: SqliteStore, collector: Collector
) -> None:
    killed_then_complete(store, None)
    traces = Traces(store.telemetry, collector.endpoint)
    collector.away = True
    assert (traces.send(), collector.spans) == (0, {})
    collector.away = False
    assert [traces.send(), traces.send()] == [1, 0]
    assert len(collector.spans) == 7


def test_a_trace_that_is_sent_again_is_the_same(store: SqliteStore, collector: Collector) -> None:
    ref = killed_then_complete(store, None)
    traces = Traces(store.telemetry, collector.endpoint)
    traces.send()
    once = dict(collector.spans)
    forget = "update docpipe_runs set traced_until = null where document_uuid = ?"
    with store._transaction() as db:
        db.execute(forget, (ref.document_uuid,))
    assert traces.send() == 1
    assert collector.spans == once


def test_later_runs_and_ends_are_linked_to_what_they_go_on_from(
    store: SqliteStore, collector: Collector
) -> None:
    ref = added(store, parent=None)
    traces = Traces(store.telemetry, collector.endpoint)
    store.fail(ref, "ocr", token_of(claim(store, ref, "ocr")), FAILURE)
    traces.send()
    store.resume(ref.document_uuid, "task")
    run_all(store, ref)
    traces.send()
    store.reprocess(ref.document_uuid, "graph", PLAN)
    store.cancel(ref.document_uuid)
    traces.send()
    failed, resumed, reprocessed = roots(collector)
    assert [span.links[0].span_id for span in (resumed, reprocessed)] == [failed.span_id] * 2
    assert (failed.status.code, list(failed.links)) == (SpanStatus.STATUS_CODE_ERROR, [])
    assert [len(collector.below(span.span_id)) for span in (failed, resumed, reprocessed)] == [1, 4, 0]
    assert len({span.trace_id for span in (failed, resumed, reprocessed)}) == 1


def test_what_the_host_leaves_out_of_its_sample_is_left_out_here(
    store: SqliteStore, collector: Collector
) -> None:
    killed_then_complete(store, PARENT.removesuffix("01") + "00")
    assert Traces(store.telemetry, collector.endpoint).send() == 1
    assert collector.spans == {}


NONE = [None, "", "00-0-0-01", PARENT.upper(), f"{PARENT}-more", "00-" + "0" * 32 + PARENT[35:]]


@pytest.mark.parametrize("text", NONE)
def test_what_is_no_context_is_none(text: str | None) -> None:
    assert TraceContext.parsed(text) is None


def test_a_context_is_written_as_it_was_read() -> None:
    assert str(TraceContext.parsed(PARENT)) == PARENT


def test_a_submit_takes_the_hosts_span_along(new_pipeline: NewPipeline, note: Path) -> None:
    pipeline = new_pipeline()
    tracer = TracerProvider().get_tracer("host")
    assert current() is None
    with tracer.start_as_current_span("upload") as span:
        pipeline.process(note)
    (run,) = pipeline.store.telemetry.untraced(seconds=60.0)
    context = span.get_span_context()
    expected = TraceContext(context.trace_id, context.span_id)
    assert TraceContext.parsed(run.trace_parent) == expected


def test_a_span_that_is_not_sampled_says_so() -> None:
    tracer = TracerProvider(sampler=ALWAYS_OFF).get_tracer("host")
    with tracer.start_as_current_span("upload"):
        found = current()
    assert found is not None
    assert not found.sampled


def test_nothing_is_sent_where_no_collector_is_named(store: SqliteStore) -> None:
    store.cancel(store.register(new()).ref.document_uuid)
    assert Traces(store.telemetry).send() == 0
    assert len(store.telemetry.untraced(seconds=60.0)) == 1
