"""Publishes the runs that were held while something was paused, once it no longer is."""

from __future__ import annotations

from docpipe.delivery.dispatch import Dispatch
from docpipe.stores.pause_port import Released
from docpipe.stores.values import Handover

_AT_ONCE = 500


def release(dispatch: Dispatch, ranges_at_once: int) -> int:
    """How many runs go on. What the broker does not take, the reaper publishes later."""
    count = 0
    while released := dispatch.store.release(ranges_at_once=ranges_at_once, limit=_AT_ONCE):
        for each in released:
            _publish(dispatch, each)
        count += len(released)
        if len(released) < _AT_ONCE:
            break
    return count


def _publish(dispatch: Dispatch, released: Released) -> None:
    if released.first_pages is None:
        dispatch.go_on(released.ref, released.stage, released.task_id, released.priority)
    else:
        dispatch.hand_over(released.ref, Handover(released.first_pages, priority=released.priority))
