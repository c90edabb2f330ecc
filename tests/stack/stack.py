"""The three servers together: their ports and keys, their order, and that none is left behind."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from docpipe.cli.takeover import takeover
from tests.guardian import RUN
from tests.stack.api_server import ApiServer
from tests.stack.postgres_server import PostgresServer
from tests.stack.redis_server import RedisServer
from tests.stack.server import Server, free_ports

REPOSITORY = Path(__file__).resolve().parents[2]


class Stack:
    """Redis, Postgres and the API on free ports of 127.0.0.1; ports, keys and logs rest in `folder`.

    A `Stack` on the folder of one that runs takes hold of that one. As a context manager it starts,
    and ends with the block or with this process, however it ends.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder).resolve()
        self._state_file = self.folder / "stack.json"
        self._guard: subprocess.Popen[bytes] | None = None
        self._build(self._read_state() or _new_state())

    @property
    def servers(self) -> tuple[Server, ...]:
        """In the order of their start."""
        return (self.redis, self.postgres, self.api)

    @property
    def running(self) -> bool:
        """Whether all three run."""
        return all(server.running for server in self.servers)

    @property
    def env(self) -> dict[str, str]:
        """The variables that docpipe reads to find this stack."""
        return {
            "SUPABASE_URL": self.api.url,
            "SUPABASE_SECRET_KEY": self.api.secret_key,
            "SUPABASE_DB_URL": self.postgres.url,
            "REDIS_URL": self.redis.url,
        }

    def start(self) -> None:
        """Start afresh, empty but for docpipe's tables; what an earlier start left here is ended first.

        Raises: StackError with the end of a log and what to do.
        """
        self.stop()
        self._lay_out()
        self._serve()

    def _lay_out(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._build(_new_state())
        self._state_file.touch(mode=0o600)
        self._state_file.write_text(json.dumps(self._state))

    def _serve(self) -> None:
        try:
            self._start_servers()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End all three and remove their data; logs stay. Does nothing to a stopped stack."""
        for server in reversed(self.servers):
            server.stop()
        self._discard()
        self._dismiss_guard()

    def kill(self) -> None:
        """The same at once, for a stack whose run was killed: its data are worth nothing."""
        for server in self.servers:
            server.kill()
        self._discard()

    def _discard(self) -> None:
        for server in self.servers:
            server.discard()
        self._state_file.unlink(missing_ok=True)

    def mend(self) -> None:
        """Resume what was paused and start what was killed or stopped."""
        for server in self.servers:
            server.resume()
            if not server.running:
                server.start()

    def apply_sql(self) -> None:
        """Bring the database up to `sql/`, and let the API read the schema anew."""
        takeover.apply(self.postgres.url)
        self.api.restart()

    def __enter__(self) -> Self:
        self.stop()
        self._lay_out()
        self._hire_guard()
        self._serve()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _start_servers(self) -> None:
        for server in self.servers:
            server.log.unlink(missing_ok=True)
        self.redis.start()
        self.postgres.start()
        self.apply_sql()

    def _build(self, state: dict[str, str]) -> None:
        self._state = state
        password = state["password"]
        self.redis = RedisServer(self.folder, int(state["redis"]), password)
        self.postgres = PostgresServer(self.folder, int(state["postgres"]), password)
        self.api = ApiServer(
            self.folder,
            int(state["api"]),
            database_url=self.postgres.database_url("postgres", "authenticator"),
            publishable_key=state["publishable_key"],
            secret_key=state["secret_key"],
            jwt_secret=password,
        )

    def _read_state(self) -> dict[str, str] | None:
        if not self._state_file.exists():
            return None
        state: dict[str, str] = json.loads(self._state_file.read_text())
        return state

    def _hire_guard(self) -> None:
        # The guard waits for the end of its standard input, which the kernel closes when this
        # process ends, by SIGKILL too, and then kills the servers. It belongs to no run: the run's
        # guardian would end it before it has done so.
        command = [sys.executable, "-m", "tests.stack", "down", "--dir", str(self.folder), "--after-stdin"]
        environment = {name: value for name, value in os.environ.items() if name != RUN}
        with (self.folder / "guard.log").open("wb") as log:
            self._guard = subprocess.Popen(
                command,
                cwd=REPOSITORY,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _dismiss_guard(self) -> None:
        if self._guard is None:
            return
        self._guard.kill()
        self._guard.communicate()
        self._guard = None


def _new_state() -> dict[str, str]:
    ports = zip(("redis", "postgres", "api"), map(str, free_ports(3)), strict=True)
    keys = {
        "publishable_key": f"sb_publishable_{secrets.token_hex(16)}",
        "secret_key": f"sb_secret_{secrets.token_hex(16)}",
    }
    return {"password": secrets.token_hex(32), **keys, **dict(ports)}
