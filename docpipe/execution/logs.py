"""Logging: one line per change of state, to the standard library's logger tree `docpipe.*`.

Document, run, stage, attempt and task are bound to each. The root logger is never touched; until a host
configures logging, the tree's NullHandler swallows it.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from functools import cached_property
from typing import TYPE_CHECKING, Any

from docpipe.models.visible import visible, visible_lines

if TYPE_CHECKING:
    from structlog.stdlib import BoundLogger

logging.getLogger("docpipe").addHandler(logging.NullHandler())

_bound: ContextVar[dict[str, Any]] = ContextVar("docpipe_log_fields", default={})  # noqa: B039 - never changed


@contextmanager
def bound(**fields: Any) -> Iterator[None]:
    """Within it, each line has these fields; so have a host's own structlog lines."""
    token = _bound.set(_bound.get() | fields)
    try:
        with ExitStack() as stack:
            if "structlog" in sys.modules:
                stack.enter_context(sys.modules["structlog"].contextvars.bound_contextvars(**fields))
            yield
    finally:
        _bound.reset(token)


class Visible(logging.Filter):
    """On a handler of somebody else's format: makes what a record says, and its traceback, visible."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = visible(record.getMessage()), None
        if record.exc_info:
            record.exc_text = visible_lines(logging.Formatter().formatException(record.exc_info))
        return True


class Log:
    """A structured logger: a line that nobody wants costs nothing, not even the import of structlog."""

    def __init__(self, name: str) -> None:
        self._plain = logging.getLogger(name)

    def info(self, event: str, **fields: Any) -> None:
        self.log(logging.INFO, event, **fields)

    def warning(self, event: str, **fields: Any) -> None:
        self.log(logging.WARNING, event, **fields)

    def error(self, event: str, **fields: Any) -> None:
        self.log(logging.ERROR, event, **fields)

    def log(self, level: int, event: str, **fields: Any) -> None:
        if self._plain.isEnabledFor(level):
            self._lines.log(level, event, **fields)

    @cached_property
    def _lines(self) -> BoundLogger:
        from docpipe.execution.log_lines import line_logger  # noqa: PLC0415 - see there

        return line_logger(self._plain, _bound.get)


def get_logger(name: str) -> Log:
    """A structured logger whose lines go to the standard library's logger `name`."""
    return Log(name)


def configure_logging(level: int | str = logging.INFO, *, as_json: bool = False) -> None:
    """Show docpipe's log on standard error: for programs, never called by the library itself."""
    from docpipe.execution.log_lines import new_formatter  # noqa: PLC0415 - see there

    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(new_formatter(as_json=as_json))
    tree = logging.getLogger("docpipe")
    tree.handlers = [handler]
    tree.setLevel(level)
    tree.propagate = False
