"""A snapshot as text: what `docpipe monitor` shows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from docpipe.delivery.monitoring.snapshot import Snapshot
from docpipe.models.visible import visible
from docpipe.stores.statistics import FailedAttempt, RunningStage, StageCount, Statistics

UNREAD = "?"
"""Shown for what could not be read: a zero would be wrong."""
_LISTED = 15


def screen(snapshot: Snapshot) -> RenderableType:
    """Everything, one table below the other."""
    return Group(*_parts(snapshot))


def _parts(snapshot: Snapshot) -> Iterator[RenderableType]:
    yield Text(f"docpipe  {snapshot.at.astimezone():%Y-%m-%d %H:%M:%S}", style="bold")
    for problem in snapshot.problems:
        yield Text(visible(f"{problem.part}: {problem.message}"), style="red")
    for pause in snapshot.paused or ():
        yield Text(visible(str(pause)), style="yellow")
    yield _queues(snapshot)
    if snapshot.statistics is not None:
        yield _stages(snapshot.statistics)
        yield _throughput(snapshot, snapshot.statistics)
        yield _documents(snapshot, snapshot.statistics)
        yield from _running(snapshot.statistics)
        yield from _failures(snapshot.statistics)
        yield from _failed_attempts(snapshot.statistics)
    yield from _stuck(snapshot)


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for index, column in enumerate(columns):
        table.add_column(column, justify="left" if index == 0 else "right")
    return table


def _listed(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for column in columns:
        table.add_column(column)
    return table


def _shown(text: str) -> str:
    return escape(visible(text))


def _queues(snapshot: Snapshot) -> RenderableType:
    if snapshot.queues is None:
        return Text("Queues  ?", style="bold")
    table = _table("Queues", "queue", "waiting", "unacknowledged", "delayed", "workers")
    for queue, depth in snapshot.queues.items():
        workers = UNREAD if snapshot.workers is None else str(snapshot.workers.get(queue, 0))
        numbers = (depth.waiting, depth.unacknowledged, depth.delayed)
        told = (UNREAD if number is None else str(number) for number in numbers)
        table.add_row(_shown(queue), *told, workers)
    return table


def _stages(statistics: Statistics) -> Table:
    columns = ("waiting", "oldest", "retrying", "running", "done", "failed", "p50", "p95", "wait p50", "p95")
    table = _table("Stages", "stage", *columns)
    for stage in statistics.stages:
        table.add_row(_shown(stage.stage), *_stage_cells(stage))
    return table


def _stage_cells(stage: StageCount) -> Sequence[str]:
    return (
        str(stage.waiting),
        seconds(stage.oldest_waiting_seconds),
        str(stage.retrying),
        str(stage.running),
        str(stage.completed),
        str(stage.failed),
        seconds(stage.p50_seconds),
        seconds(stage.p95_seconds),
        seconds(stage.wait_p50_seconds),
        seconds(stage.wait_p95_seconds),
    )


def _throughput(snapshot: Snapshot, statistics: Statistics) -> Text:
    hours = snapshot.window_seconds / 3600
    rate = statistics.completed / hours if hours else 0.0
    return Text(
        f"{statistics.completed} documents completed in {seconds(snapshot.window_seconds)},"
        f" {rate:.0f} an hour; {statistics.quarantined} in quarantine"
    )


def _documents(snapshot: Snapshot, statistics: Statistics) -> Table:
    table = _table("Documents", "status", "project", "documents")
    for each in statistics.documents:
        status = each.status or "(none)"
        unknown = (each.status or "") in snapshot.unknown_statuses
        shown = f"[yellow]{_shown(status)} (unknown)[/]" if unknown else _shown(status)
        table.add_row(shown, _shown(each.project_id or ""), str(each.documents))
    return table


def _running(statistics: Statistics) -> Iterator[Table]:
    if not statistics.running:
        return
    table = _listed("Running", "document", "name", "stage", "attempt", "worker", "for", "lease")
    for each in statistics.running[:_LISTED]:
        lease = seconds(each.lease_seconds) if each.lease_seconds > 0 else "[red]lapsed[/]"
        stage = f"{each.stage}{_pages(each)}"
        cells = (each.document_uuid, each.name or "", stage, str(each.attempt), each.worker or "")
        table.add_row(*map(_shown, cells), seconds(each.running_seconds), lease)
    yield table


def _pages(each: RunningStage | FailedAttempt) -> str:
    return "" if each.first_page is None else f" {each.first_page}-{each.last_page}"


def _failures(statistics: Statistics) -> Iterator[Table]:
    if not statistics.failures:
        return
    table = _listed("Failures", "stage", "error", "code", "documents")
    for each in statistics.failures[:_LISTED]:
        table.add_row(_shown(each.stage), _shown(each.error_class), _shown(each.code), str(each.failures))
    yield table


def _failed_attempts(statistics: Statistics) -> Iterator[Table]:
    if not statistics.failed_attempts:
        return
    table = _listed("Failed attempts", "document", "name", "tried", "by", "for", "ended", "ago", "why")
    for each in statistics.failed_attempts[:_LISTED]:
        tried = f"run {each.run} {each.stage}{_pages(each)} #{each.attempt}"
        who = map(_shown, (each.document_uuid, each.name or "", tried, each.worker or ""))
        why = _shown(f"{each.code}: {each.message}")
        table.add_row(*who, seconds(each.worked_seconds), each.ended, seconds(each.ago_seconds), why)
    yield table


def _stuck(snapshot: Snapshot) -> Iterator[RenderableType]:
    if snapshot.stuck is None:
        yield Text("Stuck  ?", style="bold")
    elif snapshot.stuck:
        table = _listed("Stuck", "document", "stage", "state", "why")
        for each in snapshot.stuck[:_LISTED]:
            table.add_row(*map(_shown, (each.document_uuid, each.stage, each.state, each.reason)))
        yield table


def seconds(value: float | None) -> str:
    """A length of time in at most two units; empty for None."""
    if value is None:
        return ""
    if value < 10:
        return f"{value:.2f} s"
    if value < 120:
        return f"{value:.0f} s"
    minutes = round(value / 60)
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60:02} min"
