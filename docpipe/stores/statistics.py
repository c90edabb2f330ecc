"""Counts over all documents, as the monitor, health and metrics need them: one round trip to the store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class DocumentCount:
    """How many documents of a project have a status; null is one that another program left empty."""

    status: str | None
    project_id: str | None
    documents: int


@dataclass(frozen=True, slots=True)
class StageCount:
    """One stage: where the active runs stand now, and how its attempts ended within the window.

    `p50_seconds` and `p95_seconds` are quantiles of its completed attempts' working time,
    `wait_p50_seconds` and `wait_p95_seconds` of the time between its message and its start; None while
    none completed. Quantiles are interpolated as Postgres' `percentile_cont` does.
    """

    stage: str
    waiting: int = 0
    """Its message was sent, and no attempt has started since."""
    retrying: int = 0
    running: int = 0
    oldest_waiting_seconds: float | None = None
    """Of those that wait or retry: since the message, the first one where that was sent again."""
    completed: int = 0
    failed: int = 0
    p50_seconds: float | None = None
    p95_seconds: float | None = None
    wait_p50_seconds: float | None = None
    wait_p95_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class RunningStage:
    """A stage, or a range of its pages, that a worker runs. A lease below zero has lapsed: it is silent."""

    document_uuid: str
    run: int
    name: str
    stage: str
    attempt: int
    worker: str | None
    running_seconds: float
    lease_seconds: float
    first_page: int | None = None
    """Of the range that is read; None: the whole stage."""
    last_page: int | None = None


@dataclass(frozen=True, slots=True)
class FailureCount:
    """Stages that failed for good within the window, by error."""

    stage: str
    code: str
    error_class: str
    failures: int


@dataclass(frozen=True, slots=True)
class FailedAttempt:
    """An attempt that failed or was lost, whatever became of its stage afterwards."""

    document_uuid: str
    run: int
    name: str
    stage: str
    first_page: int | None
    """Of the range that was read; None: the whole stage."""
    last_page: int | None
    attempt: int
    worker: str | None
    ended: str
    """`retried`, `failed` or `lost`."""
    worked_seconds: float
    ago_seconds: float
    """Since it ended; of one that was lost, since its lease lapsed."""
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Statistics:
    """`completed` runs within the window, and documents in quarantine, whenever they got there."""

    documents: tuple[DocumentCount, ...]
    stages: tuple[StageCount, ...]
    """Stages with work now or within the window, in the order they run."""
    running: tuple[RunningStage, ...]
    """Those whose lease lapses first, first."""
    failures: tuple[FailureCount, ...]
    completed: int
    quarantined: int
    failed_attempts: tuple[FailedAttempt, ...] = ()
    """Those within the window, the newest first."""


def statistics_of(row: Mapping[str, Any]) -> Statistics:
    """From what `docpipe_statistics` returns."""
    return Statistics(
        documents=tuple(DocumentCount(**each) for each in row["documents"]),
        stages=tuple(StageCount(**each) for each in row["stages"]),
        running=tuple(RunningStage(**each) for each in row["running"]),
        failures=tuple(FailureCount(**each) for each in row["failures"]),
        completed=row["completed"],
        quarantined=row["quarantined"],
        failed_attempts=tuple(FailedAttempt(**each) for each in row["failed_attempts"]),
    )
