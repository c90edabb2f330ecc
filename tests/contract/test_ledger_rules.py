"""SQLite and Postgres obey the rules of the ledger (docpipe/stores/ledger_rules.py), move by move."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from docpipe.takeover import migrate
from tests.contract.ledger_machine import LedgerMachine
from tests.contract.ledger_sides import PostgresSide, Side, SqliteSide

if TYPE_CHECKING:
    from tests.stack import Stack

STEPS = int(os.environ.get("DOCPIPE_LEDGER_STEPS", "1500"))
"""Moves in one run of the machine. Above the ordinary number they differ from run to run."""
ORDINARY = 1500
AT_A_TIME = 50
"""Moves on one document."""


@pytest.fixture(scope="module")
def dsn(stack: Stack) -> Iterator[str]:
    """A database of this module's own: faults are planted in it."""
    name = f"ledger_{os.getpid()}"
    dsn = stack.postgres.create_database(name)
    migrate.apply(dsn)
    yield dsn
    stack.postgres.drop_database(name)


@pytest.fixture
def sides(dsn: str, tmp_path: Path) -> Iterator[tuple[Side, Side]]:
    opened = SqliteSide(tmp_path / "docpipe.db"), PostgresSide(dsn)
    yield opened
    for side in opened:
        side.close()


def drive(sides: tuple[Side, Side], steps: int, phases: tuple[Phase, ...] = tuple(Phase)) -> int:
    """Returns how many moves were made."""
    machine = type("Machine", (LedgerMachine,), {"sides": sides, "steps": 0})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=max(1, steps // AT_A_TIME),
            stateful_step_count=AT_A_TIME,
            deadline=None,
            derandomize=steps <= ORDINARY,
            database=None,
            phases=phases,
            suppress_health_check=list(HealthCheck),
            print_blob=False,
        ),
    )
    return machine.steps


def test_both_stores_do_what_the_rules_say(sides: tuple[Side, Side]) -> None:
    assert drive(sides, STEPS) > STEPS // 2
