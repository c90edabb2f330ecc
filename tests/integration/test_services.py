"""The commands of deploy/ run, together, as systemd and Docker would start them."""

from __future__ import annotations

import re
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from docpipe.models.status import QUEUES
from docpipe.pipeline.pipeline import Pipeline
from tests.integration.reader import Reader
from tests.integration.test_howtos import env, names, pipeline, statuses  # noqa: F401 - fixtures
from tests.stack.server import free_ports
from tests.unit.test_deploy import SERVICES, UNITS
from tests.workers import HANG_SECONDS, wait_until

PROGRAMS = "/srv/docpipe/venv/bin/"


def fetched(port: int, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=HANG_SECONDS) as answer:
        return str(answer.read().decode())


def commands_of(unit: Path) -> Iterator[tuple[dict[str, str], str]]:
    """What systemd starts for a unit: its own environment and its command, once per instance."""
    text = unit.read_text()
    (command,) = re.findall(r"^ExecStart=(.*)$", text, re.M)
    pairs = [pair for line in re.findall(r"^Environment=(.*)$", text, re.M) for pair in line.split()]
    own = dict(pair.split("=", 1) for pair in pairs)
    for instance in QUEUES.values() if "@" in unit.name else [""]:
        yield own, command.replace("%i", instance).replace("%%", "%").removeprefix(PROGRAMS)


def test_the_commands_of_the_units_take_a_file_all_the_way(env: dict[str, str], tmp_path: Path) -> None:  # noqa: F811
    (port,) = free_ports(1)
    watched = tmp_path / "in"
    watched.mkdir()
    (watched / "note.txt").write_text("Ann met Bob.")
    places = {"9108": str(port), "${WATCHED}": str(watched)}
    with Reader(tmp_path, env | {"DOCPIPE_UPLOADS": str(tmp_path / "uploads")}, places=places) as reader:
        for own, command in (each for unit in UNITS for each in commands_of(unit)):
            reader.env |= {name: value for name, value in own.items() if name != "XDG_DATA_HOME"}
            reader.do(command)
        wait_until(lambda: statuses(env["SUPABASE_DB_URL"]) == {"completed": 1}, "it is completed")
        assert 'docpipe_up{part="redis"} 1.0' in fetched(port, "/metrics")
        assert len(reader.running) == len(QUEUES) + len(UNITS) - 1


def test_the_commands_of_the_services_take_a_document_all_the_way(
    env: dict[str, str],  # noqa: F811
    pipeline: Pipeline,  # noqa: F811
    tmp_path: Path,
) -> None:
    ports = dict(zip(("9108", "5555"), map(str, free_ports(2)), strict=True))
    places = ports | {"0.0.0.0": "127.0.0.1", "/tmp/celerybeat": str(tmp_path / "beat")}
    with Reader(tmp_path, env, places=places) as reader:
        for name, service in SERVICES.items():
            if name != "redis":
                reader.do(service["command"])
        pipeline.submit(b"Ann met Bob.", name="note.txt").wait(HANG_SECONDS)
        assert 'docpipe_up{part="redis"} 1.0' in fetched(int(ports["9108"]), "/metrics")
        assert fetched(int(ports["5555"]), "/healthcheck") == "OK"
