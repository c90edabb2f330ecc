"""The address of a database, read before anything repeats it."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlencode

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
    kept = [pair for pair in parse_qsl(query, keep_blank_values=True) if pair[0] not in _OF_PRISMA]
    try:
        return conninfo_to_dict(f"{place}?{urlencode(kept)}" if mark and "://" in place else dsn)
    except psycopg.ProgrammingError:
        raise ConfigurationError(
            "SUPABASE_DB_URL is not the address of a Postgres database."
            " Write postgresql://postgres:PASSWORD@HOST:5432/postgres, with / ? # @ of the password"
            f" percent-encoded{_and_parameters(place, kept)}."
        ) from None  # libpq repeats the part that it cannot read


def _and_parameters(place: str, kept: list[tuple[str, str]]) -> str:
    """Of a place that can be read, what follows it cannot."""
    try:
        conninfo_to_dict(place)
    except psycopg.ProgrammingError:
        return ""
    return f", and after the ? only what libpq knows: it does not know all of {', '.join(n for n, _ in kept)}"
