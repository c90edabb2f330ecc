"""Keeps an attempt's lease alive while its stage works."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from docpipe.errors import CancelledError, TransientError
from docpipe.execution.ledger_row import NothingToDoError
from docpipe.execution.logs import get_logger
from docpipe.stores.values import Heartbeat, Outcome

log = get_logger(__name__)

_JOIN_SECONDS = 5.0
_AGAIN_SECONDS = 1.0


class Heartbeats:
    """Extends the lease from a thread while the stage works, and remembers when it should stop."""

    def __init__(self, period_seconds: float, beat: Callable[[], Heartbeat]) -> None:
        self._period_seconds, self._heartbeat = period_seconds, beat
        self._answer = Heartbeat.OK
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="docpipe-heartbeat", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._done.set()
        self._thread.join(_JOIN_SECONDS)  # a heartbeat to a store that hangs is left behind

    def _beat(self) -> None:
        period = pause = self._period_seconds
        while not self._done.wait(pause):
            try:
                self._answer = self._heartbeat()
                pause = period
            except TransientError as error:
                log.warning("heartbeat_not_written", error=str(error))
                pause = min(period, _AGAIN_SECONDS)  # to be back before the reaper, when the store is
            if self._answer is not Heartbeat.OK:
                return

    def check(self) -> None:
        """Raise if the attempt should stop: `CancelledError`, or `NothingToDoError` if the lease is lost."""
        if self._answer is Heartbeat.CANCELLED:
            raise CancelledError()
        if self._answer is Heartbeat.LOST:
            raise NothingToDoError(Outcome.BUSY)
