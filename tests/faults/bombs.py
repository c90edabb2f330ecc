"""Ways to die in mid-stage. A document carries its bomb in its metadata, so one set of workers serves all.

    metadata={"bomb": {"stage": "chunk", "way": "os._exit", "times": 1}}

The bomb goes off at the stage's first `times` attempts; then the stage works. What went off leaves a file
in the folder that FAULTS_FOLDER names, which is also how a test sees that a stage is held.
"""

from __future__ import annotations

import ctypes
import os
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from celery.exceptions import Ignore, Reject, SoftTimeLimitExceeded

from docpipe import errors

ALWAYS = 99
_LONG_SECONDS = 60.0
_LOOK_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Bomb:
    """What happens in which stage, at how many of its first attempts."""

    stage: str
    way: str
    times: int = 1

    def to_metadata(self) -> dict[str, Any]:
        return {"bomb": {"stage": self.stage, "way": self.way, "times": self.times}}


def set_off(metadata: Mapping[str, Any], stage: str, document_uuid: str) -> None:
    """Die, if it is this stage's turn."""
    told = metadata.get("bomb")
    if told and told["stage"] == stage and counted(document_uuid, told["times"]):
        _WAYS[told["way"]](document_uuid)


def folder() -> Path:
    return Path(os.environ["FAULTS_FOLDER"])


def went_off(where: Path, document_uuid: str) -> int:
    """How often the document's bomb went off."""
    return len(list(where.glob(f"{document_uuid}.[0-9]*")))


def release(where: Path, document_uuid: str) -> None:
    """Let a held stage go on."""
    (where / f"{document_uuid}.released").touch()


def counted(document_uuid: str, times: int) -> bool:
    """One more explosion, if any is left: each is a file that only one process can make."""
    for number in range(times):
        try:
            (folder() / f"{document_uuid}.{number}").touch(exist_ok=False)
        except FileExistsError:
            continue
        return True
    return False


def _raise(error: Callable[[], BaseException]) -> Callable[[str], None]:
    def way(document_uuid: str) -> None:
        raise error()

    return way


def _segfault(document_uuid: str) -> None:
    ctypes.string_at(0)


def _kill_self(document_uuid: str) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _ignore_the_soft_limit(document_uuid: str) -> None:
    while True:
        try:
            time.sleep(_LONG_SECONDS)
        except SoftTimeLimitExceeded:
            continue


def hold(document_uuid: str) -> None:
    """Work until the test releases the stage."""
    released = folder() / f"{document_uuid}.released"
    while not released.exists():
        time.sleep(_LOOK_SECONDS)


_WAYS: Mapping[str, Callable[[str], None]] = {
    "exception": _raise(lambda: errors.CorruptDocumentError("the bomb went off")),
    "transient": _raise(lambda: errors.SourceUnavailableError("the bomb went off")),
    "MemoryError": _raise(MemoryError),
    "SystemExit": _raise(SystemExit),
    "Reject": _raise(lambda: Reject("the bomb went off", requeue=False)),
    "Reject, requeue": _raise(lambda: Reject("the bomb went off", requeue=True)),
    "Ignore": _raise(Ignore),
    "os._exit": lambda _: os._exit(1),
    "segfault": _segfault,
    "SIGKILL": _kill_self,
    "hang": lambda _: time.sleep(_LONG_SECONDS),
    "hang for good": _ignore_the_soft_limit,
    "hold": hold,
}
