"""Nothing that a test run started outlives it, whether it ends by itself, by Ctrl-C, SIGTERM or SIGKILL.

Every process of a run, however deep and in whichever session, inherits RUN from the environment of its
parents. The guardian, a process beside the run, is told through a pipe: a byte when the run was told to
end, the pipe's end when it has ended. It then kills what still carries the run's mark. Servers of the
stack carry no environment of ours; each stack has a guard of its own (`tests.stack`).
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path
from types import FrameType

import psutil

REPOSITORY = Path(__file__).resolve().parents[1]
RUN = "TEST_RUN"
ORDERLY_SECONDS = 3.0
"""How long a run that was told to end may take to end well."""
_LOOK_SECONDS = 0.1
_TIRED_SECONDS = 5.0


class Guardian:
    """Watches over this process, from now on until `dismiss`."""

    def __init__(self) -> None:
        self._run = uuid.uuid4().hex
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.guardian", self._run, str(os.getpid())],
            env={name: value for name, value in os.environ.items() if name != RUN},
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        os.environ[RUN] = self._run
        self._before = {each: signal.signal(each, self._end) for each in (signal.SIGINT, signal.SIGTERM)}

    def _end(self, number: int, frame: FrameType | None) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            os.write(self._process.stdin.fileno(), b"\n")
        raise KeyboardInterrupt

    def dismiss(self) -> None:
        """The run is over; what is left of it is ended."""
        self._process.communicate()
        for number, handler in self._before.items():
            signal.signal(number, handler)


def _watch(run: str, controller: int) -> None:
    """Wait for a sign, and then see that nothing of the run is left."""
    leader = psutil.Process(controller)
    if os.read(0, 1) and not _ends_within(ORDERLY_SECONDS):
        with contextlib.suppress(psutil.NoSuchProcess):
            leader.kill()
    deadline = time.monotonic() + _TIRED_SECONDS
    while (left := offspring(run)) and time.monotonic() < deadline:
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        time.sleep(_LOOK_SECONDS)


def _ends_within(seconds: float) -> bool:
    """Whether the pipe ends in time; further signs are further keystrokes of somebody impatient."""
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        if select.select([0], [], [], left)[0] and not os.read(0, 1):
            return True
    return False


def offspring(run: str) -> list[psutil.Process]:
    """Every process that carries the run's mark."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.environ().get(RUN) == run and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _watch(sys.argv[1], int(sys.argv[2]))
