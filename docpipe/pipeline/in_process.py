"""Takes one document through all stages in this process, and what is found inside it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial

from docpipe.errors import DocpipeError, PausedError
from docpipe.execution.failures import TryAgainError, UnclaimedError
from docpipe.execution.logs import get_logger
from docpipe.execution.plan import StageSpec
from docpipe.execution.runner import (
    NothingToDoError,
    Runtime,
    run_range,
    run_stage,
)
from docpipe.models import RangeRef, Ref
from docpipe.models.status import CANCELLED, is_error, is_final
from docpipe.stores.port import Store
from docpipe.stores.values import Handover, Outcome, Resumption, Selection, Summary

log = get_logger(__name__)

_EVERY = 100_000


def run_stages(runtime: Runtime, stages: Sequence[StageSpec], ref: Ref) -> None:
    """Run each stage until it is complete, with the waits and retries that the ledger asks for.

    Raises:
        DocpipeError: as it was recorded, with `stage`.
    """
    for stage in stages:
        _run(runtime, stage, ref)


def run_children(runtime: Runtime, stages: Sequence[StageSpec], document_uuid: str, *, again: bool) -> None:
    """Take what was found inside the document, at any depth, through all stages; each ends as the store says.

    Args:
        again: also what is final already; else only what is not, or failed.
    """
    seen, parents = {document_uuid}, [document_uuid]
    while parents:
        found = runtime.store.documents(Selection(parent=parents.pop()), limit=_EVERY)
        for child in reversed([each for each in found if each.document_uuid not in seen]):
            seen.add(child.document_uuid)
            parents.append(child.document_uuid)
            _run_child(runtime, stages, child, again=again)


def _run_child(runtime: Runtime, stages: Sequence[StageSpec], child: Summary, *, again: bool) -> None:
    try:
        if ref := _begun(runtime.store, stages, child, again=again):
            run_stages(runtime, stages, ref)
    except DocpipeError as error:
        log.warning("child_failed", document=child.document_uuid, code=error.code, error=str(error))


def _begun(store: Store, stages: Sequence[StageSpec], child: Summary, *, again: bool) -> Ref | None:
    """The run to take through the stages; None: there is nothing to do."""
    if not is_final(child.status):
        return Ref(child.document_uuid, child.run)
    begun: Resumption | None = None
    if again:
        begun = store.reprocess(child.document_uuid, stages[0].name, [stage.planned for stage in stages])
    elif is_error(child.status) or child.status == CANCELLED:
        begun = store.resume(child.document_uuid, "")
    return begun.ref if begun else None


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
        except UnclaimedError as refused:
            raise refused.error from None
