"""The ready-made worker: `celery -A docpipe.worker worker -Q ocr,text,entity,graph`."""

from __future__ import annotations

from celery.signals import worker_ready

from docpipe.default import default_pipeline
from docpipe.logs import get_logger
from docpipe.settings import read_settings

log = get_logger(__name__)

pipeline = default_pipeline()
app = pipeline.app
assert app is not None
app.set_default()


@worker_ready.connect(weak=False)
def say_settings(**_: object) -> None:
    """One line at start with every setting, secrets masked."""
    log.info("worker_ready", **read_settings().masked())
