"""`docpipe db`: the schema of the Supabase database, and how to take an existing one over."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import click

from docpipe.cli.terminal import echo, echo_lines
from docpipe.errors import ConfigurationError, MissingExtraError
from docpipe.pipeline.default import default_pipeline
from docpipe.pipeline.settings import read_settings


def database_part(name: str) -> ModuleType:
    """A module of `docpipe.cli.takeover`. Raises `MissingExtraError` when psycopg is not installed."""
    try:
        return import_module(f"docpipe.cli.takeover.{name}")
    except ModuleNotFoundError as error:
        raise MissingExtraError.for_module(error.name or "psycopg", "postgres") from error


def dsn() -> str:
    """The address of the database itself. Raises `ConfigurationError` when it is not set."""
    found = read_settings().supabase_db_url
    if found is None:
        raise ConfigurationError(
            "SUPABASE_DB_URL is not set. Set it to the address of the project's database"
            " (postgresql://postgres:…@db.….supabase.co:5432/postgres)."
        )
    return found.get_secret_value()


def show_findings(found: Iterable[Any], *, as_json: bool) -> bool:
    """Print each as it comes; whether all were good."""
    good = True
    for each in found:
        good = good and each.ok
        if as_json:
            echo(json.dumps({"check": each.check, "ok": each.ok, "message": each.message}))
        else:
            mark = click.style("ok", fg="green") if each.ok else click.style("wrong", fg="red")
            echo(f"{each.check}: {each.message}", mark=f"{mark:5} ")
    return good


@click.group(epilog="Example: docpipe db check")
def db() -> None:
    """Create and check docpipe's schema, take an existing database over, and give it back."""


def _pair(value: str) -> tuple[str, str]:
    left, equals, right = value.partition("=")
    if not left or not equals:
        raise click.BadParameter(f"{value!r}: write NAME=VALUE.")
    return left, right


_wishes = (
    click.option("--loosen", is_flag=True, help="Widen or drop what refuses docpipe's rows."),
    click.option(
        "--default", "defaults", multiple=True, metavar="TABLE.COLUMN=VALUE",
        help="The value of a NOT NULL column in new rows.",
    ),
    click.option(
        "--word", "words", multiple=True, metavar="WORD=STATUS", help="What an unknown status word means."
    ),
)  # fmt: skip


def _with_wishes(command: Any) -> Any:
    for option in reversed(_wishes):
        command = option(command)
    return command


def _read_wishes(loosen: bool, defaults: tuple[str, ...], words: tuple[str, ...]) -> Any:
    return database_part("takeover").Wishes(dict(map(_pair, defaults)), dict(map(_pair, words)), loosen)


@db.command("apply", epilog="Example: docpipe db apply")
@_with_wishes
def apply_(loosen: bool, defaults: tuple[str, ...], words: tuple[str, ...]) -> None:
    """Do what `plan` shows, in one transaction, and try it with a document; reports only what it did."""
    done = database_part("takeover").apply(dsn(), _read_wishes(loosen, defaults, words))
    for told in done:
        echo(f"applied {told}")
    if not done:
        echo("nothing to do: the database is up to date")


@db.command(epilog="Example: docpipe db plan > plan.sql")
@_with_wishes
def plan(loosen: bool, defaults: tuple[str, ...], words: tuple[str, ...]) -> None:
    """Print the SQL that `apply` would run; exit code 1 if something stands in the way."""
    planned = database_part("takeover").plan(dsn(), _read_wishes(loosen, defaults, words))
    echo_lines(planned.sql() or "-- nothing to do: the database is up to date")
    for line in planned.obstacles:
        echo(f"docpipe: stands in the way: {line}", err=True)
    sys.exit(1 if planned.obstacles else 0)


@db.command(epilog="Example: docpipe db check")
@_with_wishes
def check(loosen: bool, defaults: tuple[str, ...], words: tuple[str, ...]) -> None:
    """Name whatever the database lacks and what stands in the way; exit code 1 if there is anything."""
    part, wishes = database_part("takeover"), _read_wishes(loosen, defaults, words)
    planned = part.plan(dsn(), wishes)
    obstacles = planned.obstacles
    if not obstacles and (told := part.trial(dsn(), wishes)):
        obstacles = (told,)
    lacking = []
    try:
        first = [change.statement for change in planned.changes]
        lacking = database_part("migrate").check(dsn(), first)
    except ConfigurationError as error:
        if not obstacles:
            raise
        echo(f"cannot be applied yet: {error}")
    for line in lacking:
        echo(f"lacks {line}")
    for line in obstacles:
        echo(f"stands in the way: {line}")
    if obstacles:
        echo(f"docpipe: {len(obstacles)} things stand in the way", err=True)
    if lacking:
        echo(f"docpipe: the database lacks {len(lacking)} things. Run: docpipe db apply", err=True)
    if obstacles or lacking:
        sys.exit(1)
    echo("the database has everything docpipe needs")


@db.command(epilog="Example: docpipe db rollback --dry-run")
@click.option("--drop-results", is_flag=True, help="Drop docpipe's tables although they hold results.")
@click.option("--dry-run", is_flag=True, help="Only print the SQL.")
def rollback(drop_results: bool, dry_run: bool) -> None:
    """Give the database back as it was before `apply`, with its triggers and its queue."""
    done = database_part("takeover").rollback(dsn(), drop_results=drop_results, dry_run=dry_run)
    if dry_run:
        echo_lines("\n".join(done.statements))
    elif done.statements:
        echo(f"undone: {len(done.statements)} changes; rows of the old queue updated: {done.handed_back}")
    else:
        echo("nothing to do: docpipe has changed nothing here")


_says = click.option(
    "--trigger", "said", multiple=True, metavar="TABLE.TRIGGER=KIND",
    help="What a trigger does that puts together at run time what it writes.",
)  # fmt: skip


@db.command(epilog="Example: docpipe db triggers --json")
@click.option("--disable", is_flag=True, help="Switch off those that move the old workflow.")
@click.option(
    "--save", type=click.Path(dir_okay=False, path_type=Path), help="Where --disable writes how to undo it."
)
@click.option(
    "--restore",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Put back what --disable took away.",
)
@_says
@click.option("--json", "as_json", is_flag=True, help="One JSON object per trigger and line.")
def triggers(
    disable: bool, save: Path | None, restore: Path | None, said: tuple[str, ...], as_json: bool
) -> None:
    """Show what each trigger of the pipeline's tables does, and switch off the old workflow."""
    part, judged = database_part("tables.triggers"), dict(map(_pair, said))
    if restore is not None:
        part.restore(dsn(), restore)
        echo(f"restored from {restore}", err=True)
    switched = []
    if disable:
        target = save or Path(f"docpipe-triggers-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.sql")
        switched = part.switch_off(dsn(), target, judged)
        for each in switched:
            echo(f"{each.done} {each.name} on {each.table}", err=True)
        echo(
            f"to undo it: docpipe db triggers --restore {target}" if switched else "nothing to switch off",
            err=True,
        )
    for each in part.listed(dsn(), judged):
        _show_trigger(each, as_json=as_json)


def _show_trigger(each: Any, *, as_json: bool) -> None:
    if as_json:
        keys = ("table", "name", "function", "enabled", "kinds", "through", "works", "known")
        echo(json.dumps({key: getattr(each, key) for key in keys}))
        return
    state = "on " if each.enabled else "off"
    through = f" through {', '.join(each.through)}" if each.through else ""
    echo(f"{state} {each.table}.{each.name} ({each.function}): {', '.join(each.kinds)}{through}")


@db.command(epilog="Example: docpipe db verify --live")
@click.option("--live", is_flag=True, help="Also send a small document all the way, and take it away again.")
@_says
@click.option("--json", "as_json", is_flag=True, help="One JSON object per finding and line.")
def verify(live: bool, said: tuple[str, ...], as_json: bool) -> None:
    """Check that the old queue is left for good; exit code 1 if anything is wrong."""
    found = database_part("verify").verify(dsn(), default_pipeline(), live=live, said=dict(map(_pair, said)))
    sys.exit(0 if show_findings(found, as_json=as_json) else 1)


@db.command("policies", epilog="Example: docpipe db policies --members project_members")
@click.option("--members", required=True, metavar="TABLE", help="Your table of who is in which project.")
@click.option("--user-column", default="user_id", show_default=True, help="Its column of auth.uid().")
@click.option("--project-column", default="project_id", show_default=True, help="Its column of the project.")
def policies_(members: str, user_column: str, project_column: str) -> None:
    """Print the SQL by which members of a project read its documents through Supabase, and no others."""
    part = database_part("policies")
    echo_lines(part.policies(dsn(), part.Members(members, user_column, project_column)))


@db.command(epilog="Example: docpipe db export supabase/migrations")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def export(folder: Path) -> None:
    """Copy the migrations into FOLDER, for example supabase/migrations."""
    written = database_part("migrate").export(folder)
    for path in written:
        echo(f"wrote {path}")
    if not written:
        echo(f"nothing to do: {folder} has them all")
