"""The units of deploy/ start commands that exist, as they should be started."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from docpipe.cli import cli
from docpipe.status import QUEUES

DEPLOY = Path(__file__).parents[2] / "deploy"
UNITS = sorted(DEPLOY.glob("*.service"))
CELERY_OPTIONS = {"--hostname"}


def settings(unit: Path) -> dict[str, str]:
    """The unit's settings; of those that stand several times, the last."""
    return dict(re.findall(r"^(\w+)=(.*)$", unit.read_text(), re.M))


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_starts_a_command_with_options_that_exist(unit: Path) -> None:
    program, name, *arguments = settings(unit)["ExecStart"].split()
    command = cli.commands[name]
    known = {option for parameter in command.params for option in parameter.opts} | CELERY_OPTIONS
    assert program.endswith("/bin/docpipe")
    assert isinstance(command, click.Command)
    assert {argument for argument in arguments if argument.startswith("-")} - known == set()


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_is_started_again_for_ever_and_not_as_root(unit: Path) -> None:
    found = settings(unit)
    assert (found["Restart"], found["StartLimitIntervalSec"], found["User"]) == ("always", "0", "docpipe")


def test_the_worker_names_every_queue_and_stops_warmly() -> None:
    text = (DEPLOY / "docpipe-worker@.service").read_text()
    assert {queue for queue in QUEUES.values() if f"docpipe-worker@{queue}" in text} == set(QUEUES.values())
    # only the main process is told to stop: children that were told too would drop their work
    assert settings(DEPLOY / "docpipe-worker@.service")["KillMode"] == "mixed"
