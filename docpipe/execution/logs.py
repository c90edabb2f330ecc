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

from docpipe.models.visible import visible, visible_lines

logging.getLogger("docpipe").addHandler(logging.NullHandler())

_OF_LINES = frozenset({"exception", "stack"})
_PLAIN: Mapping[str, Any] = {"exception_formatter": structlog.dev.plain_traceback}
"""Tracebacks as Python writes them: rich's would show the values of variables."""

_TAKEN = vars(logging.makeLogRecord({})).keys() | {"message", "asctime"}
_TAKEN -= {"exc_info", "stack_info"}  # these are meant for the record


def _beside_the_record(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """Rename what a log record has already (a host may have bound a `name`): logging refuses it."""
    return {f"{key}_" if key in _TAKEN else key: value for key, value in event.items()}


def _visible_values(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """No value moves the cursor; only a traceback has several lines."""
    return {
        key: (visible_lines if key in _OF_LINES else visible)(value) if isinstance(value, str) else value
        for key, value in event.items()
    }


def _visible_line(_logger: Any, _method: str, line: str) -> str:
    return visible(line)


class Visible(logging.Filter):
    """On a handler of somebody else's format: makes what a record says, and its traceback, visible."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = visible(record.getMessage()), None
        if record.exc_info:
            record.exc_text = visible_lines(logging.Formatter().formatException(record.exc_info))
        return True


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
    last: list[Any] = [_visible_values, structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), **_PLAIN)]
    if as_json:
        last = [structlog.processors.JSONRenderer(ensure_ascii=False), _visible_line]
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.ExtraAdder(),
            structlog.processors.TimeStamper(fmt="iso", utc=True),
        ],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            *last,
        ],
    )


def configure_logging(level: int | str = logging.INFO, *, as_json: bool = False) -> None:
    """Show docpipe's log on standard error: for programs, never called by the library itself."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(new_formatter(as_json=as_json))
    tree = logging.getLogger("docpipe")
    tree.handlers = [handler]
    tree.setLevel(level)
    tree.propagate = False
