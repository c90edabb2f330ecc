"""Tells the host's own code in this process that a run has completed."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

from docpipe.execution.logs import get_logger
from docpipe.models import Ref

log = get_logger(__name__)

OnComplete = Callable[[str, int], object]
"""Called with a document's id and the number of its run."""


@dataclass(frozen=True, slots=True)
class TellHost:
    """Calls the hook, and sends the signal if somebody may have connected to it, in the name of `sender`."""

    sender: object
    on_complete: OnComplete | None

    def __call__(self, ref: Ref) -> None:
        if self.on_complete is not None:
            self._call(self.on_complete, ref)
        if signals := sys.modules.get("docpipe.delivery.signals"):  # else nobody has connected to them
            signals.document_completed.send(sender=self.sender, document_uuid=ref.document_uuid, run=ref.run)

    def _call(self, on_complete: OnComplete, ref: Ref) -> None:
        try:
            on_complete(ref.document_uuid, ref.run)
        except Exception as error:  # the host's code: the document is complete, whatever it raises
            log.warning(
                "on_complete_raised",
                document=ref.document_uuid,
                run=ref.run,
                error=repr(error),
                exc_info=error,
            )
