"""Kills what the documents need, at random, for a while; then everything is well again."""

from __future__ import annotations

import contextlib
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable

import psutil

from tests.faults.fleet import Fleet, Supervised
from tests.stack import Stack
from tests.stack.server import Server

_PAUSE_SECONDS = (0.5, 3.0)
_AWAY_SECONDS = (0.0, 4.0)


class Chaos:
    """One fault after the other; `struck` counts them by name."""

    def __init__(self, stack: Stack, fleet: Fleet, seed: int) -> None:
        self._stack, self._fleet = stack, fleet
        self._chance = random.Random(seed)
        self._ending = threading.Event()
        self.struck: Counter[str] = Counter()

    def rage(self, seconds: float) -> None:
        """Strike until the time is over."""
        end = time.monotonic() + seconds
        strikes = [*self._strikes().items()]
        names, weights = zip(*((name, weight) for name, (weight, _) in strikes), strict=True)
        while time.monotonic() < end:
            (name,) = self._chance.choices(names, weights)
            self._strikes()[name][1]()
            self.struck[name] += 1
            time.sleep(self._chance.uniform(*_PAUSE_SECONDS))

    def take_the_api_down(self, seconds: float) -> None:
        """One long outage."""
        self._stack.api.kill()
        time.sleep(seconds)
        self._stack.api.start()
        self.struck[f"api down for {seconds:g} s"] += 1

    def _strikes(self) -> dict[str, tuple[int, Callable[[], None]]]:
        return {
            "child killed": (10, self._kill_a_child),
            "worker killed": (3, lambda: self._a_worker().kill()),
            "worker stopped": (2, self._stop_a_worker),
            "redis killed": (2, lambda: self._kill(self._stack.redis)),
            "redis frozen": (1, lambda: self._freeze(self._stack.redis)),
            "api killed": (2, lambda: self._kill(self._stack.api)),
            "api frozen": (1, lambda: self._freeze(self._stack.api)),
        }

    def _a_worker(self) -> Supervised:
        return self._chance.choice(self._fleet.workers)

    def _kill_a_child(self) -> None:
        if children := self._a_worker().family()[1:]:
            _signal(self._chance.choice(children), signal.SIGKILL)

    def _stop_a_worker(self) -> None:
        for main in self._a_worker().family()[:1]:
            _signal(main, self._chance.choice((signal.SIGTERM, signal.SIGQUIT)))

    def _kill(self, server: Server) -> None:
        server.kill()
        time.sleep(self._chance.uniform(*_AWAY_SECONDS))
        server.start()

    def _freeze(self, server: Server) -> None:
        server.pause()
        time.sleep(self._chance.uniform(*_AWAY_SECONDS))
        server.resume()


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(number)
