"""Deletes a document in a process of its own, and dies on the way.

Every call of a function is a step; the process kills itself at a given one, or says how many there were.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType

from docpipe.execution.redis_progress import RedisProgress
from docpipe.pipeline.pipeline import Pipeline
from docpipe.sources import Sources
from docpipe.stores import open_store
from tests.engines import OPTIONS

_PROCESSES = get_context("forkserver")
_PROCESSES.set_forkserver_preload(
    [__name__, "docpipe.stores.postgres.store", "docpipe.stores.supabase.store"]
)
_HANG_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Deployment:
    """Where everything rests: a store with its address, folders of uploads and temporary files, a Redis."""

    store: str
    env: Mapping[str, str]
    uploads: Path
    scratch: Path
    redis_url: str

    def pipeline(self) -> Pipeline:
        """A pipeline without Celery, but with progress in Redis."""
        return Pipeline(
            store=open_store(
                self.store,
                supabase_url=self.env.get("SUPABASE_URL"),
                supabase_key=self.env.get("SUPABASE_SECRET_KEY"),
                supabase_db_url=self.env.get("SUPABASE_DB_URL"),
            ),
            sources=Sources(uploads=self.uploads),
            options=OPTIONS,
            progress=RedisProgress.from_url(self.redis_url),
        )


def delete_and_die(deployment: Deployment, uuid: str, step: int) -> int:
    """How many steps it took; 0 if it was killed at this one."""
    here, there = _PROCESSES.Pipe(duplex=False)
    process = _PROCESSES.Process(target=_delete, args=(deployment, uuid, step, there))
    process.start()
    there.close()
    process.join(_HANG_SECONDS)
    assert process.exitcode in (0, -signal.SIGKILL)
    return int(here.recv()) if process.exitcode == 0 else 0


def _delete(deployment: Deployment, uuid: str, deadly: int, answer: Connection) -> None:
    tempfile.tempdir = str(deployment.scratch)
    pipeline, steps = deployment.pipeline(), 0

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal steps
        steps += event in ("call", "c_call")
        if steps == deadly:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(count)
    try:
        pipeline.delete(uuid)
    finally:
        sys.setprofile(None)
    answer.send(steps)
