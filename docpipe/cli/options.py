"""Options that commands have in common."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from docpipe.pipeline.default import set_default_pipeline

_VARIABLE = "DOCPIPE_STORE"
_EMBEDDED = frozenset({"run", "facts", "text"})
_MAKE_IT = _EMBEDDED | {"submit", "watch", "s3", "worker", "reap", "metrics", "monitor"}
"""Commands that make a SQLite file where there is none; the others look for something in it."""
_JSON = "docpipe.json"


def with_store(command: click.Command, name: str) -> click.Command:
    """The command, and all below it, with the option `--store`."""
    if isinstance(command, click.Group):
        for below in command.commands.values():
            with_store(below, name)
    elif not any(parameter.name == "store" for parameter in command.params):
        command.params.append(_store_option(name))
    return command


def _store_option(name: str) -> click.Option:
    def use(context: click.Context, _parameter: click.Parameter, value: str | None) -> None:
        if value is not None:
            _use(context, value, name)

    return click.Option(
        ["--store"],
        metavar="STORE",
        expose_value=False,
        callback=use,
        help=f"A SQLite file, or a store as {_VARIABLE} names it.",
    )


def _use(context: click.Context, value: str, name: str) -> None:
    is_file = "://" not in value and ("/" in value or "." in value or Path(value).exists())
    path = Path(value.removeprefix("sqlite://"))
    if (is_file or value.startswith("sqlite://")) and name not in _MAKE_IT and not path.exists():
        raise click.BadParameter(f"there is no store {value}. docpipe run --store {value} FILE makes one.")
    if name in _EMBEDDED and not is_file and not value.startswith("sqlite://"):
        raise click.BadParameter(f"{name} works in this process; name a SQLite file, such as results.db.")
    before = os.environ.get(_VARIABLE)
    os.environ[_VARIABLE] = f"sqlite://{value}" if is_file else value
    set_default_pipeline(None)  # one of another store may have been built

    def put_back() -> None:
        set_default_pipeline(None)
        if before is None:
            os.environ.pop(_VARIABLE, None)
        else:
            os.environ[_VARIABLE] = before

    context.call_on_close(put_back)


def as_json(command: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a command the option `--json`, which `wants_json` knows of."""

    def keep(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
        context.meta[_JSON] = value

    text = "One JSON object per document and line."
    option = click.option("--json", is_flag=True, expose_value=False, callback=keep, help=text)
    decorated: Callable[..., Any] = option(command)
    return decorated


def wants_json() -> bool:
    """Whether the command that runs was given `--json`."""
    return bool(click.get_current_context().meta.get(_JSON))
