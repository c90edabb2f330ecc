"""The part of the store that knows ranges: the pages of a long document, read by several attempts.

A range is a row of the ledger as a stage is, with the same promises (docpipe/stores/port.py). At most
`at_once` ranges of a run are under way; the end of one says which are due next.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from docpipe.models import Failure, PageRange, RangeRun, Ref, StageOutput
from docpipe.stores.ledger_terms import Claimant
from docpipe.stores.values import Claim, Handover, Heartbeat, PlannedStage, ReadRange, Resumption, Revival


class Ranges(Protocol):
    """The ledger's moves for ranges. A move that comes too late returns None or false."""

    def split(
        self, ref: Ref, stage: str, token: int, ranges: Sequence[PageRange], at_once: int
    ) -> Handover | None:
        """Instead of `finish`: the stage's pages are to be read in ranges, with its attempts counted anew."""
        ...

    def claim(self, ref: Ref, first_page: int, claimant: Claimant) -> Claim:
        """Take a range for this attempt, as `Store.claim` does a stage; one that has ended is `COMPLETE`."""
        ...

    def heartbeat(self, ref: Ref, token: int, lease_seconds: float) -> Heartbeat:
        """Extend the lease, and learn whether to stop."""
        ...

    def finish(self, ref: Ref, token: int, output: StageOutput, at_once: int) -> Handover | None:
        """Keep what was read, and learn what is due. Of all finishes, one sees that it was the last."""
        ...

    def retry(self, ref: Ref, token: int, failure: Failure, delay_seconds: float) -> bool:
        """The attempt failed and another follows after the delay."""
        ...

    def fail(self, ref: Ref, token: int, failure: Failure, at_once: int) -> Handover | None:
        """Give the range up: of several pages, each becomes a range of its own; a single one is lost."""
        ...

    def fail_stage(self, ref: Ref, token: int, failure: Failure) -> bool:
        """What stopped the range stops the whole document: its stage fails."""
        ...

    def revive(
        self, ref: Ref, first_page: int, *, grace_seconds: float, max_attempts: int, at_once: int
    ) -> Revival:
        """Take a range up again if it is still stalled; one with `max_attempts` attempts is given up."""
        ...

    def replay(self, document_uuid: str, stages: Sequence[PlannedStage], at_once: int) -> Resumption | None:
        """Begin a new run that reads again only those ranges of the newest, completed run that have failed
        or hold pages that could not be read; None if there are none.
        """
        ...

    def runs(self, ref: Ref) -> list[RangeRun]:
        """The ranges in the order of their pages. Once a run's stage is complete they are kept only where
        pages failed.
        """
        ...

    def outputs(self, ref: Ref) -> Iterator[ReadRange]:
        """What every range of the run has read, in the order of their pages."""
        ...
