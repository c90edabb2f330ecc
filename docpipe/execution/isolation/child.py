"""The program that `process.Child` runs: reads one document after the other until its parent goes away.

It is started by its file's name, so only the standard library may be imported here at the top: where
docpipe lies is what the parent says first.
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import os
import pickle
import resource
import signal
import sys
import traceback
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from docpipe.errors import DocpipeError
    from docpipe.execution.isolation.task import ReadTask
    from docpipe.execution.tools import Tools

    Pipe = Connection[Any, Any]  # generic for the type checker only

_PR_SET_PDEATHSIG = 1  # prctl(2)
_DATA_FACTOR = 2
_ADDRESS_SPACE_FACTOR = 4
"""Memory is reserved more freely than it is used, address space more freely still. So the parent watches
what is really used, and these are for jumps too sudden to be seen: a library that asks for more than this
at once is refused."""
BUSY_FACTOR = 5
"""On a machine that is busy with other things a page may take this many times as long."""
_ALARM_GRACE_SECONDS = 30
_OOM_SCORE = 500
"""Of 1000: when the system runs out of memory, it ends this process before the worker."""

_TRACEBACK_CHARACTERS = 6_000

_kept: dict[str, Tools] = {}


def main(descriptor: int) -> None:
    """Serve tasks from the connection `descriptor` until it closes."""
    connection: Pipe = Connection(descriptor)
    path, parent, max_memory = connection.recv()
    sys.path[:] = path
    faulthandler.enable()  # a crash's last words: which line called into the library
    _die_with(parent)
    _limit(resource.RLIMIT_DATA, max_memory * _DATA_FACTOR)
    _limit(resource.RLIMIT_AS, max_memory * _ADDRESS_SPACE_FACTOR)
    _limit(resource.RLIMIT_CORE, 0)
    _offer_to_oom_killer()
    # the parent went away: nobody is left to be told
    with contextlib.suppress(EOFError, ConnectionError):
        while True:
            _serve(connection, connection.recv())


def _die_with(parent: int) -> None:
    """Native code that hangs never sees the connection close, so the kernel ends this process."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGALRM])
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it went before we could ask
        sys.exit(1)


def _limit(what: int, amount: int) -> None:
    _, hard = resource.getrlimit(what)
    amount = amount if hard == resource.RLIM_INFINITY else min(amount, hard)
    with contextlib.suppress(ValueError, OSError):  # a system that does not know this limit
        resource.setrlimit(what, (amount, amount))


def _offer_to_oom_killer() -> None:
    score = Path("/proc/self/oom_score_adj")
    with contextlib.suppress(OSError, ValueError):
        score.write_text(str(max(_OOM_SCORE, int(score.read_text()))))


def _serve(connection: Pipe, task: ReadTask) -> None:
    """Read one document and say how it went."""
    seconds = BUSY_FACTOR * int(task.options.limits.max_seconds) + _ALARM_GRACE_SECONDS

    def report(page: int) -> None:
        connection.send(("page", page))
        signal.alarm(seconds)

    signal.alarm(seconds)  # a hang whose parent is gone or stopped: the kernel ends this process
    try:
        answer = _answer(task, report)
    finally:
        signal.alarm(0)
    _give_back_memory()
    connection.send_bytes(answer)


def _answer(task: ReadTask, report: Callable[[int], None]) -> bytes:
    from docpipe.errors import BugError, DocpipeError, MemoryExhaustedError, ReadingMemoryError  # noqa: PLC0415
    from docpipe.execution.reading import read  # noqa: PLC0415 - where docpipe lies is known only now

    try:
        return pickle.dumps(("output", read(task.path, task.name, _tools_for(task), report, task.request)))
    except (MemoryError, MemoryExhaustedError) as error:
        limit = task.options.limits.max_memory_bytes // 1_000_000
        known: DocpipeError = ReadingMemoryError(
            f"Reading {task.name} needs more than {limit:,} MB of memory."
        )
        return _pickled_error(known, error)
    except DocpipeError as error:
        return _pickled_error(error, error)
    except Exception as error:  # noqa: BLE001 - the outermost loop of this process
        return _pickled_error(BugError(f"{type(error).__name__}: {error}"), error)


def _tools_for(task: ReadTask) -> Tools:
    from docpipe.execution.tools import Tools  # noqa: PLC0415

    if "tools" not in _kept:  # the models stay loaded from one document to the next
        _kept["tools"] = Tools(task.options)
    return _kept["tools"]


def _pickled_error(error: DocpipeError, raised: BaseException) -> bytes:
    """The error as it can cross to the parent, with the traceback as a note.

    A class of a host's own may not survive pickling; then the nearest of docpipe's takes its place.
    """
    from docpipe import errors  # noqa: PLC0415

    trace = "".join(traceback.format_exception(raised))
    error.add_note(f"In the process that read the document:\n{trace[-_TRACEBACK_CHARACTERS:]}")
    try:
        pickled = pickle.dumps(("error", error))
        pickle.loads(pickled)  # noqa: S301 - what was pickled just now
    except Exception:  # noqa: BLE001 - whatever a host's own class does
        nearest = next(kind for kind in type(error).__mro__ if kind.__module__ == errors.__name__)
        pickled = pickle.dumps(("error", nearest(error.message, stage=error.stage, code=error.code)))
    return pickled


def _give_back_memory() -> None:
    """glibc keeps what was freed; half of what this process holds after a scan is of that kind."""
    with contextlib.suppress(AttributeError):  # other C libraries do not have it
        ctypes.CDLL(None).malloc_trim(0)


if __name__ == "__main__":
    main(int(sys.argv[1]))
