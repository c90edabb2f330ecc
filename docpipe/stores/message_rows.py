"""What the reaper asks and is told, as rows: messages, and the stages and ranges that have lost theirs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from docpipe.models import RangeRef, Ref
from docpipe.models.status import StageState
from docpipe.stores.values import Look, Stalled


def look_row(look: Look) -> dict[str, Any]:
    """A message is `[document_uuid, run, first_page or null, task id]`."""
    oldest = [[*_message(about), task_id] for about, task_id in look.oldest]
    return {"queue": look.queue, "priorities": look.priorities, "oldest": oldest, "whole": look.whole}


def _message(about: Ref | RangeRef) -> tuple[str, int, int | None]:
    if isinstance(about, RangeRef):
        return about.ref.document_uuid, about.ref.run, about.first_page
    return about.document_uuid, about.run, None


def stalled_of(row: Mapping[str, Any]) -> Stalled:
    return Stalled(
        Ref(row["document_uuid"], row["run"]), row["stage"], StageState(row["state"]), row["first_page"]
    )
