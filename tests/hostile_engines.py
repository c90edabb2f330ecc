"""An OCR engine that does the worst a library could do, once it is shown a large picture.

Options(ocr_engine="tests.hostile_engines:Hostile", ocr_options={"act": "abort"})
"""

from __future__ import annotations

import ctypes
import os
import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from docpipe.errors import PermanentError
from tests.engines import OneLine

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from docpipe.engines.ports import RecognisedLine

OFFSPRING_SECONDS = "36017"
"""Tells the program that `bear` starts from any other."""
LARGE = 200
"""Pixels: a wider picture sets it off; a smaller one is read as by `OneLine`."""


class Hostile(OneLine):
    """Args: act, a key of `ACTS`."""

    def __init__(self, act: str) -> None:
        self._act = ACTS[act]

    def read(self, pixels: NDArray[np.uint8]) -> list[RecognisedLine]:
        if pixels.shape[1] > LARGE:
            self._act()
        return super().read(pixels)


class OddError(PermanentError):
    """Cannot be pickled: it wants more than a message."""

    code = "odd"

    def __init__(self, message: str, reason: object) -> None:
        super().__init__(message)
        self.reason = reason


def hold_the_lock() -> None:
    """Hang in native code without ever giving other threads, or signal handlers, a chance."""
    ctypes.PyDLL(None).sleep(3600)


def wait_for_a_turn() -> None:
    """Work until other programs have kept it from a processor for seven seconds."""
    end = _kept_waiting() + 7e9
    while _kept_waiting() < end:
        pass


def _kept_waiting() -> int:
    return int(Path("/proc/self/schedstat").read_text().split()[1])


def backtrack() -> None:
    re.match(r"(a+)+$", "a" * 60 + "b")


def segfault() -> None:
    ctypes.string_at(0)


def leap() -> None:
    """3 GB at once."""
    bytes(3_000_000_000)


def climb() -> None:
    """3 GB, a little at a time."""
    kept = [bytearray(os.urandom(1000) * 10_000) for _ in range(300)]
    del kept


def hoard() -> None:
    """250 MB that are never given back."""
    _HOARD.append(bytearray(b"leak") * 62_500_000)


_HOARD: list[bytearray] = []


def shout() -> None:
    """Write 20 MB where programs complain, in lines and not, and go on."""
    for descriptor in (1, 2):
        for _ in range(1000):
            os.write(descriptor, b"warning: something is odd\n" * 400)


def hang_up() -> None:
    """Close what is not one's own, and live on."""
    os.closerange(0, 65_536)  # its parent may have had hundreds of them open
    hold_the_lock()


def bear() -> None:
    """Start a program, as engines that wrap one do, and hang."""
    subprocess.Popen(["sleep", OFFSPRING_SECONDS])
    hold_the_lock()


def bear_and_die() -> None:
    subprocess.Popen(["sleep", OFFSPRING_SECONDS])
    os.abort()


def raising(error: BaseException) -> Callable[[], NoReturn]:
    def act() -> NoReturn:
        raise error

    return act


ACTS: dict[str, Callable[[], object]] = {
    "hold_the_lock": hold_the_lock,
    "backtrack": backtrack,
    "wait_for_a_turn": wait_for_a_turn,
    "segfault": segfault,
    "abort": os.abort,
    "exit": lambda: os._exit(3),
    "exit_as_if_all_was_well": lambda: os._exit(0),
    "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "stop": lambda: os.kill(os.getpid(), signal.SIGSTOP),
    "leap": leap,
    "climb": climb,
    "hoard": hoard,
    "shout": shout,
    "hang_up": hang_up,
    "bear": bear,
    "bear_and_die": bear_and_die,
    "system_exit": raising(SystemExit("enough")),
    "interrupt": raising(KeyboardInterrupt()),
    "memory_error": raising(MemoryError()),
    "key_error": raising(KeyError("missing")),
    "recursion": raising(RecursionError("too deep")),
    "odd_error": raising(OddError("Odd.", lambda: None)),
}
