"""The attempts at a document as rows of text: who tried what, when, how it ended and why."""

from __future__ import annotations

from collections.abc import Sequence

from docpipe.models import Attempt
from docpipe.models.status import AttemptEnd

HEADINGS = ("tried", "by", "task", "began", "seconds", "ended", "why")
_WELL = {None, AttemptEnd.COMPLETE, AttemptEnd.SPLIT}


def story(attempts: Sequence[Attempt]) -> list[tuple[str, ...]]:
    """A row for each attempt, below `HEADINGS`; none where every attempt went well."""
    if all(each.ended in _WELL for each in attempts):
        return []
    return [_row(each) for each in attempts]


def _row(each: Attempt) -> tuple[str, ...]:
    pages = f" {each.pages.first}-{each.pages.last}" if each.pages else ""
    return (
        f"run {each.run} {each.stage}{pages} #{each.attempt}",
        each.worker or "",
        each.task_id or "",
        f"{each.started_at:%Y-%m-%d %H:%M:%S}",
        f"{(each.ended_at - each.started_at).total_seconds():.1f}" if each.ended_at else "",
        each.ended or "",
        f"{each.error.code}: {each.error.message}" if each.error else "",
    )
