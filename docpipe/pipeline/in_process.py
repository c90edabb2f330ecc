"""Takes one document through all stages in this process."""

from __future__ import annotations

import time
from collections.abc import Sequence

from docpipe.errors import PausedError
from docpipe.execution.plan import StageSpec
from docpipe.execution.runner import NothingToDoError, Runtime, TryAgainError, run_stage
from docpipe.models import Ref
from docpipe.stores.values import Outcome


def run_stages(runtime: Runtime, stages: Sequence[StageSpec], ref: Ref) -> None:
    """Run each stage until it is complete, with the waits and retries that the ledger asks for.

    Raises:
        DocpipeError: as it was recorded, with `stage`.
    """
    for stage in stages:
        _run(runtime, stage, ref)


def _run(runtime: Runtime, stage: StageSpec, ref: Ref) -> None:
    while True:
        try:
            run_stage(runtime, stage, ref, task_id="")
            return
        except NothingToDoError as nothing:
            if nothing.outcome is Outcome.PAUSED:
                raise PausedError(f"Stage {stage.name} of this document is paused.") from None
            if nothing.outcome is not Outcome.BUSY:
                return
            time.sleep(min(nothing.lease_seconds, 0.2))  # another process has this very document
        except TryAgainError as again:
            time.sleep(again.seconds)
