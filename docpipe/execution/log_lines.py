"""How a line of the log is made: structlog in front of the standard library's loggers.

Imported with the first line that somebody wants: structlog brings rich and Pygments, a fifth of a second.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

import structlog

from docpipe.models.visible import visible, visible_lines

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


_PROCESSORS: list[Any] = [
    structlog.stdlib.filter_by_level,
    structlog.contextvars.merge_contextvars,
    _beside_the_record,
    structlog.stdlib.render_to_log_kwargs,  # the fields travel in the record's `extra`
]


def line_logger(
    logger: logging.Logger, bound_fields: Callable[[], Mapping[str, Any]]
) -> structlog.stdlib.BoundLogger:
    """A structured logger whose lines go to `logger`, each with the bound fields.

    The processors are its own, so a host's structlog configuration and docpipe's do not meet.
    """

    def with_bound_fields(
        _logger: Any, _method: str, event: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        return {**bound_fields(), **event}

    found: structlog.stdlib.BoundLogger = structlog.wrap_logger(
        logger, processors=[with_bound_fields, *_PROCESSORS], wrapper_class=structlog.stdlib.BoundLogger
    )
    return found


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
