"""What the reaper does beside resuming runs; what fails here is done at its next look."""

from __future__ import annotations

from collections import Counter

from docpipe.errors import DocpipeError
from docpipe.execution.logs import get_logger
from docpipe.execution.policy import Retention
from docpipe.pipeline.documents import Documents
from docpipe.pipeline.retention import Keeper

log = get_logger(__name__)

_DAY = 86_400.0


def look_after(documents: Documents, keep: Retention) -> Counter[str]:
    """Link what was not linked, remove what is kept no longer, and then, in the same look, its copies and
    those of other deletions; tell webhooks; trace. How many of each, as `Pipeline.reap` counts them.
    """
    _link_missed(documents)
    kept = _forget_the_old(documents, keep) + _erase_the_rest(documents)
    return kept + _tell(documents) + _trace(documents)


def _link_missed(documents: Documents) -> None:
    """Documents whose worker died after the last stage, before it linked them."""
    try:
        documents.link_entities(seconds=_DAY)
    except DocpipeError as error:
        log.warning("entities_not_linked", error=str(error))


def _forget_the_old(documents: Documents, keep: Retention) -> Counter[str]:
    try:
        return Keeper(documents.store, keep).forget_the_old()
    except DocpipeError as error:
        log.warning("retention_postponed", error=str(error))
        return Counter()


def _erase_the_rest(documents: Documents) -> Counter[str]:
    """Of documents that were deleted while storage or Redis was away."""
    try:
        return Counter(erased=documents.erase().done)
    except DocpipeError as error:
        log.warning("erasures_postponed", error=str(error))
        return Counter()


def _tell(documents: Documents) -> Counter[str]:
    try:
        return documents.webhooks.deliver()
    except DocpipeError as error:
        log.warning("webhooks_postponed", error=str(error))
        return Counter()


def _trace(documents: Documents) -> Counter[str]:
    try:
        return +Counter(traced=documents.traces.send())
    except DocpipeError as error:
        log.warning("traces_postponed", error=str(error))
        return Counter()
