"""A host that dies while it submits: `python -m tests.faults.dying_host _publish|_send`."""

from __future__ import annotations

import os
import signal
import sys

from docpipe.pipeline import Pipeline
from docpipe.settings import read_settings
from tests.faults.armed import TEXT, new_pipeline


def _die(*arguments: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    where = sys.argv[1]
    setattr(Pipeline, where, _die)
    new_pipeline(read_settings()).submit(TEXT, name="note.txt", project_id=f"dying-{where}")
