"""What `submit` returns: a submitted document, and the wait for its end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from docpipe.errors import CancelledError, StoreUnavailableError, WaitTimeoutError, from_code
from docpipe.execution.logs import get_logger
from docpipe.models import Document, DocumentStatus, Ref
from docpipe.models.status import CANCELLED, is_error, is_final
from docpipe.pipeline.open_stores import store_of
from docpipe.stores.port import Store
from docpipe.stores.values import ALL_PARTS

log = get_logger(__name__)

_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.05, 1.0


@dataclass(frozen=True, slots=True)
class Submission:
    """A submitted document. `created` is false when the same bytes were known already.

    It can be pickled. Where it is unpickled its store is a pipeline's of that process, or else the one that
    the settings there name; if neither is the same store, that raises `ConfigurationError`.
    """

    document_uuid: str
    task_id: str | None
    """Celery's id of the first task; None if the message could not be published yet."""
    created: bool
    store: Store

    def status(self) -> DocumentStatus:
        """Where the document stands now."""
        return self.store.status(self.document_uuid)

    def wait(self, timeout: float | None = None) -> DocumentStatus:
        """Wait until the document is final, at most `timeout` seconds.

        Raises:
            WaitTimeoutError: it is not final yet, and is still being processed; or the store, which was away,
                did not come back in time.
            DocpipeError: it failed; the class matches the code in the ledger, with stage and message.
            CancelledError: it was cancelled.
        """
        return wait_for(self.store, self.document_uuid, timeout)

    async def wait_async(self, timeout: float | None = None) -> DocumentStatus:
        """As `wait`; the event loop goes on meanwhile."""
        return await wait_for_async(self.store, self.document_uuid, timeout)

    def result(self) -> Document:
        """The document with everything found in it so far (all of it once it is completed)."""
        return read_document(self.store, self.document_uuid)

    def __reduce__(self) -> tuple[Callable[..., Submission], tuple[object, ...]]:
        """Without the store's connections and its key: only which store it is."""
        return _restored, (self.document_uuid, self.task_id, self.created, self.store.fingerprint)


def _restored(document_uuid: str, task_id: str | None, created: bool, fingerprint: str) -> Submission:
    return Submission(document_uuid, task_id, created, store_of(fingerprint))


def read_document(store: Store, document_uuid: str) -> Document:
    """A document with all that was found in it: the newest completed run's results, or, while none has
    completed, what the running one has so far. Raises `DocumentNotFoundError`.
    """
    status = store.status(document_uuid)
    document = store.load(Ref(document_uuid, status.result_run or status.run), ALL_PARTS)
    return replace(document, status=status.status, error=status.error, parent=status.parent)


def wait_for(
    store: Store,
    document_uuid: str,
    timeout: float | None = None,
    on_look: Callable[[DocumentStatus], None] = lambda _: None,
) -> DocumentStatus:
    """As `Submission.wait`; `on_look` is called with where the document stands while it is not final."""
    patience = _Patience(document_uuid, timeout)
    while True:
        status, away = _look(store, document_uuid)
        if (end := patience.end(status, away)) is not None:
            return end
        if status is not None:
            on_look(status)
        time.sleep(patience.pause())


async def wait_for_async(store: Store, document_uuid: str, timeout: float | None = None) -> DocumentStatus:
    """As `Submission.wait_async`."""
    patience = _Patience(document_uuid, timeout)
    while (end := patience.end(*await asyncio.to_thread(_look, store, document_uuid))) is None:
        await asyncio.sleep(patience.pause())
    return end


class _Patience:
    """How long to go on waiting for a document, and how long between two looks."""

    def __init__(self, document_uuid: str, timeout: float | None) -> None:
        self._document_uuid, self._timeout = document_uuid, timeout
        self._deadline = None if timeout is None else time.monotonic() + timeout
        self._pause = _FIRST_PAUSE_SECONDS

    def end(self, status: DocumentStatus | None, away: StoreUnavailableError | None) -> DocumentStatus | None:
        """The status if the document is final. Raises as `Submission.wait`."""
        if status is not None and is_final(status.status):
            return good_end(status)
        if self._deadline is not None and time.monotonic() >= self._deadline:
            stands = f"is still {status.status}" if status else "may stand anywhere, the store is away"
            name = f"{status.name} ({self._document_uuid})" if status else self._document_uuid
            raise WaitTimeoutError(f"{name} {stands} after {self._timeout:g} s.") from away
        return None

    def pause(self) -> float:
        """Seconds until the next look."""
        pause, self._pause = self._pause, min(_LONGEST_PAUSE_SECONDS, self._pause * 1.5)
        return pause


def _look(store: Store, document_uuid: str) -> tuple[DocumentStatus | None, StoreUnavailableError | None]:
    """Where the document stands. An outage of the store is not its failure: whoever waits goes on."""
    try:
        return store.status(document_uuid), None
    except StoreUnavailableError as away:
        log.warning("wait_goes_on", document=document_uuid, error=str(away))
        return None, away


def good_end(status: DocumentStatus) -> DocumentStatus:
    """The status, or the error that it stands for."""
    if status.status == CANCELLED:
        raise CancelledError(f"{status.name} ({status.document_uuid}) was cancelled.")
    if status.error is not None and is_error(status.status):
        failure = status.error
        error = from_code(failure.code, failure.message, stage=failure.stage)
        error.document_uuid = status.document_uuid
        raise error
    return status
