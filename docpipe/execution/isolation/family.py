"""A process and all that it started, as /proc tells of them (Linux); elsewhere nothing is known."""

from __future__ import annotations

import contextlib
import mmap
import os
import signal
from pathlib import Path

_PAGE_SIZE = mmap.PAGESIZE
_ROUNDS = 20
_TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
_THREADS = 19 - 2
_USER_TICKS, _SYSTEM_TICKS = 13 - 2, 14 - 2
"""Places in /proc/PID/stat behind the program's name (proc(5), counted from 0)."""


class Family:
    """One process and its descendants: those whose parent died are counted too where it is their reaper."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._statm = _opened(f"/proc/{pid}/statm")
        self._schedstat = _opened(f"/proc/{pid}/schedstat")
        self._stat = _opened(f"/proc/{pid}/stat")

    def close(self) -> None:
        for file in (self._statm, self._schedstat, self._stat):
            if file is not None:
                os.close(file)

    def descendants(self) -> list[int]:
        """Their process ids, children first."""
        found: list[int] = []
        waiting = [self._pid]
        while waiting:
            parent = waiting.pop()
            with contextlib.suppress(OSError):
                for task in Path(f"/proc/{parent}/task").iterdir():
                    born = [int(each) for each in (task / "children").read_text().split()]
                    found += born
                    waiting += born
        return found

    def memory(self, descendants: list[int]) -> int:
        """Resident bytes of the process and of those named."""
        total = _second_field(self._statm)
        for pid in descendants:
            with contextlib.suppress(OSError, IndexError):  # it has ended
                total += int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        return total * _PAGE_SIZE

    def threads(self) -> int:
        """Of the process itself."""
        return self._field(_THREADS)

    def processor_seconds(self) -> float:
        """That the process itself has used."""
        return (self._field(_USER_TICKS) + self._field(_SYSTEM_TICKS)) / _TICKS

    def kept_waiting(self) -> float:
        """Seconds, since it was started, that it could have run but had no processor, because others had
        them (Linux, Documentation/scheduler/sched-stats.rst)."""
        return _second_field(self._schedstat) / 1e9

    def kill_descendants(self) -> None:
        """Those that have left the process group, too; a few rounds, since they may go on multiplying."""
        for _ in range(_ROUNDS):
            found = self.descendants()
            for pid in found:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            if not found:
                return

    def _field(self, place: int) -> int:
        try:
            said = os.pread(self._stat, 1000, 0) if self._stat is not None else b""
        except OSError:
            return 0
        fields = said.rpartition(b")")[2].split()
        return int(fields[place]) if len(fields) > place else 0


def _second_field(file: int | None) -> int:
    try:
        fields = os.pread(file, 200, 0).split() if file is not None else []
    except OSError:
        return 0
    return int(fields[1]) if len(fields) > 1 else 0


def _opened(path: str) -> int | None:
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
