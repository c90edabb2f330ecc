"""What the command shows of wrong usage and of crashes: both quote what came from outside."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

import click


class SafeGroup(click.Group):
    """Commands whose usage errors move no cursor."""

    def make_context(self, *args: Any, **options: Any) -> click.Context:
        with _visible_errors():
            return super().make_context(*args, **options)

    def invoke(self, ctx: click.Context) -> Any:
        with _visible_errors():
            return super().invoke(ctx)


@contextmanager
def _visible_errors() -> Iterator[None]:
    try:
        yield
    except click.ClickException as error:
        from docpipe.models.visible import visible  # noqa: PLC0415 - not needed while all goes well

        vars(error)["message"] = visible(error.message)  # which Click declares to be final
        raise


def show_crash(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """`sys.excepthook` of the command."""
    from docpipe.models.visible import visible_lines  # noqa: PLC0415 - not needed while all goes well

    sys.stderr.write(visible_lines("".join(traceback.format_exception(kind, error, trace))))
