"""PgBouncer in transaction mode, as Supabase's port 6543 and many a host has it before Postgres."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, ClassVar

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tests.needs import program
from tests.stack.postgres_server import PostgresServer
from tests.stack.server import NotReadyError, Server, as_user


class Pooler(Server):
    """With one connection to each database: a session, and whatever is left in it, is everybody's; and who
    holds it between transactions holds up all others.
    """

    name: ClassVar[str] = "pooler"
    user: ClassVar[str | None] = "nobody"

    def __init__(self, folder: Path, port: int, server: PostgresServer, patience_seconds: int) -> None:
        super().__init__(folder, port)
        self._program = program("pgbouncer", "/usr/sbin/pgbouncer", package="pgbouncer")
        self.server = server
        self.patience_seconds = patience_seconds

    def url(self, dsn: str) -> str:
        """The pooler's address of a database of the server's."""
        return make_conninfo(dsn, port=self.port)

    def prepare(self) -> None:
        parts: dict[str, Any] = conninfo_to_dict(self.server.url)
        place = f"host=127.0.0.1 port={self.server.port} user={parts['user']} password={parts['password']}"
        settings = {
            "listen_addr": "127.0.0.1",
            "listen_port": self.port,
            "unix_socket_dir": "",
            "auth_type": "any",
            "pool_mode": "transaction",
            "default_pool_size": 1,
            "query_wait_timeout": self.patience_seconds,
            "server_idle_timeout": 5,
        }
        lines = ["[databases]", f"* = {place}", "[pgbouncer]", *(f"{n} = {v}" for n, v in settings.items())]
        file = self.folder / "pgbouncer.ini"
        file.write_text("\n".join(lines) + "\n")
        file.chmod(0o600)
        if owner := as_user(self.user):
            os.chown(file, owner["user"], owner["group"])
        for folder in (self.folder, self.folder.parent):
            folder.chmod(0o755)

    def command(self) -> list[str]:
        return [self._program, str(self.folder / "pgbouncer.ini")]

    def check(self) -> None:
        try:
            psycopg.connect(self.url(self.server.url), connect_timeout=5).close()
        except psycopg.OperationalError as error:
            raise NotReadyError(str(error).strip()) from error
