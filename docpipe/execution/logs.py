"""Logging: structlog in front of the standard library's logger tree `docpipe.*`.

docpipe logs one line per change of state, with document, run, stage, attempt and task bound to it. It
never touches the root logger; until a host configures logging, the tree's NullHandler swallows it.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any

import structlog

logging.getLogger("docpipe").addHandler(logging.NullHandler())

_TAKEN = vars(logging.makeLogRecord({})).keys() | {"message", "asctime"}
_TAKEN -= {"exc_info", "stack_info"}  # these are meant for the record


def _beside_the_record(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """Rename what a log record has already (a host may have bound a `name`): logging refuses it."""
    return {f"{key}_" if key in _TAKEN else key: value for key, value in event.items()}


_PROCESSORS: list[Any] = [
    structlog.stdlib.filter_by_level,
    structlog.contextvars.merge_contextvars,
    _beside_the_record,
    structlog.stdlib.render_to_log_kwargs,  # the fields travel in the record's `extra`
]


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """A structured logger whose lines go to the standard library's logger `name`.

    The processors are its own, so a host's structlog configuration and docpipe's do not meet.
    """
    logger: structlog.stdlib.BoundLogger = structlog.wrap_logger(
        logging.getLogger(name), processors=_PROCESSORS, wrapper_class=structlog.stdlib.BoundLogger
    )
    return logger


def new_formatter(*, as_json: bool) -> logging.Formatter:
    """Writes a record with its fields: as one JSON object per line, or for people."""
    last: list[Any] = [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
    if as_json:
        last = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(ensure_ascii=False)]
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.ExtraAdder(),
            structlog.processors.TimeStamper(fmt="iso", utc=True),
        ],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
    )


def configure_logging(level: int | str = logging.INFO, *, as_json: bool = False) -> None:
    """Show docpipe's log on standard error: for programs, never called by the library itself."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(new_formatter(as_json=as_json))
    tree = logging.getLogger("docpipe")
    tree.handlers = [handler]
    tree.setLevel(level)
    tree.propagate = False
