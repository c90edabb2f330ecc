"""What happened, in Postgres: calls of `sql/*_docpipe_telemetry.sql`."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from docpipe.stores.functions.calls import keys
from docpipe.stores.telemetry_port import EndedAttempts, EndedRun
from docpipe.stores.telemetry_rows import ended_attempts_of, ended_run_of


@dataclass(frozen=True, slots=True)
class FunctionTelemetry:
    """`docpipe.stores.telemetry_port.Telemetry` over the calls of a `FunctionStore`."""

    rpc: Callable[..., Any]

    def untraced(self, *, seconds: float, limit: int = 100) -> list[EndedRun]:
        return [ended_run_of(row) for row in self.rpc("untraced", p_seconds=seconds, p_limit=limit)]

    def traced(self, run: EndedRun) -> bool:
        return bool(self.rpc("traced", **keys(run.ref), p_until=run.finished_at.isoformat()))

    def ended(
        self, after: datetime | None, bounds: Sequence[float], *, lag_seconds: float = 10.0
    ) -> tuple[datetime, list[EndedAttempts]]:
        answer = self.rpc(
            "ended",
            p_after=None if after is None else after.isoformat(),
            p_lag_seconds=lag_seconds,
            p_bounds=json.dumps(list(bounds)),
        )
        return datetime.fromisoformat(answer["until"]), [ended_attempts_of(row) for row in answer["ended"]]
