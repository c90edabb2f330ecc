"""Deletes a document, and dies on the way: `python -m … STORE UPLOADS REDIS UUID STEP`.

Every call of a function is a step; the process kills itself at step STEP, or prints how many there were.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from types import FrameType

from docpipe.execution.redis_progress import RedisProgress
from docpipe.pipeline.pipeline import Pipeline
from docpipe.sources import Sources
from docpipe.stores.sqlite.store import SqliteStore
from tests.engines import OPTIONS


def eraser(store: Path, uploads: Path, redis_url: str) -> Pipeline:
    """A pipeline without Celery, but with progress in Redis."""
    return Pipeline(
        store=SqliteStore(store),
        sources=Sources(uploads=uploads),
        options=OPTIONS,
        progress=RedisProgress.from_url(redis_url),
    )


def main(store: str, uploads: str, redis_url: str, uuid: str, deadly: str) -> None:
    pipeline, steps = eraser(Path(store), Path(uploads), redis_url), 0

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal steps
        steps += event in ("call", "c_call")
        if steps == int(deadly):
            os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(count)
    try:
        pipeline.delete(uuid)
    finally:
        sys.setprofile(None)
    sys.stdout.write(str(steps))


if __name__ == "__main__":
    main(*sys.argv[1:])
