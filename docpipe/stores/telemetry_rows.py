"""Ended runs and attempts out of rows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from docpipe.models import Ref
from docpipe.models.status import AttemptEnd, RunState
from docpipe.stores import rows
from docpipe.stores.telemetry_port import EndedAttempt, EndedAttempts, EndedRun


def ended_run_of(row: Mapping[str, Any]) -> EndedRun:
    before = row["traced_until"]
    return EndedRun(
        ref=Ref(row["document_uuid"], row["run"]),
        state=RunState(row["state"]),
        name=row["name"] or "",
        project_id=row["project_id"],
        trace_parent=row["trace_parent"],
        created_at=datetime.fromisoformat(row["created_at"]),
        finished_at=datetime.fromisoformat(row["finished_at"]),
        traced_until=None if before is None else datetime.fromisoformat(before),
        earlier=row["earlier"],
        attempts=tuple(map(rows.attempt_of, row["attempts"])),
    )


def ended_attempts_of(row: Mapping[str, Any]) -> EndedAttempts:
    kind = AttemptEnd(row["ended"])
    newest = row["newest"] | {"ended_at": datetime.fromisoformat(row["newest"]["ended_at"])}
    return EndedAttempts(
        row["stage"],
        kind,
        row["code"],
        row["bucket"],
        row["attempts"],
        row["seconds"],
        EndedAttempt(**newest),
    )
