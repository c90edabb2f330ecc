"""The units of deploy/ and the services of compose.yaml start commands that exist, as they should be."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from click.testing import CliRunner

from docpipe.cli import cli
from docpipe.models.status import QUEUES

ROOT = Path(__file__).parents[2]
UNITS = sorted((ROOT / "deploy").glob("*.service"))
CELERY_OPTIONS = {"--hostname"}
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]


def settings(unit: Path) -> dict[str, str]:
    """The unit's settings; of those that stand several times, the last."""
    return dict(re.findall(r"^(\w+)=(.*)$", unit.read_text(), re.M))


def has_only_known_options(arguments: list[str]) -> bool:
    """Whether the docpipe command that the first argument names knows the options of the others."""
    command = cli.get_command(click.Context(cli), arguments[0])
    assert isinstance(command, click.Command)
    known = {option for parameter in command.params for option in parameter.opts} | CELERY_OPTIONS
    return {argument for argument in arguments if argument.startswith("-")} <= known


# --- systemd ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_starts_a_command_with_options_that_exist(unit: Path) -> None:
    program, *arguments = settings(unit)["ExecStart"].split()
    assert program.endswith("/bin/docpipe")
    assert has_only_known_options(arguments)


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_is_started_again_for_ever_and_not_as_root(unit: Path) -> None:
    found = settings(unit)
    assert (found["Restart"], found["StartLimitIntervalSec"], found["User"]) == ("always", "0", "docpipe")


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd's own check")
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_finds_nothing_wrong_with_a_unit(unit: Path, tmp_path: Path) -> None:
    programs = f"{Path(sys.executable).parent}/"
    (tmp_path / unit.name).write_text(unit.read_text().replace("/srv/docpipe/venv/bin/", programs))
    command = ["systemd-analyze", "verify", "--man=no", str(tmp_path / unit.name)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_the_worker_names_every_queue_and_stops_warmly() -> None:
    text = (ROOT / "deploy" / "docpipe-worker@.service").read_text()
    assert {queue for queue in QUEUES.values() if f"docpipe-worker@{queue}" in text} == set(QUEUES.values())
    # only the main process is told to stop: children that were told too would drop their work
    assert settings(ROOT / "deploy" / "docpipe-worker@.service")["KillMode"] == "mixed"


@pytest.mark.parametrize(
    ("kind", "folder", "ending"),
    [("systemd", "", ".service"), ("prometheus", "prometheus", ".yml"), ("grafana", "grafana", ".json")],
)
def test_the_command_writes_the_files_of_deploy(kind: str, folder: str, ending: str, tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["deploy", kind, "--write", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    expected = {each.name: each.read_text() for each in (ROOT / "deploy" / folder).glob(f"*{ending}")}
    assert {each.name: each.read_text() for each in (tmp_path / "out").iterdir()} == expected != {}


# --- compose ---------------------------------------------------------------------------------------


def test_compose_starts_a_redis_that_forgets_nothing() -> None:
    redis = SERVICES["redis"]
    assert redis["command"] == "redis-server --appendonly yes --maxmemory-policy noeviction"
    assert redis["volumes"] == ["redis:/data"]
    assert "redis" in COMPOSE["volumes"]


def test_compose_starts_one_worker_per_queue() -> None:
    workers = [
        shlex.split(each["command"]) for each in SERVICES.values() if "docpipe worker" in each["command"]
    ]
    assert [command[command.index("-Q") + 1] for command in workers] == list(QUEUES.values())


def test_compose_starts_reaper_and_metrics_and_the_rest_on_request() -> None:
    asked = {name: each["profiles"] for name, each in SERVICES.items() if "profiles" in each}
    assert asked == {"beat": ["beat"], "flower": ["flower"]}
    assert SERVICES.keys() - asked.keys() == {"redis", *QUEUES.values(), "reaper", "metrics"}


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_started_again_and_seen_from_this_machine_only(name: str) -> None:
    assert SERVICES[name]["restart"] == "unless-stopped"
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name].get("ports", []))


@pytest.mark.parametrize(
    "name", [name for name, each in SERVICES.items() if each["command"][:8] == "docpipe "]
)
def test_a_service_runs_a_command_with_options_that_exist(name: str) -> None:
    assert has_only_known_options(shlex.split(SERVICES[name]["command"])[1:])


def test_the_image_is_built_from_what_is_there() -> None:
    recipe = SERVICES["ocr"]["build"]["dockerfile_inline"]
    copied = [word for line in re.findall(r"^COPY (.*)$", recipe, re.M) for word in line.split()[:-1]]
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert {"pyproject.toml", "docpipe", *wheel["force-include"]} <= set(copied)
    assert all((ROOT / each).exists() for each in copied)
    assert "USER docpipe" in recipe
