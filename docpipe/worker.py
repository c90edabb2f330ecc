"""The ready-made worker: `celery -A docpipe.worker worker -Q ocr,text,entity,graph`."""

from __future__ import annotations

import logging

from celery.signals import after_setup_logger, after_setup_task_logger, worker_ready

from docpipe.execution.log_lines import new_formatter
from docpipe.execution.logs import Visible, configure_logging, get_logger
from docpipe.pipeline.default import default_pipeline
from docpipe.pipeline.settings import read_settings

log = get_logger(__name__)

pipeline = default_pipeline()
app = pipeline.app
assert app is not None
app.set_default()


@after_setup_logger.connect(weak=False)
def show_fields(loglevel: int = logging.INFO, **_: object) -> None:
    """docpipe's lines with document, run and stage, which Celery's own format leaves out."""
    configure_logging(loglevel, as_json=read_settings().log_json)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs every request


@after_setup_logger.connect(weak=False)
@after_setup_task_logger.connect(weak=False)
def tame(logger: logging.Logger, **_: object) -> None:
    """Celery's own lines show control characters. With DOCPIPE_LOG_JSON they are JSON too: a log shipper
    reads the whole stream.
    """
    for handler in logger.handlers:
        if read_settings().log_json:
            handler.setFormatter(new_formatter(as_json=True))
        else:
            handler.addFilter(Visible())


@worker_ready.connect(weak=False)
def say_settings(**_: object) -> None:
    """One line at start with every setting, secrets masked."""
    log.info("worker_ready", **read_settings().masked())
