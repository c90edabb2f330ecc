"""RabbitMQ, where Debian's package has put it, with its data and its cookie in a folder of the test's own."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import ClassVar

import pytest
from amqp import Connection
from amqp.exceptions import AMQPError

from tests.stack.server import NotReadyError, Server, free_ports

PROGRAM = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
"""Not the one on PATH, which is a script for the machine's own server."""


class RabbitServer(Server):
    """Killed, never stopped: nobody wants its data."""

    name: ClassVar[str] = "rabbitmq"

    def __init__(self, folder: Path, port: int) -> None:
        if not PROGRAM.exists():
            # not failed where there is none, as CI does for others: kombu's broker in memory stands in
            pytest.skip("there is no RabbitMQ. Run: apt-get install --no-install-recommends rabbitmq-server")
        super().__init__(folder, port)
        self._names_port, self._nodes_port = free_ports(2)

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}//"

    def prepare(self) -> None:
        """Few threads: beside it, other tests have these cores."""
        (self.folder / "data").mkdir(exist_ok=True)
        (self.folder / "plugins").write_text("[].\n")

    def command(self) -> list[str]:
        """Erlang's daemon of names is a child that ends with the server, and not the machine's."""
        names = f"{shutil.which('epmd')} -port {self._names_port} -address 127.0.0.1"
        return ["/bin/sh", "-c", f"{names} & exec {PROGRAM}"]

    def environment(self) -> dict[str, str]:
        data = str(self.folder / "data")
        return super().environment() | {
            "HOME": data,
            "ERL_EPMD_PORT": str(self._names_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"tests-{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self._nodes_port),
            "RABBITMQ_MNESIA_BASE": data,
            "RABBITMQ_LOG_BASE": data,
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "plugins"),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "none"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 +SDcpu 1:1 +SDio 1 +A 2 +sbwt none",
        }

    def check(self) -> None:
        try:
            with Connection(f"127.0.0.1:{self.port}", connect_timeout=2):
                pass
        except (OSError, AMQPError) as error:
            raise NotReadyError(error) from error
