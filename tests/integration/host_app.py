"""A host's own Celery app with docpipe on it, for workers: `HOST_BROKER`, `HOST_FOLDER`."""

from __future__ import annotations

import os
from pathlib import Path

from celery import Celery

from docpipe.execution.policy import Policy
from docpipe.pipeline.pipeline import Pipeline
from docpipe.sources import Sources
from docpipe.stores.sqlite.store import SqliteStore
from tests.engines import OPTIONS


def new_pipeline(broker: str, folder: Path) -> Pipeline:
    """Whose reaper has no patience, and whose publisher does not try twice."""
    app = Celery("host", broker=broker, set_as_current=False)
    app.conf.update(worker_prefetch_multiplier=1, task_publish_retry=False)
    return Pipeline(
        app,
        store=SqliteStore(folder / "docpipe.db"),
        sources=Sources(uploads=folder / "uploads"),
        options=OPTIONS,
        policy=Policy(grace_seconds=0.0),
    )


if "HOST_BROKER" in os.environ:
    app = new_pipeline(os.environ["HOST_BROKER"], Path(os.environ["HOST_FOLDER"])).app
