"""A run as spans: one for the run, and below it one for each attempt.

Ids are made of what the spans stand for, so a run that is sent twice is one trace all the same.
"""

from __future__ import annotations

from datetime import datetime
from functools import cache
from importlib.metadata import version

from docpipe.errors import MissingExtraError
from docpipe.execution.trace_context import TraceContext, number, trace_id_of
from docpipe.models import Attempt
from docpipe.models.status import AttemptEnd, RunState
from docpipe.stores.telemetry_port import EndedRun

try:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope
    from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags
    from opentelemetry.util.types import AttributeValue
except ModuleNotFoundError as error:
    raise MissingExtraError.for_module(error.name or "opentelemetry", "otel") from error

_VERSION = version("docpipe-celery")
_SCOPE = InstrumentationScope("docpipe", _VERSION)
_WELL = frozenset({AttemptEnd.COMPLETE, AttemptEnd.SPLIT})


def spans_of(run: EndedRun) -> list[ReadableSpan]:
    """The run's span, a child of the host's own where there was one, and those of its attempts.

    A run that ended before, was traced and was resumed has a second span, of what it has done since.
    """
    trace_id = trace_id_of(run.ref.document_uuid, TraceContext.parsed(run.trace_parent))
    root = _context(trace_id, run.ref.document_uuid, run.ref.run, run.traced_until)
    return [_run_span(run, root), *(_attempt_span(run, each, root) for each in run.attempts)]


def is_wanted(run: EndedRun) -> bool:
    """Whether the host traces at all what it submitted here: it may have left it out of its sample."""
    parent = TraceContext.parsed(run.trace_parent)
    return parent is None or parent.sampled


def _run_span(run: EndedRun, own: SpanContext) -> ReadableSpan:
    attributes: dict[str, AttributeValue] = {
        "docpipe.document": run.ref.document_uuid,
        "docpipe.run": run.ref.run,
        "docpipe.state": run.state.value,
    }
    if run.project_id is not None:
        attributes["docpipe.project"] = run.project_id
    started = min([each.started_at for each in run.attempts if run.traced_until], default=run.created_at)
    return ReadableSpan(
        name="docpipe.run",
        context=own,
        parent=_parent(TraceContext.parsed(run.trace_parent)),
        resource=_resource(),
        attributes=attributes,
        links=_links(run),
        kind=SpanKind.INTERNAL,
        status=Status(StatusCode.ERROR if run.state is RunState.FAILED else StatusCode.OK),
        start_time=_nanoseconds(started),
        end_time=_nanoseconds(run.finished_at),
        instrumentation_scope=_SCOPE,
    )


def _attempt_span(run: EndedRun, attempt: Attempt, parent: SpanContext) -> ReadableSpan:
    well = attempt.ended in _WELL
    return ReadableSpan(
        name=f"docpipe.{attempt.stage}",
        context=_context(parent.trace_id, run.ref.document_uuid, run.ref.run, attempt.token),
        parent=parent,
        resource=_resource(),
        attributes=_attempt_attributes(run, attempt),
        kind=SpanKind.CONSUMER,
        status=Status(StatusCode.OK) if well else Status(StatusCode.ERROR, attempt.ended),
        start_time=_nanoseconds(attempt.started_at),
        end_time=_nanoseconds(attempt.ended_at or attempt.started_at),
        instrumentation_scope=_SCOPE,
    )


def _attempt_attributes(run: EndedRun, attempt: Attempt) -> dict[str, AttributeValue]:
    """Ids, places and codes; no message of an error, which may quote the document."""
    pages, error = attempt.pages, attempt.error
    found: dict[str, AttributeValue | None] = {
        "docpipe.document": run.ref.document_uuid,
        "docpipe.run": run.ref.run,
        "docpipe.stage": attempt.stage,
        "docpipe.attempt": attempt.attempt,
        "docpipe.ended": attempt.ended,
        "docpipe.worker": attempt.worker,
        "docpipe.pages": None if pages is None else f"{pages.first}-{pages.last}",
        "messaging.message.id": attempt.task_id,
        "error.type": None if error is None else error.code,
    }
    return {name: value for name, value in found.items() if value is not None}


def _links(run: EndedRun) -> list[Link]:
    """To what the run goes on from: the document's run before it, or its own first end."""
    document, number = run.ref.document_uuid, run.ref.run
    if run.traced_until is not None:
        own = trace_id_of(document, TraceContext.parsed(run.trace_parent))
        return [Link(_context(own, document, number, None))]
    if number == 1:
        return []
    before = trace_id_of(document, TraceContext.parsed(run.earlier))
    return [Link(_context(before, document, number - 1, None))]


def _parent(parent: TraceContext | None) -> SpanContext | None:
    if parent is None:
        return None
    return SpanContext(parent.trace_id, parent.span_id, is_remote=True, trace_flags=TraceFlags(1))


def _context(trace_id: int, document_uuid: str, run: int, what: int | datetime | None) -> SpanContext:
    """Of the attempt with a token; of the run itself, with its end until which it was traced before."""
    told = what.isoformat() if isinstance(what, datetime) else what
    own = number(f"docpipe {document_uuid} {run} {told}", 8)
    return SpanContext(trace_id, own, is_remote=False, trace_flags=TraceFlags(1))


@cache
def _resource() -> Resource:
    return Resource.create({"service.name": "docpipe", "service.version": _VERSION})


def _nanoseconds(at: datetime) -> int:
    return round(at.timestamp() * 1_000_000) * 1_000
