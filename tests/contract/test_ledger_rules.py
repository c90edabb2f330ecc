"""SQLite and Postgres obey the rules of the ledger (docpipe/stores/ledger_rules.py), move by move."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from docpipe.cli.takeover import takeover
from docpipe.models.status import RunState
from docpipe.stores import ledger_rules as rules
from docpipe.stores.ledger_terms import Answer, Cancel, Move, Revive
from docpipe.stores.sqlite import ledger, lost, ranges, recovery, store
from tests.contract.ledger_machine import LedgerMachine, of_few_moves
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


@pytest.fixture(scope="module")
def sides(dsn: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Side, Side]]:
    opened = SqliteSide(tmp_path_factory.mktemp("ledger") / "docpipe.db"), PostgresSide(dsn)
    yield opened
    for side in opened:
        side.close()


def drive(both: tuple[Side, Side], steps: int, at_a_time: int = AT_A_TIME, only: Collection[str] = ()) -> int:
    """Returns how many moves were made. `only`: of these kinds; then nothing is made of what fails."""
    machine = of_few_moves(only) if only else LedgerMachine
    driven: type[LedgerMachine] = type("Driven", (machine,), {"sides": both, "steps": 0})
    run_state_machine_as_test(
        driven,
        settings=settings(
            max_examples=max(1, steps // at_a_time),
            stateful_step_count=at_a_time,
            deadline=None,
            derandomize=steps <= ORDINARY,
            database=None,
            phases=[Phase.generate] if only else tuple(Phase),
            suppress_health_check=list(HealthCheck),
        ),
    )
    return driven.steps


def finds_a_fault(both: tuple[Side, Side], moves: str) -> None:
    with pytest.raises(AssertionError, match=r"answers differently|keeps other|keep different"):
        drive(both, STEPS, AT_A_TIME // 2, moves.split())


def _mostly_slow(faults: Iterable[str], *always: str) -> list[Any]:
    """The faults as parameters; the most dangerous are planted in the quick tests, too."""
    assert set(always) <= set(faults)
    return [fault if fault in always else pytest.param(fault, marks=pytest.mark.slow) for fault in faults]


@pytest.mark.timeout(max(900, STEPS))
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


SPLIT = "claim_next split_newest claim_any_range"
"""Moves that lead to ranges in several hands."""
SQLITE_FAULTS: dict[str, tuple[str, Rule]] = {
    "claim, whoever holds a lease": ("claim_any", _but(rules.claim, {Answer.BUSY: Answer.TAKE})),
    "claim, however often": ("claim_any claim_next jump", _but(rules.claim, {Answer.POISON: Answer.TAKE})),
    "claim, out of order": ("claim_any", _but(rules.claim, {Answer.NOT_READY: Answer.TAKE})),
    "claim, cancelled or not": (
        "claim_any claim_next cancel",
        _but(rules.claim, {Answer.END_CANCELLED: Answer.TAKE}),
    ),
    "claim, the same request twice": ("claim_any jump", _but(rules.claim, {Answer.SAME: Answer.BUSY})),
    "claim_range, whoever holds a lease": (
        SPLIT,
        _but(rules.claim_range, {Answer.BUSY: Answer.TAKE}),
    ),
    "claim_range, however often": (
        f"{SPLIT} jump",
        _but(rules.claim_range, {Answer.POISON: Answer.TAKE}),
    ),
    "heartbeat, with any token": ("claim_next jump heartbeat", _without_token(rules.heartbeat)),
    "finish, with any token": ("claim_next jump finish_late", _without_token(rules.finish)),
    "finish, in any run": ("claim_next finish_any begin claim_any", _anyhow(rules.finish)),
    "split, with any token": ("claim_next jump split_late", _without_token(rules.split)),
    "split, once only": ("claim_next split_any", _but(rules.split, {Move.REPEATED: Move.LATE})),
    "retry, with any token": ("claim_next jump fail", _without_token(rules.retry)),
    "retry, in any run": ("claim_next fail begin claim_any", _anyhow(rules.retry)),
    "fail, with any token": ("claim_next jump fail", _without_token(rules.fail)),
    "fail_stage, never": (f"{SPLIT} fail_range", _but(rules.fail_stage, {Move.APPLY: Move.LATE})),
    "fail_task, for any task": (
        "claim_next message",
        lambda run, row, _: rules.fail_task(run, row, row and row.task_id),
    ),
    "publish, in any run": ("message begin", _anyhow(rules.publish)),
    "cancel, at once": ("claim_next cancel", _but(rules.cancel, {Cancel.ASK: Cancel.END})),
    "is_lost, before its grace is over": (
        "claim_next fail jump",
        lambda row, oldest, _grace, now: rules.is_lost(row, oldest, 0.0, now),
    ),
    "revive, whoever holds a lease": (
        "claim_next jump revive_any",
        lambda run, row, *terms: rules.revive(run, row and replace(row, lease_expires_at=None), *terms),
    ),
    "revive, however often": (
        "claim_next jump revive_lost",
        _but(rules.revive, {Revive.POISON: Revive.RESUME}),
    ),
    "revive, cancelled or not": (
        "claim_next jump revive_any cancel",
        _but(rules.revive, {Revive.END_CANCELLED: Revive.RESUME}),
    ),
    "resumable, though it goes on": (
        "claim_next resume_any",
        lambda run: run and run.state is not RunState.COMPLETED,
    ),
    "give_up, all pages": (f"{SPLIT} fail_range", lambda _first, _last: ()),
    "mirror, without the lease": (SPLIT, lambda rows: (rules.mirror(rows)[0], None)),
    "hand_out, everything": (SPLIT, lambda rows, _at_once: rules.hand_out(rows, 99)),
    "is_read, too early": (SPLIT, lambda stage, _rows: stage is not None and stage.state == "queued"),
    "final_status, without warnings": (
        "claim_any claim_next finish_newest",
        lambda warned: rules.final_status(warned=False),
    ),
}
"""The rule that SQLite is made to break: the moves that show it, and what takes its place."""


@pytest.mark.parametrize(
    "fault",
    _mostly_slow(
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
    moves, wrong = SQLITE_FAULTS[fault]
    broken = SimpleNamespace(**vars(rules) | {fault.partition(",")[0]: wrong})
    for module in (ledger, lost, ranges, recovery, store):
        monkeypatch.setattr(module, "rules", broken)
    finds_a_fault(sides, moves)


POSTGRES_FAULTS: dict[str, tuple[str, str, str]] = {
    "claim": ("claim_any", "s.lease_expires_at > now()", "false"),
    "claim, attempts": ("claim_any claim_next jump", "s.attempt >= p_max_attempts", "false"),
    "claim, count": ("claim_any", "attempt = attempt + 1", "attempt = attempt"),
    "claim, cancel": ("claim_any claim_next cancel", "r.cancel_requested", "false"),
    "claim, order": ("claim_any", "e.position < s.position", "false"),
    "claim_range": (SPLIT, "g.lease_expires_at > now()", "false"),
    "claim_range, attempts": (f"{SPLIT} jump", "g.attempt >= p_max_attempts", "false"),
    "heartbeat": ("claim_next jump heartbeat", "and token = p_token", ""),
    "finish": (
        "claim_next jump finish_late",
        "and state = 'running' and token = p_token",
        "and state = 'running'",
    ),
    "finish, run": ("claim_any claim_next finish_any begin", "r.state is distinct from 'active'", "false"),
    "finish_on": ("claim_any claim_next jump finish_on", "return '{\"finished\": false}';", "null;"),
    "retry": (
        "claim_next jump fail",
        "('running', 'retrying') and token = p_token",
        "('running', 'retrying')",
    ),
    "fail": ("claim_next jump fail", "stage = p_stage and token = p_token", "stage = p_stage"),
    "fail_task": ("claim_next message", "and task_id = p_task_id", ""),
    "cancel": ("claim_next cancel", "and state = 'running' and lease_expires_at > now()", "and false"),
    "end_cancelled": (f"{SPLIT} cancel", "public.docpipe_is_open(g)", "false"),
    "idle": ("claim_next jump revive_any", "s.lease_expires_at <= now()", "true"),
    "range_idle": (f"{SPLIT} jump revive_range", "g.lease_expires_at <= now()", "true"),
    "in_ranges": ("claim_any claim_next split_newest", "public.docpipe_is_open(g)", "false"),
    "revive": ("claim_next jump revive_lost", "s.attempt >= p_max_attempts", "false"),
    "revive_range": (f"{SPLIT} jump revive_range", "g.attempt >= p_max_attempts", "false"),
    "resume": (
        "claim_any claim_next fail resume_what_ended",
        "state = 'queued', attempt = 0",
        "state = 'queued'",
    ),
    "resume_run": (
        f"{SPLIT} finish_newest_range fail_range resume_what_ended",
        "and state <> 'complete'",
        "",
    ),
    "reprocess": ("claim_any claim_next finish_newest begin", "s.position < v_from", "false"),
    "replay": (f"{SPLIT} fail_range replay", "o.state = 'completed'", "true"),
    "split": (SPLIT, "set attempt = 0, task_id = null", "set attempt = 0"),
    "give_up_range": (
        f"{SPLIT} fail_range",
        "generate_series(g.first_page + 1, g.last_page)",
        "generate_series(1, 0)",
    ),
    "mirror_ranges": (SPLIT, "max(g.lease_expires_at)", "min(g.lease_expires_at)"),
    "handover": (f"{SPLIT} finish_newest_range finish_any_range", "and s.state = 'queued'", ""),
    "finish_range": (
        f"{SPLIT} fail_range finish_any_range",
        "g.state is distinct from 'running'",
        "false",
    ),
    "fail_range": (
        f"{SPLIT} fail_range begin",
        "r.state is distinct from 'active' or g.state is null",
        "g.state is null",
    ),
    "fail_split_stage": (f"{SPLIT} fail_range", "s.token := p_token;", ""),
    "finish_stage": ("claim_any claim_next split_newest finish_newest begin", "run < p_run", "false"),
    "set_status": ("claim_any claim_next fail", "error_message = p_error", "error_message = null"),
}
"""The function: the moves that show the fault, what of its text is changed, and to what."""


def _function(connection: psycopg.Connection[Any], fault: str) -> str:
    """The text of the function in which the fault is planted."""
    query = "select pg_get_functiondef(oid) from pg_proc where proname = %s"
    found = connection.execute(query, (f"docpipe_{fault.partition(',')[0]}",)).fetchone()
    return str(found[0]) if found else ""


@pytest.fixture
def plant(dsn: str) -> Iterator[Callable[[str], None]]:
    """Alters a function in the database, for this test."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        kept: list[str] = []

        def planted(fault: str) -> None:
            _, was, becomes = POSTGRES_FAULTS[fault]
            kept.append(_function(connection, fault))
            connection.execute(kept[-1].replace(was, becomes).encode())

        yield planted
        for text in kept:
            connection.execute(text.encode())


def test_each_fault_changes_words_that_are_in_its_function(dsn: str) -> None:
    with psycopg.connect(dsn) as connection:
        missing = {
            fault: was
            for fault, (_, was, _becomes) in POSTGRES_FAULTS.items()
            if was not in _function(connection, fault)
        }
    assert missing == {}, "these functions say it in other words now"


@pytest.mark.parametrize("fault", _mostly_slow(POSTGRES_FAULTS, "claim", "finish", "revive", "claim_range"))
def test_a_fault_planted_in_postgres_is_found(
    fault: str, sides: tuple[Side, Side], plant: Callable[[str], None]
) -> None:
    plant(fault)
    finds_a_fault(sides, POSTGRES_FAULTS[fault][0])
