"""The ready-made worker: `celery -A docpipe.worker worker -Q ocr,text,entity,graph`."""

from __future__ import annotations

import logging

from celery.signals import after_setup_logger, worker_ready

from docpipe.default import default_pipeline
from docpipe.logs import configure_logging, get_logger
from docpipe.settings import read_settings

log = get_logger(__name__)

pipeline = default_pipeline()
app = pipeline.app
assert app is not None
app.set_default()


@after_setup_logger.connect(weak=False)
def show_fields(loglevel: int = logging.INFO, **_: object) -> None:
    """docpipe's lines with document, run and stage, which Celery's own format leaves out."""
    configure_logging(loglevel)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs every request


@worker_ready.connect(weak=False)
def say_settings(**_: object) -> None:
    """One line at start with every setting, secrets masked."""
    log.info("worker_ready", **read_settings().masked())
