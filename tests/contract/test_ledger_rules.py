"""SQLite and Postgres obey the rules of the ledger (docpipe/stores/ledger_rules.py), move by move."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from docpipe.models.status import RunState
from docpipe.stores import ledger_rules as rules
from docpipe.stores.ledger_rules import Answer, Cancel, Move, Revive
from docpipe.stores.sqlite import ledger, ranges, recovery, store
from docpipe.takeover import takeover
from tests.contract.ledger_machine import LedgerMachine
from tests.contract.ledger_sides import PostgresSide, Side, SqliteSide

if TYPE_CHECKING:
    from tests.stack import Stack

ORDINARY = 2_000
STEPS = int(os.environ.get("DOCPIPE_LEDGER_STEPS", ORDINARY))
"""Moves in one run of the machine. Above the ordinary number they differ from run to run."""
AT_A_TIME = 50
"""Moves on one document."""


@pytest.fixture(scope="module")
def dsn(stack: Stack) -> Iterator[str]:
    """A database of this module's own: faults are planted in it."""
    stack.mend()
    name = f"ledger_{os.getpid()}"
    dsn = stack.postgres.create_database(name)
    takeover.apply(dsn)
    yield dsn
    stack.postgres.drop_database(name)


@pytest.fixture
def sides(dsn: str, tmp_path: Path) -> Iterator[tuple[Side, Side]]:
    opened = SqliteSide(tmp_path / "docpipe.db"), PostgresSide(dsn)
    yield opened
    for side in opened:
        side.close()


def drive(both: tuple[Side, Side], steps: int, phases: tuple[Phase, ...] = tuple(Phase)) -> int:
    """Returns how many moves were made."""

    class Machine(LedgerMachine):
        sides = both
        steps = 0

    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=max(1, steps // AT_A_TIME),
            stateful_step_count=AT_A_TIME,
            deadline=None,
            derandomize=steps <= ORDINARY,
            database=None,
            phases=phases,
            suppress_health_check=list(HealthCheck),
        ),
    )
    return Machine.steps


def finds_a_fault(both: tuple[Side, Side]) -> None:
    with pytest.raises(AssertionError, match=r"answers differently|keeps other|keep different"):
        drive(both, max(ORDINARY, STEPS), (Phase.generate,))


def _in_the_long_run(faults: Iterable[str], *always: str) -> list[Any]:
    """The faults as parameters; an ordinary run plants only the most dangerous."""
    assert set(always) <= set(faults)
    long = pytest.mark.skipif(STEPS <= ORDINARY, reason="set DOCPIPE_LEDGER_STEPS=20000")
    return [fault if fault in always else pytest.param(fault, marks=long) for fault in faults]


def test_both_stores_do_what_the_rules_say(sides: tuple[Side, Side]) -> None:
    assert drive(sides, STEPS) >= STEPS // 2


# --- planted faults --------------------------------------------------------------------------------------

Rule = Callable[..., Any]


def _but(rule: Rule, wrong: dict[Any, Any]) -> Rule:
    """The rule with some of its answers put wrong."""

    def altered(*arguments: Any, **named: Any) -> Any:
        answer = rule(*arguments, **named)
        return wrong.get(answer, answer)

    return altered


def _without_token(rule: Rule) -> Rule:
    return lambda run, row, token: rule(run, row and replace(row, token=token), token)


def _anyhow(rule: Rule) -> Rule:
    return lambda run, row, *others: rule(run and replace(run, state=RunState.ACTIVE), row, *others)


SQLITE_FAULTS: dict[str, Rule] = {
    "claim, whoever holds a lease": _but(rules.claim, {Answer.BUSY: Answer.TAKE}),
    "claim, however often": _but(rules.claim, {Answer.POISON: Answer.TAKE}),
    "claim, out of order": _but(rules.claim, {Answer.NOT_READY: Answer.TAKE}),
    "claim, cancelled or not": _but(rules.claim, {Answer.END_CANCELLED: Answer.TAKE}),
    "claim, the same request twice": _but(rules.claim, {Answer.SAME: Answer.BUSY}),
    "claim_range, whoever holds a lease": _but(rules.claim_range, {Answer.BUSY: Answer.TAKE}),
    "claim_range, however often": _but(rules.claim_range, {Answer.POISON: Answer.TAKE}),
    "heartbeat, with any token": _without_token(rules.heartbeat),
    "finish, with any token": _without_token(rules.finish),
    "finish, in any run": _anyhow(rules.finish),
    "split, with any token": _without_token(rules.split),
    "split, once only": _but(rules.split, {Move.REPEATED: Move.LATE}),
    "retry, with any token": _without_token(rules.retry),
    "retry, in any run": _anyhow(rules.retry),
    "fail, with any token": _without_token(rules.fail),
    "fail_stage, never": _but(rules.fail_stage, {Move.APPLY: Move.LATE}),
    "fail_task, for any task": lambda run, row, _: rules.fail_task(run, row, row and row.task_id),
    "publish, in any run": _anyhow(rules.publish),
    "cancel, at once": _but(rules.cancel, {Cancel.ASK: Cancel.END}),
    "is_stalled, whoever holds a lease": lambda row, grace, now: rules.is_stalled(
        replace(row, lease_expires_at=None), grace, now
    ),
    "revive, however often": _but(rules.revive, {Revive.POISON: Revive.RESUME}),
    "revive, cancelled or not": _but(rules.revive, {Revive.END_CANCELLED: Revive.RESUME}),
    "resumable, whatever its end": lambda run: run is not None and not run.active,
    "give_up, all pages": lambda _first, _last: (),
    "mirror, without the lease": lambda rows: (rules.mirror(rows)[0], None),
    "hand_out, everything": lambda rows, _at_once: rules.hand_out(rows, 99),
    "is_read, too early": lambda stage, _rows: stage is not None and stage.state == "queued",
    "poison, without its last error": lambda subject, attempts, _last: rules.poison(subject, attempts),
    "final_status, without warnings": lambda warned: rules.final_status(warned=False),
}
"""The rule, and how SQLite is made to break it."""


@pytest.mark.parametrize(
    "fault",
    _in_the_long_run(
        SQLITE_FAULTS,
        "claim, whoever holds a lease",
        "finish, with any token",
        "revive, however often",
        "hand_out, everything",
    ),
)
def test_a_fault_planted_in_sqlite_is_found(
    fault: str, sides: tuple[Side, Side], monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = SimpleNamespace(**vars(rules) | {fault.partition(",")[0]: SQLITE_FAULTS[fault]})
    for module in (ledger, ranges, recovery, store):
        monkeypatch.setattr(module, "rules", broken)
    finds_a_fault(sides)


POSTGRES_FAULTS: dict[str, tuple[str, str]] = {
    "claim": ("s.lease_expires_at > now()", "false"),
    "claim, attempts": ("s.attempt >= p_max_attempts", "false"),
    "claim, count": ("attempt = attempt + 1", "attempt = attempt"),
    "claim, cancel": ("r.cancel_requested", "false"),
    "claim, order": ("e.position < s.position", "false"),
    "claim_range": ("g.lease_expires_at > now()", "false"),
    "claim_range, attempts": ("g.attempt >= p_max_attempts", "false"),
    "heartbeat": ("and token = p_token", ""),
    "finish": ("and state = 'running' and token = p_token", "and state = 'running'"),
    "finish, run": ("r.state is distinct from 'active'", "false"),
    "retry": ("('running', 'retrying') and token = p_token", "('running', 'retrying')"),
    "fail": ("stage = p_stage and token = p_token", "stage = p_stage"),
    "fail_task": ("and task_id = p_task_id", ""),
    "cancel": ("and state = 'running' and lease_expires_at > now()", "and false"),
    "end_cancelled": ("public.docpipe_is_open(g)", "false"),
    "idle": ("s.lease_expires_at <= now()", "true"),
    "range_idle": ("g.lease_expires_at <= now()", "true"),
    "in_ranges": ("public.docpipe_is_open(g)", "false"),
    "revive": ("s.attempt >= p_max_attempts", "false"),
    "revive_range": ("g.attempt >= p_max_attempts", "false"),
    "resume": ("state = 'queued', attempt = 0", "state = 'queued'"),
    "resume_run": ("and state <> 'complete'", ""),
    "reprocess": ("s.position < v_from", "false"),
    "replay": ("r.state = 'completed'", "true"),
    "split": ("set attempt = 0, task_id = null", "set attempt = 0"),
    "give_up_range": ("generate_series(g.first_page + 1, g.last_page)", "generate_series(1, 0)"),
    "hand_out": ("p_at_once - n", "p_at_once"),
    "mirror_ranges": ("max(g.lease_expires_at)", "min(g.lease_expires_at)"),
    "handover": ("and s.state = 'queued'", ""),
    "finish_range": ("g.state is distinct from 'running'", "false"),
    "fail_range": ("r.state is distinct from 'active' or g.state is null", "g.state is null"),
    "fail_split_stage": ("s.token := p_token;", ""),
    "finish_stage": ("run < p_run", "false"),
    "poison": ("' Last error: '", "' The last error: '"),
    "set_status": ("and docpipe_run = p_run", ""),
}
"""The function, what of its text is changed, and to what."""


@pytest.fixture
def plant(dsn: str) -> Iterator[Callable[[str], None]]:
    """Alters a function in the database, for this test."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        kept: list[str] = []

        def planted(fault: str) -> None:
            query = "select pg_get_functiondef(oid) from pg_proc where proname = %s"
            found = connection.execute(query, (f"docpipe_{fault.partition(',')[0]}",)).fetchone()
            assert found is not None
            was, becomes = POSTGRES_FAULTS[fault]
            assert was in found[0], "the function says it in other words now"
            kept.append(found[0])
            connection.execute(found[0].replace(was, becomes).encode())

        yield planted
        for text in kept:
            connection.execute(text.encode())


@pytest.mark.parametrize(
    "fault", _in_the_long_run(POSTGRES_FAULTS, "claim", "finish", "revive", "claim_range")
)
def test_a_fault_planted_in_postgres_is_found(
    fault: str, sides: tuple[Side, Side], plant: Callable[[str], None]
) -> None:
    plant(fault)
    finds_a_fault(sides)
