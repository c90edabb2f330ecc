"""`python -m tests.sql`: write docs/reference/schema.sql anew, from a database that has docpipe's files."""

from __future__ import annotations

import secrets
import sys
import tempfile
from pathlib import Path

from tests.sql.dump import SCHEMA, present_schema
from tests.stack.postgres_server import PostgresServer
from tests.stack.server import free_ports


def main() -> None:
    """Start a Postgres for the moment, and end it."""
    with tempfile.TemporaryDirectory() as folder:
        postgres = PostgresServer(Path(folder), free_ports(1)[0], secrets.token_hex(16))
        try:
            postgres.start()
            SCHEMA.write_text(present_schema(postgres), encoding="utf-8")
        finally:
            postgres.stop()
            postgres.discard()
    sys.stdout.write(f"wrote {SCHEMA}\n")


if __name__ == "__main__":
    main()
