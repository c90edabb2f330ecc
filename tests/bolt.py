"""A graph database that speaks Neo4j's protocol (Bolt) and openCypher: ArcadeDB, in a process of its own."""

from __future__ import annotations

import secrets
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neo4j import GraphDatabase

from tests.stack.server import free_ports, package_folder

_PROGRAM = """
import sys
import arcadedb
folder, password, http, bolt, *databases = sys.argv[1:]
config = {"host": "127.0.0.1", "http_port": int(http), "bolt_port": int(bolt)}
config["server_plugins"] = "Bolt:com.arcadedb.bolt.BoltProtocolPlugin"
with arcadedb.create_server(folder, password, config) as server:
    for name in databases:
        server.create_database(name)
    print("\\nready", flush=True)
    sys.stdin.read()
"""


@dataclass(frozen=True)
class BoltServer:
    """A running server and one of its databases."""

    url: str
    auth: tuple[str, str]
    database: str

    def run(self, statement: str, **values: Any) -> list[tuple[Any, ...]]:
        """Run one statement of Cypher."""
        with GraphDatabase.driver(self.url, auth=self.auth) as driver:
            found = driver.execute_query(statement, values, database_=self.database)
        return [tuple(record.values()) for record in found.records]

    def run_all(self, statements: Iterator[str]) -> None:
        """Run one after the other, each in a transaction of its own, as `cypher-shell` does."""
        with GraphDatabase.driver(self.url, auth=self.auth) as driver:
            for statement in statements:
                driver.execute_query(statement, database_=self.database)

    def counts(self) -> tuple[Counter[str], Counter[str]]:
        """How many nodes there are of each label, and relationships of each type."""
        labels = self.run("MATCH (n) UNWIND labels(n) AS label RETURN label, count(*)")
        types = self.run("MATCH ()-[r]->() RETURN type(r), count(*)")
        return Counter(dict(labels)), Counter(dict(types))

    def properties(self) -> dict[str, Mapping[str, Any]]:
        """The properties of every node and relationship, by id."""
        found = [
            *self.run("MATCH (n) RETURN properties(n)"),
            *self.run("MATCH ()-[r]->() RETURN properties(r)"),
        ]
        return {row["id"]: row for (row,) in found}

    def clear(self) -> None:
        """Remove every node and relationship."""
        self.run("MATCH (n) DETACH DELETE n")


@contextmanager
def bolt_server(folder: Path) -> Iterator[BoltServer]:
    """Start one with an empty database; it ends with the block or with this process, however it ends.

    Raises: StackError when the package is not installed.
    """
    package_folder("arcadedb")
    password, (http, bolt) = secrets.token_hex(16), free_ports(2)
    command = [sys.executable, "-c", _PROGRAM, str(folder), password, str(http), str(bolt), "graph"]
    with (
        (folder / "output").open("wb") as log,
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, cwd=folder
        ) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        if "ready\n" not in process.stdout:  # reads until it is
            raise RuntimeError((folder / "output").read_text())
        yield BoltServer(f"bolt://127.0.0.1:{bolt}", ("root", password), "graph")
        process.stdin.close()
