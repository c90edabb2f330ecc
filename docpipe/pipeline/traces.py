"""Traces of documents, for a collector of the host's: one trace each, with a span for every attempt."""

from __future__ import annotations

from dataclasses import dataclass

from docpipe.stores.telemetry_port import Telemetry


@dataclass(frozen=True, slots=True)
class Traces:
    """What `Pipeline.traces` returns.

    Args:
        endpoint: the collector's, `http://host:4318`; None: there is none.
    """

    telemetry: Telemetry
    endpoint: str | None = None

    def send(self) -> int:
        """Send the runs that ended in the last day and were not sent; the reaper calls it.

        Returns:
            How many were sent; 0 without an endpoint, and where the collector is away: they are sent later.

        Raises:
            MissingExtraError: there is an endpoint, and the extra `otel` is not installed.
            StoreUnavailableError: the store cannot be reached.
        """
        if self.endpoint is None:
            return 0
        from docpipe.delivery.tracing.exporting import Tracer, otlp  # noqa: PLC0415 - of an extra

        return Tracer(self.telemetry, otlp(self.endpoint)).trace()
