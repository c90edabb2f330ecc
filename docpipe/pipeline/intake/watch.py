"""When to look at a watched folder: at every change, and now and then anyway.

Events are hints only. They get lost (network drives have none, queues overflow), so the folder itself is
read at the start, when a file may be whole, and every minute.
"""

from __future__ import annotations

import time
from threading import Event

import watchfiles
from watchfiles._rust_notify import WatchfilesRustInternalError

from docpipe.errors import ConfigurationError, TransientError
from docpipe.execution.logs import get_logger
from docpipe.pipeline.intake.folder import Folder, Watcher

log = get_logger(__name__)

_TICK_MILLISECONDS = 250
_RESCAN_SECONDS = 60.0


def watch(watcher: Watcher, folder: Folder, stop: Event, *, poll_seconds: float | None = None) -> None:
    """Take files in until `stop` is set; the file at hand is finished first.

    Args:
        poll_seconds: read the folder this often instead of waiting for events: for network drives.

    Raises:
        ConfigurationError: the folder cannot be watched.
    """
    changes = watchfiles.watch(
        folder.path,
        watch_filter=None,
        recursive=folder.recursive,
        force_polling=poll_seconds is not None,
        poll_delay_ms=int(1000 * (poll_seconds or 0.3)),
        rust_timeout=_TICK_MILLISECONDS,
        yield_on_timeout=True,
        stop_event=stop,
    )
    due = 0.0
    try:
        for changed in changes:
            if changed or time.monotonic() >= due:
                due = time.monotonic() + _look(watcher, poll_seconds or _RESCAN_SECONDS)
    except (OSError, WatchfilesRustInternalError) as error:
        raise ConfigurationError(
            f"{folder.path} cannot be watched: {error}. Poll it instead: --poll 10"
        ) from error


def _look(watcher: Watcher, most: float) -> float:
    """Look once; seconds until the next look, if nothing changes before."""
    try:
        wait = watcher.look()
    except TransientError as error:
        log.warning("look_failed", error=str(error))
        return min(most, 5.0)
    return most if wait is None else min(most, wait)
