"""One connection that looks at all documents, so that a hundred waiting tests cost no more than one."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Any, Self

import psycopg

from docpipe.models.status import is_final

_LOOK_SECONDS = 0.2
_QUERY = "select document_uuid, initial_processing_status from source_documents"


class Watcher:
    """Knows every document's status, a moment late."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._statuses: dict[str, str] = {}
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._look, name="watcher", daemon=True)

    @property
    def final(self) -> int:
        """How many documents are final."""
        return sum(map(is_final, self._statuses.values()))

    def wait_until_final(self, document_uuid: str, seconds: float) -> bool:
        """Whether the document became final within the time."""
        deadline = time.monotonic() + seconds
        while not is_final(self._statuses.get(document_uuid, "")):
            if time.monotonic() > deadline:
                return False
            time.sleep(_LOOK_SECONDS)
        return True

    def _look(self) -> None:
        with psycopg.connect(self._dsn, autocommit=True) as connection:
            while not self._ending.wait(_LOOK_SECONDS):
                found: list[tuple[Any, ...]] = connection.execute(_QUERY).fetchall()
                self._statuses = dict(found)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.set()
        self._thread.join()
