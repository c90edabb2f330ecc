"""Tests that never end, for a run that is stopped (`test_stopping.py`); no other run collects them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from threading import Event

from tests.stack import Stack
from tests.workers import Workers

DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); signal.pause()"


def begun(name: str) -> None:
    Path(os.environ["BEGUN"], name).touch()


def test_with_servers_and_a_worker(stack: Stack, tmp_path: Path) -> None:
    with Workers(tmp_path, stack.env) as workers:
        workers.start("nothing")
        workers.wait_until_ready()
        begun("worker")
        Event().wait()


def test_with_a_program_that_listens_to_nobody() -> None:
    command = [sys.executable, "-c", DEAF]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as program:
        assert program.stdout is not None
        program.stdout.readline()
        begun("program")
        program.wait()
