"""The program that `process.Child` runs: reads one document after the other until its parent goes away.

It is started by its file's name, so only the standard library may be imported here at the top: where
docpipe lies is what the parent says first. What the parent says is trusted; what this program says is not
(see `wire`), for from the first document on somebody else may be speaking.
"""

from __future__ import annotations

import ctypes
import faulthandler
import gc
import os
import pickle
import signal
import socket
import subprocess
import sys
import traceback
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from docpipe.errors import DocpipeError
    from docpipe.execution.isolation.task import ReadTask
    from docpipe.execution.isolation.wire import Failed, Said
    from docpipe.execution.keeper import Take
    from docpipe.execution.progress import PagesDone
    from docpipe.execution.tools import Tools

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36  # prctl(2)
BUSY_FACTOR = 5
"""On a machine that is busy with other things a page may take this many times as long."""
_ALARM_GRACE_SECONDS = 30
_OOM_SCORE = 500
"""Of 1000: when the system runs out of memory, it ends this process before the worker."""

GC_OBJECTS = 50_000
"""So many new objects, not 700, have garbage looked for: importing makes more, and none is garbage."""

_TRACEBACK_CHARACTERS = 6_000
_END_WITH_PARENT = "read _; kill -KILL 0"
"""Nothing is ever written to the pipe: it is read to its end when the parent is gone, however it went."""

_kept: dict[str, Tools] = {}


def main(descriptor: int) -> None:
    """Serve tasks from the connection `descriptor` until it closes."""
    connection = socket.socket(fileno=descriptor)
    # the parent went away: nobody is left to be told
    with suppress(EOFError, ConnectionError), connection, connection.makefile("rb") as requests:
        path, parent, watched = pickle.load(requests)  # noqa: S301 - our own parent
        sys.path[:] = path
        gc.set_threshold(GC_OBJECTS)
        faulthandler.enable()  # a crash's last words: which line called into the library
        _die_with(parent)
        _offer_to_oom_killer()
        layers = _enter(connection, requests, watched)
        while True:
            _serve(connection, pickle.load(requests), layers)  # noqa: S301


def _die_with(parent: int) -> None:
    """Native code that hangs never sees the connection close, so the kernel ends this process."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGALRM])
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        libc.prctl(_PR_SET_CHILD_SUBREAPER, 1)
    if os.getppid() != parent:  # it went before we could ask
        sys.exit(1)


def _offer_to_oom_killer() -> None:
    score = Path("/proc/self/oom_score_adj")
    with suppress(OSError, ValueError):
        score.write_text(str(max(_OOM_SCORE, int(score.read_text()))))


def _enter(connection: socket.socket, requests: BinaryIO, watched: int) -> set[str]:
    """Shut this process in as the parent says; returns the layers that hold."""
    from docpipe.errors import ConfigurationError  # noqa: PLC0415
    from docpipe.execution.isolation import sandbox, wire  # noqa: PLC0415 - where docpipe lies is known only now

    rules: sandbox.Rules = pickle.load(requests)  # noqa: S301 - our own parent
    sandbox.limit_memory(rules.memory)
    if "programs" not in rules.layers or sys.platform != "linux":
        _end_offspring_with_parent(watched)
    os.close(watched)
    try:
        found = sandbox.enter(rules)
    except sandbox.LayerMissingError as error:
        refused = ConfigurationError(
            f"DOCPIPE_SANDBOX=require demands layers that this system does not have: {error}."
            " Name them in DOCPIPE_SANDBOX_WAIVE to go without, or set DOCPIPE_SANDBOX=best."
        )
        connection.sendall(wire.written(wire.Failed.of(refused, "")))
        sys.exit(0)
    connection.sendall(wire.written(wire.Layers("layers", found)))
    return {name for name, why in found.items() if why is None}


def _end_offspring_with_parent(watched: int) -> None:
    """The programs that engines start do not end with the parent by themselves, as this process does."""
    with suppress(OSError):  # no shell: they end with the document, unless the parent is killed before
        subprocess.Popen(["/bin/sh", "-c", _END_WITH_PARENT], stdin=watched)  # noqa: S603


def _serve(connection: socket.socket, task: ReadTask, layers: set[str]) -> None:
    """Read one document and say how it went."""
    from docpipe.execution.isolation import wire  # noqa: PLC0415
    from docpipe.execution.isolation.taking import told  # noqa: PLC0415

    seconds = BUSY_FACTOR * int(task.options.limits.max_seconds) + _ALARM_GRACE_SECONDS

    def report(page: int, pages: int | None) -> None:
        connection.sendall(wire.written(wire.Page("page", page, pages)))
        signal.alarm(seconds)

    def take(name: str, file_type: str, data: bytes) -> None:
        for message in told(name, file_type, data):
            connection.sendall(wire.written(message))
            signal.alarm(seconds)

    signal.alarm(seconds)  # a hang whose parent is gone or stopped: the kernel ends this process
    try:
        answer = _answer(task, report, take, layers)
    finally:
        signal.alarm(0)
    _give_back_memory()
    connection.sendall(answer)


def _answer(task: ReadTask, report: PagesDone, take: Take, layers: set[str]) -> bytes:
    from docpipe.errors import (  # noqa: PLC0415
        BugError,
        DocpipeError,
        MemoryExhaustedError,
        NoRoomError,
        ReadingMemoryError,
    )
    from docpipe.execution.isolation import wire  # noqa: PLC0415

    try:
        return wire.written(_work(task, report, take))
    except (MemoryError, MemoryExhaustedError) as error:
        limit = task.options.limits.max_memory_bytes // 1_000_000
        known: DocpipeError = ReadingMemoryError(
            f"Reading {task.name} needs more than {limit:,} MB of memory."
        )
        return wire.written(_failure(known, error))
    except DocpipeError as error:
        return wire.written(_failure(error, error))
    except Exception as error:  # noqa: BLE001 - the outermost loop of this process
        known_to_be = _forbidden(task, error, layers) or NoRoomError.of(error)
        unexpected = known_to_be or BugError(f"{type(error).__name__}: {error}")
        return wire.written(_failure(unexpected, error))


def _work(task: ReadTask, report: PagesDone, take: Take) -> Said:
    from docpipe.execution.isolation import wire  # noqa: PLC0415
    from docpipe.execution.reading import read  # noqa: PLC0415 - it imports the libraries of engines

    if task.pictures:
        from docpipe.execution.page_pictures import page_pictures  # noqa: PLC0415

        drawn = page_pictures(task.path, task.name, task.options, report, task.request.pages)
        return wire.Pictures("pictures", drawn)
    output = read(
        task.path, task.name, _tools_for(task), report, task.request, take if task.request.apart else None
    )
    return wire.Output("output", output)


def _tools_for(task: ReadTask) -> Tools:
    from docpipe.execution.tools import Tools  # noqa: PLC0415

    if "tools" not in _kept:  # the models stay loaded from one document to the next
        _kept["tools"] = Tools(task.options)
    return _kept["tools"].with_options(task.options)


def _forbidden(task: ReadTask, raised: BaseException, layers: set[str]) -> DocpipeError | None:
    """The error that says which layer stopped what was tried, if it was one."""
    from docpipe.errors import ReadingForbiddenError  # noqa: PLC0415
    from docpipe.execution.isolation.sandbox import layer_behind  # noqa: PLC0415

    layer = layer_behind(raised)
    if layer not in layers:
        return None
    return ReadingForbiddenError(f"Reading {task.name} was stopped by the layer {layer}: {raised}.")


def _failure(error: DocpipeError, raised: BaseException) -> Failed:
    """The error as it can cross to the parent, with the traceback as a note."""
    from docpipe.execution.isolation import wire  # noqa: PLC0415

    trace = "".join(traceback.format_exception(raised))
    return wire.Failed.of(error, f"In the process that read the document:\n{trace[-_TRACEBACK_CHARACTERS:]}")


def _give_back_memory() -> None:
    """glibc keeps what was freed; half of what this process holds after a scan is of that kind."""
    with suppress(AttributeError):  # other C libraries do not have it
        ctypes.CDLL(None).malloc_trim(0)


if __name__ == "__main__":
    main(int(sys.argv[1]))
