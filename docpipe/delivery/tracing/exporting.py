"""Sends ended runs to a collector of traces, by OTLP over HTTP."""

from __future__ import annotations

from dataclasses import dataclass

from docpipe.delivery.tracing.spans import is_wanted, spans_of
from docpipe.errors import MissingExtraError
from docpipe.execution.logs import get_logger
from docpipe.stores.telemetry_port import EndedRun, Telemetry

try:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
except ModuleNotFoundError as error:
    raise MissingExtraError.for_module(error.name or "opentelemetry", "otel") from error

log = get_logger(__name__)

_DAY = 86_400.0
_RUNS_AT_ONCE = 50
_TIMEOUT_SECONDS = 10


def otlp(endpoint: str) -> SpanExporter:
    """An exporter to the collector at `endpoint`, `http://host:4318`, with `OTEL_EXPORTER_OTLP_HEADERS`."""
    return OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces", timeout=_TIMEOUT_SECONDS)


@dataclass(frozen=True, slots=True)
class Tracer:
    """Traces each run when it has ended, and again when it was resumed and has ended once more."""

    telemetry: Telemetry
    exporter: SpanExporter

    def trace(self) -> int:
        """Send what ended in the last day and was not sent. What the collector does not take is sent later.

        Returns:
            How many runs were traced.

        Raises:
            StoreUnavailableError: the store cannot be reached.
        """
        traced = 0
        while found := self.telemetry.untraced(seconds=_DAY, limit=_RUNS_AT_ONCE):
            if not self._sent(found):
                break
            traced += sum([self.telemetry.traced(run) for run in found])
        return traced

    def _sent(self, runs: list[EndedRun]) -> bool:
        spans = [span for run in runs if is_wanted(run) for span in spans_of(run)]
        if not spans or self.exporter.export(spans) is SpanExportResult.SUCCESS:
            return True
        log.warning("traces_postponed", runs=len(runs))
        return False
