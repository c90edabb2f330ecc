"""An OCR engine that behaves as if a document had taken its process over, once it is shown a large picture.

Options(ocr_engine="tests.taken_over:TakenOver", ocr_options={"act": "read", "at": ["/etc/passwd"]})
"""

from __future__ import annotations

import ctypes
import json
import os
import pickle
import resource
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tests.engines import OneLine
from tests.hostile_engines import LARGE

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from docpipe.engines.ports import RecognisedLine

SLEEP_SECONDS = "36018"
"""Tells the programs that are started here from any other."""


class TakenOver(OneLine):
    """Args: act, a key of `ACTS`; at, where (a list, since a path alone would be taken for a model)."""

    def __init__(self, act: str, at: Sequence[str] = ()) -> None:
        self._act, self._at = ACTS[act], [*at]

    def read(self, pixels: NDArray[np.uint8]) -> list[RecognisedLine]:
        lines = super().read(pixels)
        if pixels.shape[1] > LARGE:
            said = self._act(*self._at)
            lines = [replace(line, text=str(said)) for line in lines]
        return lines


class Bomb:
    """Unpickled, it leaves a file behind."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
        return os.mkdir, (self._path,)


def read(path: str) -> str:
    return Path(path.format(parent=os.getppid())).read_text()


def write(path: str) -> int:
    return Path(path).write_text("taken over")


def connect(address: str) -> None:
    socket.create_connection((address, 80), timeout=5)


def connect_by_file(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as end:
        end.connect(path)


def fork() -> None:
    """A fork bomb, if it is let."""
    while True:
        os.fork()


def run() -> None:
    subprocess.run(["sleep", SLEEP_SECONDS], check=True)


def leave_running() -> str:
    """Programs in the process group, and one that would leave it."""
    subprocess.Popen(["sleep", SLEEP_SECONDS])
    try:
        subprocess.Popen(["sleep", SLEEP_SECONDS], start_new_session=True)
    except OSError as error:
        return f"no session: {error.errno}"
    return "a session"


def run_many() -> None:
    programs = [subprocess.Popen(["sleep", SLEEP_SECONDS]) for _ in range(200)]
    programs[0].wait()


def hold_large() -> None:
    """In two processes of its own, which wait for ever."""
    for _ in range(2):
        if os.fork() == 0:
            kept = bytearray(b"x") * 250_000_000
            signal.pause()
            del kept
    signal.pause()


def fill_with_one() -> None:
    with Path(os.environ["TMPDIR"], "large").open("wb") as file:
        while True:
            file.write(bytes(10_000_000))


def fill_with_several() -> None:
    for number in range(1000):
        Path(os.environ["TMPDIR"], str(number)).write_bytes(bytes(50_000_000))


def fill_with_many() -> None:
    for number in range(1_000_000):
        Path(os.environ["TMPDIR"], str(number)).touch()


def open_many() -> None:
    kept = [os.open("/dev/null", os.O_RDONLY) for _ in range(20_000)]
    os.close(kept[0])


def start_many_threads() -> None:
    threading.stack_size(65_536)
    for _ in range(30_000):
        threading.Thread(target=signal.pause, daemon=True).start()


def raise_limits() -> None:
    resource.prlimit(0, resource.RLIMIT_NOFILE, (200, 200))


def trace_parent() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.ptrace(16, os.getppid(), 0, 0):  # PTRACE_ATTACH
        raise OSError(ctypes.get_errno(), "ptrace")


def say(data: bytes) -> str:
    """Speak to the parent in this process's place, and never again."""
    os.write(int(sys.argv[1]), data)
    signal.pause()
    return ""


def say_message(message: str) -> str:
    body = message.encode()
    return say(struct.pack("!Q", len(body)) + body)


def say_output(start: str, end: str) -> str:
    page = {"number": 1, "start": 0, "end": 4, "width": 1, "height": 1, "method": "text", "lines": []}
    page["lines"] = [{"start": int(start), "end": int(end)}]
    return say_message(json.dumps({"kind": "output", "output": {"text": "text", "pages": [page]}}))


ACTS: dict[str, Callable[..., object]] = {
    "read": read,
    "write": write,
    "variable": lambda name: os.environ.get(name, "unknown"),
    "variables": lambda: json.dumps(sorted(os.environ)),
    "connect": connect,
    "connect by file": connect_by_file,
    "fork": fork,
    "run": run,
    "leave running": leave_running,
    "run many": run_many,
    "hold large": hold_large,
    "leave session": os.setsid,
    "end parent": lambda: os.kill(os.getppid(), signal.SIGKILL),
    "trace parent": trace_parent,
    "change mode": lambda path: Path(path).chmod(0o777),
    "raise limits": raise_limits,
    "fill with one": fill_with_one,
    "fill with several": fill_with_several,
    "fill with many": fill_with_many,
    "open many": open_many,
    "start many threads": start_many_threads,
    "say pickle": lambda path: say(pickle.dumps(("output", Bomb(path)))),
    "say framed pickle": lambda path: say(
        struct.pack("!Q", len(body := pickle.dumps(("output", Bomb(path))))) + body
    ),
    "say much": lambda: say(struct.pack("!Q", 1 << 40)),
    "say half": lambda: say(struct.pack("!Q", 1000) + b"{"),
    "say message": say_message,
    "say output": say_output,
}
