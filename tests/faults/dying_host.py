"""A host that dies while it submits, between its row and its message: `python -m tests.faults.dying_host`."""

from __future__ import annotations

import os
import signal

from docpipe.delivery.dispatch import Dispatch
from docpipe.pipeline.settings import read_settings
from tests.faults.armed import TEXT, new_pipeline


def _die(*arguments: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    setattr(Dispatch, "begin_all", _die)  # noqa: B010 - a method
    new_pipeline(read_settings()).submit(TEXT, name="note.txt", project_id="dying")
