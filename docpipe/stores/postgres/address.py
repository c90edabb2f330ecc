"""The address of a database, read before anything repeats it."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from docpipe.errors import ConfigurationError


def address(dsn: str) -> dict[str, Any]:
    """The parts of the address, by libpq's names. Raises `ConfigurationError`, which does not repeat it."""
    try:
        return conninfo_to_dict(dsn)
    except psycopg.ProgrammingError:
        raise ConfigurationError(
            "SUPABASE_DB_URL is not the address of a Postgres database."
            " Write postgresql://postgres:PASSWORD@HOST:5432/postgres, with / ? # @ of the password"
            " percent-encoded."
        ) from None  # libpq repeats the part that it cannot read
