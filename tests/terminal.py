"""A program whose standard error is a terminal, and what stands there."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.workers import HANG_SECONDS

COLUMNS = 80
_SEQUENCE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class OnTerminal:
    """The program, and all that it has written to its terminal so far."""

    def __init__(self, process: subprocess.Popen[bytes], terminal: int) -> None:
        self.process = process
        self._written = b""
        self._terminal = terminal
        self._reading = threading.Thread(target=self._read)
        self._reading.start()

    def _read(self) -> None:
        try:
            while block := os.read(self._terminal, 65536):
                self._written += block
        except OSError:  # nobody writes any more
            os.close(self._terminal)

    @property
    def lines(self) -> list[str]:
        """Everything that stood there, line by line, without colours and moves of the cursor."""
        text = _SEQUENCE.sub("", self._written.decode(errors="replace"))
        return [line.rstrip() for line in re.split(r"[\r\n]+", text) if line.strip()]

    def shows(self, *words: str) -> bool:
        """Whether one line held all the words."""
        return any(all(word in line for word in words) for line in self.lines)

    def end(self) -> int:
        """Waits for the program; its exit code."""
        code = self.process.wait(HANG_SECONDS)
        self._reading.join()
        return code


@contextmanager
def on_terminal(command: Sequence[str | Path], env: Mapping[str, str], out: Path) -> Iterator[OnTerminal]:
    """Starts a program with a terminal of 80 columns as standard error; what it prints goes into `out`."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, COLUMNS, 0, 0))
    with out.open("wb") as printed:
        process = subprocess.Popen(
            command, env={**env, "TERM": "xterm"}, stdin=subprocess.DEVNULL, stdout=printed, stderr=theirs
        )
    os.close(theirs)
    program = OnTerminal(process, ours)
    try:
        yield program
    finally:
        process.kill()
        program.end()
