"""A host that dies while it submits: `python -m tests.faults.dying_host begin|go_on`."""

from __future__ import annotations

import os
import signal
import sys

from docpipe.delivery.dispatch import Dispatch
from docpipe.pipeline.settings import read_settings
from tests.faults.armed import TEXT, new_pipeline


def _die(*arguments: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    where = sys.argv[1]
    setattr(Dispatch, where, _die)
    new_pipeline(read_settings()).submit(TEXT, name="note.txt", project_id=f"dying-{where}")
