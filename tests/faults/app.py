"""`celery -A tests.faults.app worker`, and beat."""

from __future__ import annotations

import os

from celery.signals import worker_init

from docpipe.pipeline.settings import read_settings
from tests.faults.armed import new_pipeline

app = new_pipeline(read_settings()).app


@worker_init.connect(weak=False)
def be_impatient(sender: object, **_: object) -> None:
    """A visibility time-out shorter than the work, set after docpipe's own check, which refuses it."""
    if "VISIBILITY_TIMEOUT" in os.environ:
        options = sender.app.conf.broker_transport_options  # type: ignore[attr-defined]
        options |= {
            "visibility_timeout": float(os.environ["VISIBILITY_TIMEOUT"]),
            "unacked_restore_interval": 1,
        }
