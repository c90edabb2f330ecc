"""The address of a database, read before anything repeats it."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from docpipe.errors import ConfigurationError

_OF_PRISMA = frozenset({"pgbouncer", "connection_limit", "pool_timeout"})
"""What a project's page puts into an address for Prisma. libpq refuses what it does not know, and docpipe is
always as Prisma is with the first of them: it prepares no statements.
"""


def address(dsn: str) -> dict[str, Any]:
    """The parts of the address, by libpq's names. Raises `ConfigurationError`, which repeats no value."""
    place, mark, query = dsn.partition("?")
    # kept as they are written: to libpq a plus is a plus, to urllib a space
    kept = [each for each in query.split("&") if each and each.partition("=")[0] not in _OF_PRISMA]
    try:
        return conninfo_to_dict(f"{place}?{'&'.join(kept)}" if mark and "://" in place else dsn)
    except psycopg.ProgrammingError:
        raise ConfigurationError(
            "SUPABASE_DB_URL is not the address of a Postgres database."
            " Write postgresql://postgres:PASSWORD@HOST:5432/postgres, with / ? # @ of the password"
            f" percent-encoded{_and_parameters(place, kept)}."
        ) from None  # libpq repeats the part that it cannot read


def _and_parameters(place: str, kept: list[str]) -> str:
    """Of a place that can be read, what follows it cannot."""
    try:
        conninfo_to_dict(place)
    except psycopg.ProgrammingError:
        return ""
    names = ", ".join(each.partition("=")[0] for each in kept)
    return f", and after the ? only what libpq knows: it does not know all of {names}"
