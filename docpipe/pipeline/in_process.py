"""Takes one document through all stages in this process."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial

from docpipe.errors import PausedError
from docpipe.execution.plan import StageSpec
from docpipe.execution.runner import NothingToDoError, Runtime, TryAgainError, run_range, run_stage
from docpipe.models import RangeRef, Ref
from docpipe.stores.values import Handover, Outcome


def run_stages(runtime: Runtime, stages: Sequence[StageSpec], ref: Ref) -> None:
    """Run each stage until it is complete, with the waits and retries that the ledger asks for.

    Raises:
        DocpipeError: as it was recorded, with `stage`.
    """
    for stage in stages:
        _run(runtime, stage, ref)


def _run(runtime: Runtime, stage: StageSpec, ref: Ref) -> None:
    """Where a page ended the process that reads, the document's pages are read in ranges, and then joined."""
    while handover := _waited(stage, partial(run_stage, runtime, stage, ref, task_id="")):
        _read_ranges(runtime, stage, ref, handover)


def _read_ranges(runtime: Runtime, stage: StageSpec, ref: Ref, handover: Handover) -> None:
    due = list(handover.first_pages)
    while due:
        pages = RangeRef(ref, due.pop(0))
        more = _waited(stage, partial(run_range, runtime, stage, pages, task_id=""))
        due += more.first_pages if more else ()


def _waited(stage: StageSpec, attempt: Callable[[], Handover | None]) -> Handover | None:
    """What is due after the attempt, and after others where the ledger asks for them."""
    while True:
        try:
            return attempt()
        except NothingToDoError as nothing:
            if nothing.outcome is Outcome.PAUSED:
                raise PausedError(f"Stage {stage.name} of this document is paused.") from None
            if nothing.outcome is not Outcome.BUSY:
                return None
            time.sleep(min(nothing.lease_seconds, 0.2))  # another process has this very document
        except TryAgainError as again:
            time.sleep(again.seconds)
