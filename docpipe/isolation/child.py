"""The child of `ReaderProcess`: reads one document after the other until its parent goes away."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
from multiprocessing.connection import Connection
from typing import Any

_PR_SET_PDEATHSIG = 1  # prctl(2)
_ADDRESS_SPACE_FACTOR = 4
"""Address space is reserved more freely than memory is used: the hard limit against sudden jumps leaves
this much room; the parent watches what is really used."""


def main(descriptor: int) -> None:
    """Serve tasks from the connection `descriptor` until it closes."""
    connection: Connection[Any, Any] = Connection(descriptor)
    path, parent, max_memory = connection.recv()
    sys.path[:] = path
    _die_with(parent)
    limit = max_memory * _ADDRESS_SPACE_FACTOR
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _serve(connection)


def _die_with(parent: int) -> None:
    """Native code that hangs never sees the connection close, so the kernel ends this process."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it went before we could ask
        sys.exit(1)


def _serve(connection: Connection[Any, Any]) -> None:
    from docpipe.errors import BugError, DocpipeError, MemoryExhaustedError, ReadingMemoryError  # noqa: PLC0415
    from docpipe.plan import Tools  # noqa: PLC0415 - sys.path is the parent's only now
    from docpipe.work import read  # noqa: PLC0415

    tools: Tools | None = None
    while True:
        try:
            task = connection.recv()
        except (EOFError, OSError):
            return
        tools = tools or Tools(task.options)
        try:
            output = read(task.path, task.name, tools, lambda page: connection.send(("page", page)))
            connection.send(("done", output))
        except (MemoryError, MemoryExhaustedError):
            limit = task.options.limits.max_memory_bytes // 1_000_000
            error: DocpipeError = ReadingMemoryError(
                f"Reading {task.name} needs more than {limit:,} MB of memory."
            )
            connection.send(("error", error))
        except DocpipeError as error:
            connection.send(("error", error))
        except Exception as error:  # noqa: BLE001 - the outermost loop of this process
            connection.send(("error", _as_bug(error, BugError)))


def _as_bug(error: Exception, bug: type[Any]) -> Any:
    import traceback  # noqa: PLC0415 - rarely needed

    wrapped = bug(f"{type(error).__name__}: {error}")
    wrapped.add_note("".join(traceback.format_exception(error)))
    return wrapped


if __name__ == "__main__":
    main(int(sys.argv[1]))
