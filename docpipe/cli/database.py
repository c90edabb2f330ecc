"""`docpipe db`: the schema of the Supabase database."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import click

from docpipe.errors import ConfigurationError, MissingExtraError
from docpipe.settings import read_settings


def _migrate() -> ModuleType:
    try:
        return import_module("docpipe.database.migrate")
    except ModuleNotFoundError as error:
        raise MissingExtraError.for_module(error.name or "psycopg", "postgres") from error


def _dsn() -> str:
    dsn = read_settings().supabase_db_url
    if dsn is None:
        raise ConfigurationError(
            "SUPABASE_DB_URL is not set. Set it to the project's direct connection"
            " (postgresql://postgres:…@db.….supabase.co:5432/postgres)."
        )
    return dsn.get_secret_value()


@click.group()
def db() -> None:
    """Create, check and export docpipe's tables and functions."""


@db.command("apply")
def apply_() -> None:
    """Apply the migrations that the database has not had; reports only what it did."""
    done = _migrate().apply(_dsn())
    for migration in done:
        click.echo(f"applied {migration.file_name}")
    if not done:
        click.echo("nothing to do: the database is up to date")


@db.command()
def check() -> None:
    """Name whatever the database lacks; exit code 1 if it lacks anything."""
    lacking = _migrate().check(_dsn())
    for line in lacking:
        click.echo(f"lacks {line}")
    if lacking:
        click.echo(f"docpipe: the database lacks {len(lacking)} things. Run: docpipe db apply", err=True)
        sys.exit(1)
    click.echo("the database has everything docpipe needs")


@db.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def export(folder: Path) -> None:
    """Copy the migrations into FOLDER, for example supabase/migrations."""
    written = _migrate().export(folder)
    for path in written:
        click.echo(f"wrote {path}")
    if not written:
        click.echo(f"nothing to do: {folder} has them all")
