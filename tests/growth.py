"""Whether work grows faster than its input, by CPU time: what else the machine does has no say."""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_STEPS, _LARGE = (64, 128, 256), 2_048
_QUICK = 0.002
"""Seconds of CPU for `_LARGE` characters in which nothing quadratic can be done."""
_LIMIT = 2.0
_FACTOR = 4
_TOO_MUCH = 9.0
"""Four times as much input: four times the work is linear, sixteen times is quadratic."""
_ROUNDS = 5
"""The least counts: a garbage collection falls into one measurement, not into all."""


class _TooLongError(Exception):
    pass


def growth(work: Callable[[int], object]) -> str | None:
    """How the work grows where it grows faster than linearly; None where it is linear."""
    try:
        for size in _STEPS:  # what is exponential ends here
            _seconds(work, size)
        if _seconds(work, _LARGE) < _QUICK:
            return None
        least = math.inf
        for _ in range(_ROUNDS):
            least = min(least, _factor(work))
            if least <= _TOO_MUCH:
                return None
    except _TooLongError:
        return f"more than {_LIMIT} s"
    return f"{least:.1f} times the work for {_FACTOR} times the input"


def _factor(work: Callable[[int], object]) -> float:
    small = _seconds(work, _LARGE)
    return _seconds(work, _LARGE * _FACTOR) / max(small, _QUICK)


def _seconds(work: Callable[[int], object], size: int) -> float:
    with _at_most(_LIMIT):
        started = time.process_time()
        work(size)
        return time.process_time() - started


@contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    """Break off after so much CPU time of this process; the matcher looks for signals while it works."""

    def stop(*_: object) -> None:
        raise _TooLongError

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
