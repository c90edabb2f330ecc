"""SQLite and Postgres let in the same documents in the same order: as `share_rules` says, after any moves."""

from __future__ import annotations

import sqlite3
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from docpipe.models import Ref
from docpipe.stores import share_rules as rules
from docpipe.stores.port import Store
from docpipe.stores.postgres.store import PostgresStore
from docpipe.stores.share_port import Limit, Share
from docpipe.stores.sqlite.store import SqliteStore
from tests.contract.test_shares import admitted, document, fail

PROJECTS = ("a", "b", "")
AT_ONCE = 500
EXAMPLES, MOVES = 6, 25
LIMITS = st.builds(
    Limit,
    st.sampled_from([None, *PROJECTS]),
    st.sampled_from([None, 1, 2, 4]),
    st.sampled_from([None, None, 2, 5]),
    st.sampled_from([1.0, 1.0, 2.0, 3.0]),
)
OTHERWISE = Limit(in_flight=2)
"""Where nothing is limited, nothing waits; so something always is."""


@dataclass
class Model:
    """What waits and what is in flight, by the rules alone."""

    limits: dict[str | None, Limit] = field(default_factory=lambda: {None: OTHERWISE})
    waiting: list[rules.Waiting] = field(default_factory=list)
    in_flight: list[rules.Waiting] = field(default_factory=list)
    today: Counter[str | None] = field(default_factory=Counter)

    def admit(self) -> list[Ref]:
        flying = Counter[str | None](each.project_id for each in self.in_flight)
        usage = rules.Usage(flying, self.today)
        let_in = rules.admitted(self.waiting, self.limits.values(), usage, AT_ONCE)
        self.waiting = [each for each in self.waiting if each not in let_in]
        self.in_flight += let_in
        self.today.update(each.project_id for each in let_in)
        return [each.ref for each in let_in]

    def shares(self) -> list[Share]:
        flying, waiting = (
            Counter(each.project_id for each in some) for some in (self.in_flight, self.waiting)
        )
        named = {name for name in self.limits if name is not None}
        projects = sorted(named | {*flying, *waiting} | {each for each in self.today if each is not None})
        return [Share(each, flying[each], waiting[each], self.today[each]) for each in projects]


class SharesMachine(RuleBasedStateMachine):
    """Subclasses say which stores are driven."""

    stores: ClassVar[Sequence[Store]] = ()
    connections: ClassVar[Sequence[Any]] = ()
    """To their databases."""

    def __init__(self) -> None:
        super().__init__()
        self.model, self.made = Model(), 0

    def each(self, move: Callable[[Store], object]) -> None:
        for store in self.stores:
            move(store)

    @initialize()
    def begin(self) -> None:
        self.each(lambda store: store.limit(OTHERWISE))

    def teardown(self) -> None:
        for connection in self.connections:
            for table in ("source_documents", "docpipe_limits"):
                connection.execute(f"delete from {table}")

    @rule(project=st.sampled_from(PROJECTS), priority=st.sampled_from([0, 0, 3]), count=st.integers(1, 3))
    def submit(self, project: str, priority: int, count: int) -> None:
        for _ in range(count):
            new = document(project or None, priority)
            for store in self.stores:
                store.register_many([new], [str(uuid.uuid4())])
            self.made += 1
            waiting = rules.Waiting(Ref(new.document_uuid, 1), project, priority, f"{self.made:05}")
            self.model.waiting.append(waiting)
        self.let_in()

    @rule(limit=LIMITS)
    def limit(self, limit: Limit) -> None:
        changed = self.model.limits | {limit.project_id: limit}
        if not any(each.limits for each in changed.values()):
            changed[limit.project_id] = limit = Limit(limit.project_id, in_flight=1)
        self.model.limits = {name: one for name, one in changed.items() if one.limits or one.weight != 1}
        self.each(lambda store: store.limit(limit))
        self.let_in()

    @precondition(lambda self: self.model.in_flight)
    @rule(place=st.integers(0, 9), how=st.sampled_from(["fail", "cancel", "delete"]))
    def end(self, place: int, how: str) -> None:
        gone = self.model.in_flight.pop(place % len(self.model.in_flight))
        if how == "delete":
            self.model.today -= Counter([gone.project_id])
        self.go(gone, how)

    @precondition(lambda self: self.model.waiting)
    @rule(place=st.integers(0, 9), how=st.sampled_from(["cancel", "delete"]))
    def wait_no_longer(self, place: int, how: str) -> None:
        gone = self.model.waiting.pop(place % len(self.model.waiting))
        self.go(gone, how)

    def go(self, gone: rules.Waiting, how: str) -> None:
        uuid_ = gone.ref.document_uuid
        if how == "fail":
            self.each(lambda store: fail(store, gone.ref))
        elif how == "cancel":
            self.each(lambda store: store.cancel(uuid_))
        else:
            self.each(lambda store: store.delete(uuid_))
        self.let_in()

    def let_in(self) -> None:
        expected = self.model.admit()
        for store in self.stores:
            assert admitted(store) == expected, f"{type(store).__name__} lets in others"
            assert store.shares() == self.model.shares(), f"{type(store).__name__} counts otherwise"


@pytest.fixture
def machine(database: str, tmp_path: Path) -> Iterator[type[SharesMachine]]:
    """Drives both stores, each with nothing in it."""
    file = tmp_path / "docpipe.db"
    both = SqliteStore(file), PostgresStore(database)
    both[0].check()
    with closing(sqlite3.connect(file, isolation_level=None)) as one, psycopg.connect(database) as other:
        one.execute("pragma foreign_keys = on")
        other.autocommit = True
        yield type("Driven", (SharesMachine,), {"stores": both, "connections": (one, other)})
    for store in both:
        store.close()


def drive(machine: type[SharesMachine], examples: int = EXAMPLES) -> None:
    patience = settings(
        max_examples=examples,
        stateful_step_count=MOVES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(machine, settings=patience)


def test_both_stores_let_in_what_the_rules_say(machine: type[SharesMachine]) -> None:
    drive(machine)


FAULTS = {
    "a weight": (") / t.weight", ") / 1"),
    "a priority": ("order by c.priority,", "order by"),
    "a limit of a project": ("l.in_flight - f.n", "null"),
    "a limit of a day": ("l.per_day - (select", "null - (select"),
}


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_planted_in_postgres_is_found(
    machine: type[SharesMachine], database: str, fault: str
) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        found = connection.execute("select pg_get_functiondef('docpipe_admit'::regproc)").fetchone()
        assert found is not None
        was, becomes = FAULTS[fault]
        assert was in found[0]
        connection.execute(found[0].replace(was, becomes))
        try:
            with pytest.raises(AssertionError, match="PostgresStore lets in others"):
                drive(machine, 4 * EXAMPLES)
        finally:
            connection.execute(found[0])
