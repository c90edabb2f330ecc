"""Random moves of several workers on one document, made on two stores and a model at once.

After every move the answers of all three and all that their ledgers hold are compared.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, ClassVar

from hypothesis import stateful
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from docpipe.execution.plan import CHUNK, OCR
from docpipe.models import Failure, PageRange, Ref, StageOutput, Warn
from docpipe.models.status import celery_status
from docpipe.stores import ledger_rules as rules
from docpipe.stores.ledger_terms import Claimant, Move
from docpipe.stores.values import Claim, Finished, NewDocument, NextClaim, PlannedStage, Stalled
from tests.contract.ledger_model import Model, ModelRow, ModelRun, known
from tests.contract.ledger_sides import HOUR, Side, Snapshot, hours
from tests.contract.test_store import lost

PLAN = [OCR.planned, CHUNK.planned]
PRIORITY = 4
GRACE = 2 * HOUR
JUMPS = st.sampled_from([3, 3, 6, 12])
"""Hours. No sum of jumps meets the end of a lease, a delay or the grace to the hour: clocks of two stores
are never compared at the edge.
"""
LEASES = st.sampled_from([10 * HOUR, 4 * HOUR])
DELAYS = st.sampled_from([0.0, 5 * HOUR])
RUNS = st.sampled_from([0, 0, 0, 0, 1])
"""Counted back from the newest."""
BACK = st.sampled_from([0, 0, 0, 1, 1, 2])
"""Of the tokens that were given, counted back from the newest."""
STAGES = st.sampled_from([None, None, None, None, None, "ocr", "chunk"])
"""None: the first that is not complete."""
ATTEMPTS = st.sampled_from([1, 2, 2, 3])
AT_ONCE = st.sampled_from([1, 2])
SPLITS = st.sampled_from([((1, 2), (3, 3)), ((1, 1), (2, 2), (3, 3)), ((1, 3),)])
PAGES = st.integers(0, 4)
"""Which range of a run, counted from its first; 4: a page that no range begins with."""
AGAIN = st.sampled_from([False, False, False, True])
MOST_RUNS = 4
TASKS = st.integers(1, 3).map("task {}".format)
FAILURES = st.sampled_from(
    [Failure(code, "SomeError", f"It was {code}.", "", "Traceback…") for code in ("corrupt", "timeout")]
)
CLAIMANTS = st.builds(
    Claimant,
    claim_id=st.just(""),
    task_id=TASKS,
    worker=st.sampled_from(["host:1", "host:2", "host:3"]),
    lease_seconds=LEASES,
    max_attempts=ATTEMPTS,
)
PAGE_FAILED = Warn("page_failed", "It could not be read.", 1)
ODD = Warn("odd", "It is odd.")


@dataclass(frozen=True)
class Held:
    """A claim that was granted, by the test's name of its token."""

    run: int
    where: str | int
    token: int


class LedgerMachine(RuleBasedStateMachine):
    """Subclasses say which stores are driven."""

    sides: ClassVar[Sequence[Side]] = ()
    plan: ClassVar[Sequence[PlannedStage]] = PLAN
    steps: ClassVar[int] = 0
    hurried: ClassVar[bool] = False
    """Whether no move waits for others to be made: for machines of few moves (`of_few_moves`)."""

    def __init__(self) -> None:
        super().__init__()
        self.document = str(uuid.uuid4())
        self.new = NewDocument(
            self.document,
            None,
            "a.txt",
            "file:///a.txt",
            uuid.uuid4().hex * 2,
            1,
            {},
            self.plan,
            priority=PRIORITY,
        )
        self.model = Model(self.document, self.plan, PRIORITY)
        self.held: list[Held] = []
        self.claims: list[Claimant] = []
        self.made = 0
        self.last: dict[str, int] = {}
        for side in self.sides:
            side.forget_tokens()

    @initialize()
    def register(self) -> None:
        for side in self.sides:
            assert side.store.register(self.new).ref == Ref(self.document, 1)
        self.compare()

    def teardown(self) -> None:
        for side in self.sides:
            side.remove(self.document)

    # --- choosing -----------------------------------------------------------------------------------------

    def run_of(self, back: int) -> ModelRun:
        return self.model.runs[-1 - min(back, len(self.model.runs) - 1)]

    def stage_of(self, run: ModelRun, stage: str | None) -> str:
        first = run.first_incomplete
        return stage or (first.plan.name if first else self.plan[-1].name)

    def token(self, back: int, kind: type) -> Held:
        found = [held for held in self.held if isinstance(held.where, kind)]
        return found[-1 - min(back, len(found) - 1)]

    def holds(self, kind: type) -> bool:
        return any(isinstance(held.where, kind) for held in self.held)

    def first_page(self, run: ModelRun, place: int) -> int:
        firsts = sorted(each.first for each in run.ranges)
        return firsts[place % len(firsts)] if firsts and place < 4 else 9

    @property
    def in_ranges(self) -> bool:
        return bool(self.model.newest.ranges)

    def rested(self, what: str, moves: int) -> bool:
        """Whether so many moves were made since the last of this kind: the others come to something."""
        return self.hurried or self.made - self.last.get(what, 0) >= moves

    def can_finish(self, kind: type) -> bool:
        """Whether the newest token is good for a finish."""
        if not self.holds(kind):
            return False
        held = self.token(0, kind)
        run = self.model.runs[held.run - 1]
        if isinstance(held.where, int):
            row = known(run.by_token(held.token))
        else:
            row = run.seen_stage(run.stage(held.where))
        return rules.finish(run.seen, row, held.token) is Move.APPLY

    def can_claim(self) -> bool:
        """Whether the stage that is next waits for a worker."""
        run = self.model.newest
        row = run.seen_stage(run.first_incomplete)
        return (
            run.seen.active
            and row is not None
            and not row.in_ranges
            and not rules.is_leased(row, self.model.now)
        )

    def is_waiting(self) -> bool:
        return bool(self.model.stalled(GRACE))

    # --- comparing ----------------------------------------------------------------------------------------

    def step(self, expected: Any, move: Callable[[Side], Any]) -> None:
        """Make the move on each store; it is answered as the model answered, and leaves the same behind."""
        type(self).steps += 1
        self.made += 1
        for side in self.sides:
            assert move(side) == expected, f"{side.name} answers differently"
        self.compare()

    def compare(self) -> None:
        first, second = (side.snapshot(self.document) for side in self.sides)
        expected = self.expected()
        for side, found in zip(self.sides, (first, second), strict=True):
            for what, rows in expected.items():
                assert [_part(row, rows) for row in found[what]] == rows, f"{side.name} keeps other {what}"
        assert first == second, "the stores keep different things"

    def expected(self) -> Snapshot:
        model, now = self.model, self.model.now

        def row(run: ModelRun, stage: str, each: ModelRow) -> dict[str, Any]:
            return {
                "run": run.number,
                "stage": stage,
                "state": each.state.value,
                "attempt": each.attempt,
                "token": each.token,
                "claim_id": each.claim_id,
                "task_id": each.task_id,
                "lease_expires_at": hours(each.lease_expires_at, now),
                "queued_at": hours(each.queued_at, now),
                "error_code": each.error_code,
                "error_message": each.error_message,
            }

        return {
            "runs": [
                {"run": run.number, "state": run.state.value, "cancel_requested": run.cancel_requested}
                for run in model.runs
            ],
            "stages": [row(run, stage.plan.name, stage) for run in model.runs for stage in run.stages],
            "ranges": [
                row(run, each.stage, each) | {"first_page": each.first, "last_page": each.last}
                for run in model.runs
                for each in sorted(run.ranges, key=lambda each: each.first)
            ],
            "attempts": [
                {
                    "run": each.run,
                    "stage": each.stage,
                    "first_page": each.first,
                    "last_page": each.last,
                    "attempt": each.attempt,
                    "token": each.token,
                    "task_id": each.task_id,
                    "worker": each.worker,
                    "started_at": hours(each.started_at, now),
                    "ended": each.ended,
                    "ended_at": hours(each.ended_at, now),
                    "error_code": each.error_code,
                }
                for each in model.attempts
            ],
            "document": [
                {
                    "docpipe_run": len(model.runs),
                    "docpipe_result_run": model.result_run,
                    "celery_status": celery_status(model.status),
                    "initial_processing_status": model.status,
                    "celery_task_id": model.task_id,
                    "error_message": model.error,
                }
            ],
            "graph": [{"processingStatus": model.graph_status}] if model.graph_status else [],
            "history": [
                {"run": run, "status": status, "graph_status": graph} for run, status, graph in model.history
            ],
        }

    # --- moves of stages ----------------------------------------------------------------------------------

    def claim(self, back: int, stage: str | None, claimant: Claimant, again: bool) -> None:
        run, asked = self.run_of(back), self.claimant(claimant, again=again)
        name, ref = self.stage_of(run, stage), self.model.ref(run)
        expected = self.model.claim(run, name, asked)
        self.step(expected, lambda side: side.claimed(side.store.claim(ref, name, asked)))
        self.keep(run, name, expected)

    claim_any = rule(back=RUNS, stage=STAGES, claimant=CLAIMANTS, again=AGAIN)(claim)
    claim_next = precondition(can_claim)(
        rule(back=st.just(0), stage=st.none(), claimant=CLAIMANTS, again=st.just(False))(claim)
    )

    def claimant(self, claimant: Claimant, *, again: bool) -> Claimant:
        """A request of its own; or the newest once more, because its answer was lost."""
        if again and self.claims:
            return self.claims[-1]
        self.claims.append(replace(claimant, claim_id=f"claim {len(self.claims)}"))
        return self.claims[-1]

    def keep(self, run: ModelRun, where: str | int, answer: Claim) -> None:
        if answer.token is not None:
            held = Held(run.number, where, answer.token)
            self.held = [other for other in self.held if other != held] + [held]

    def held_stage(self, back: int) -> tuple[ModelRun, str, int, Ref]:
        held = self.token(back, str)
        run = self.model.runs[held.run - 1]
        return run, str(held.where), held.token, self.model.ref(run)

    @precondition(lambda self: self.can_finish(str) or (self.holds(str) and self.rested("heartbeat", 5)))
    @rule(back=BACK, lease=LEASES)
    def heartbeat(self, back: int, lease: float) -> None:
        self.last["heartbeat"] = self.made
        run, name, token, ref = self.held_stage(back)
        expected = self.model.heartbeat(run, name, token, lease)
        self.step(expected, lambda side: side.store.heartbeat(ref, name, side.real(token), lease))

    def finish(self, back: int, warned: bool) -> None:
        self.last["late"] = self.made
        run, name, token, ref = self.held_stage(back)
        output = StageOutput(text="text", warnings=(ODD,) if warned else ())
        expected = self.model.finish(run, name, token, warned=warned)
        self.step(expected, lambda side: side.store.finish(ref, name, side.real(token), output))

    finish_any = precondition(lambda self: self.holds(str) and self.rested("late", 4))(
        rule(back=BACK, warned=st.booleans())(finish)
    )
    finish_late = precondition(lambda self: self.can_finish(str) and len(self.held) > 1)(
        rule(back=st.just(1), warned=st.booleans())(finish)
    )
    finish_newest = precondition(lambda self: self.can_finish(str))(
        rule(back=st.just(0), warned=st.booleans())(finish)
    )

    @precondition(lambda self: self.can_finish(str) or (self.holds(str) and self.rested("late", 4)))
    @rule(back=BACK, claimant=CLAIMANTS, again=AGAIN)
    def finish_on(self, back: int, claimant: Claimant, again: bool) -> None:
        """A finish, and the claim of the next stage with it."""
        self.last["late"] = self.made
        run, name, token, ref = self.held_stage(back)
        following = self.following(name)
        if following is None:
            return
        then = NextClaim(following, self.claimant(claimant, again=again))
        in_time = self.model.finish(run, name, token, warned=False)
        claim = self.model.claim(run, following, then.claimant) if in_time else None

        def move(side: Side) -> Finished:
            made = side.store.finish_on(ref, name, side.real(token), StageOutput(text="text"), then)
            return replace(made, claim=made.claim and side.claimed(made.claim))

        self.step(Finished(in_time, claim), move)
        if claim is not None:
            self.keep(run, following, claim)

    def following(self, stage: str) -> str | None:
        names = [each.name for each in self.plan]
        return next(iter(names[names.index(stage) + 1 :]), None)

    @precondition(lambda self: self.can_finish(str) or (self.holds(str) and self.rested("fail", 5)))
    @rule(back=BACK, failure=FAILURES, delay=DELAYS, for_good=AGAIN)
    def fail(self, back: int, failure: Failure, delay: float, for_good: bool) -> None:
        self.last["fail"] = self.made
        run, name, token, ref = self.held_stage(back)
        if for_good:
            expected = self.model.fail(run, name, token, failure)
            self.step(expected, lambda side: side.store.fail(ref, name, side.real(token), failure))
        else:
            expected = self.model.retry(run, name, token, failure, delay)
            self.step(expected, lambda side: side.store.retry(ref, name, side.real(token), failure, delay))

    @precondition(lambda self: self.rested("message", 5))
    @rule(
        what=st.sampled_from(["queue", "publish_failed", "fail", "fail_task"]),
        back=RUNS,
        stage=STAGES,
        task_id=TASKS,
        failure=FAILURES,
    )
    def message(self, what: str, back: int, stage: str | None, task_id: str, failure: Failure) -> None:
        """What the broker's side says of a stage, without a token."""
        self.last["message"] = self.made
        run, model = self.run_of(back), self.model
        name, ref = self.stage_of(run, stage), model.ref(run)
        expected, move = {
            "queue": lambda: (
                model.queue(run, name, task_id),
                lambda side: side.store.queue(ref, name, task_id),
            ),
            "publish_failed": lambda: (
                model.publish_failed(run, name, "no broker"),
                lambda side: side.store.publish_failed(ref, name, "no broker"),
            ),
            "fail": lambda: (
                model.fail(run, name, None, failure),
                lambda side: side.store.fail(ref, name, None, failure),
            ),
            "fail_task": lambda: (
                model.fail_task(run, task_id, failure),
                lambda side: side.store.fail_task(ref, task_id, failure),
            ),
        }[what]()
        self.step(expected, move)

    # --- resuming -----------------------------------------------------------------------------------------

    @precondition(lambda self: self.rested("jump", 3))
    @rule(by=JUMPS)
    def jump(self, by: int) -> None:
        """The clock jumps, and the reaper looks what stands still."""
        self.last["jump"] = self.made
        self.model.now += timedelta(hours=by)

        def move(side: Side) -> list[Stalled]:
            side.jump(self.document, by)
            found = lost(side.store, GRACE)
            return [each for each in found if each.ref.document_uuid == self.document]

        self.step(self.model.stalled(GRACE), move)

    def revive(self, back: int, most: int, task_id: str) -> None:
        self.last["revive"] = self.made
        run = self.run_of(back)
        terms: dict[str, Any] = {"grace_seconds": GRACE, "max_attempts": most, "task_id": task_id}
        ref, expected = self.model.ref(run), self.model.revive(run, **terms)
        self.step(expected, lambda side: side.store.revive(ref, **terms))

    revive_any = precondition(lambda self: self.is_waiting() or self.rested("revive", 5))(
        rule(back=RUNS, most=ATTEMPTS, task_id=TASKS)(revive)
    )
    revive_lost = precondition(is_waiting)(
        rule(back=st.just(0), most=st.sampled_from([1, 3]), task_id=TASKS)(revive)
    )

    @precondition(lambda self: self.rested("cancel", 12))
    @rule()
    def cancel(self) -> None:
        self.last["cancel"] = self.made
        self.step(self.model.cancel(), lambda side: side.store.cancel(self.document))

    @precondition(lambda self: self.rested("begin", 16) and len(self.model.runs) < MOST_RUNS)
    @rule(stage=st.sampled_from([None, "ocr", "chunk"]))
    def begin(self, stage: str | None) -> None:
        """A new run, whatever the state of the newest; None: by registering the document again."""
        self.last["begin"] = self.made
        if stage is None:
            run, new = self.model.begin(), replace(self.new, reprocess=True)
            self.step(self.model.ref(run), lambda side: side.store.register(new).ref)
        else:
            expected = self.model.reprocess(stage)
            self.step(expected, lambda side: side.store.reprocess(self.document, stage, self.plan))

    def resume(self, task_id: str, at_once: int) -> None:
        self.last["resume"] = self.made
        expected = self.model.resume(task_id, at_once)
        self.step(expected, lambda side: side.store.resume(self.document, task_id, ranges_at_once=at_once))

    resume_any = precondition(lambda self: self.rested("resume", 16))(
        rule(task_id=TASKS, at_once=AT_ONCE)(resume)
    )
    resume_what_ended = precondition(lambda self: rules.resumable(self.model.newest.seen))(
        rule(task_id=TASKS, at_once=AT_ONCE)(resume)
    )

    # --- moves of ranges ----------------------------------------------------------------------------------

    def split(self, back: int, pages: tuple[tuple[int, int], ...], at_once: int) -> None:
        self.last["late"] = self.made
        run, name, token, ref = self.held_stage(back)
        if run.ranges and run.stage(name).task_id is not None:
            return  # the attempt that joins ranges does not split: no pages are left for it to read
        ranges = [PageRange(*each) for each in pages]
        expected = self.model.split(run, name, token, ranges, at_once)
        self.step(
            expected, lambda side: side.store.ranges.split(ref, name, side.real(token), ranges, at_once)
        )

    split_any = precondition(lambda self: self.holds(str) and self.rested("late", 4))(
        rule(back=BACK, pages=SPLITS, at_once=AT_ONCE)(split)
    )
    split_late = precondition(
        lambda self: (
            self.can_finish(str) and len(self.held) > 1 and not self.in_ranges and self.rested("late", 4)
        )
    )(rule(back=st.just(1), pages=SPLITS, at_once=AT_ONCE)(split))
    split_newest = precondition(lambda self: self.can_finish(str) and not self.in_ranges)(
        rule(back=st.just(0), pages=SPLITS, at_once=AT_ONCE)(split)
    )

    def claim_range(self, back: int, place: int, claimant: Claimant, again: bool) -> None:
        run, asked = self.run_of(back), self.claimant(claimant, again=again)
        first = self.first_page(run, place)
        ref, expected = self.model.ref(run), self.model.claim_range(run, first, asked)
        self.step(expected, lambda side: side.claimed(side.store.ranges.claim(ref, first, asked)))
        self.keep(run, first, expected)

    claim_any_range = precondition(lambda self: self.in_ranges)(
        rule(back=RUNS, place=PAGES, claimant=CLAIMANTS, again=AGAIN)(claim_range)
    )
    claim_range_again = precondition(lambda self: self.in_ranges)(
        rule(back=RUNS, place=PAGES, claimant=CLAIMANTS, again=AGAIN)(claim_range)
    )

    def held_range(self, back: int) -> tuple[ModelRun, int, Ref]:
        held = self.token(back, int)
        run = self.model.runs[held.run - 1]
        return run, held.token, self.model.ref(run)

    @precondition(lambda self: self.can_finish(int) or (self.holds(int) and self.rested("heartbeat", 5)))
    @rule(back=BACK, lease=LEASES)
    def heartbeat_range(self, back: int, lease: float) -> None:
        self.last["heartbeat"] = self.made
        run, token, ref = self.held_range(back)
        expected = self.model.heartbeat_range(run, token, lease)
        self.step(expected, lambda side: side.store.ranges.heartbeat(ref, side.real(token), lease))

    def finish_range(self, back: int, at_once: int, page_failed: bool) -> None:
        self.last["late"] = self.made
        run, token, ref = self.held_range(back)
        output = StageOutput(text="", pages=(), warnings=(PAGE_FAILED,) if page_failed else ())
        expected = self.model.finish_range(run, token, at_once, page_failed=page_failed)
        self.step(expected, lambda side: side.store.ranges.finish(ref, side.real(token), output, at_once))

    finish_any_range = precondition(lambda self: self.holds(int) and self.rested("late", 4))(
        rule(back=BACK, at_once=AT_ONCE, page_failed=st.booleans())(finish_range)
    )
    finish_newest_range = precondition(lambda self: self.can_finish(int))(
        rule(back=st.just(0), at_once=AT_ONCE, page_failed=st.booleans())(finish_range)
    )

    @precondition(lambda self: self.holds(int))
    @rule(
        what=st.sampled_from(["retry", "retry", "fail", "fail", "fail_stage"]),
        back=BACK,
        failure=FAILURES,
        delay=DELAYS,
        at_once=AT_ONCE,
    )
    def fail_range(self, what: str, back: int, failure: Failure, delay: float, at_once: int) -> None:
        run, token, ref = self.held_range(back)
        expected: Any
        if what == "retry":
            expected = self.model.retry_range(run, token, failure, delay)
            self.step(expected, lambda side: side.store.ranges.retry(ref, side.real(token), failure, delay))
        elif what == "fail":
            expected = self.model.fail_range(run, token, failure, at_once)
            self.step(expected, lambda side: side.store.ranges.fail(ref, side.real(token), failure, at_once))
        else:
            expected = self.model.fail_stage(run, token, failure)
            self.step(expected, lambda side: side.store.ranges.fail_stage(ref, side.real(token), failure))

    @precondition(lambda self: self.in_ranges)
    @rule(back=RUNS, place=PAGES, most=ATTEMPTS, at_once=AT_ONCE)
    def revive_range(self, back: int, place: int, most: int, at_once: int) -> None:
        run = self.run_of(back)
        first = self.first_page(run, place)
        terms: dict[str, Any] = {"grace_seconds": GRACE, "max_attempts": most, "at_once": at_once}
        ref, expected = self.model.ref(run), self.model.revive_range(run, first, **terms)
        self.step(expected, lambda side: side.store.ranges.revive(ref, first, **terms))

    @precondition(lambda self: self.in_ranges and len(self.model.runs) < MOST_RUNS)
    @precondition(lambda self: not self.model.newest.seen.active or self.rested("replay", 12))
    @rule(at_once=AT_ONCE)
    def replay(self, at_once: int) -> None:
        self.last["replay"] = self.made
        expected = self.model.replay(at_once)
        self.step(expected, lambda side: side.store.ranges.replay(self.document, self.plan, at_once))


MOVES = frozenset(name for name, each in vars(LedgerMachine).items() if hasattr(each, stateful.RULE_MARKER))
"""What a machine may do, by the names above."""


def of_few_moves(moves: Collection[str]) -> type[LedgerMachine]:
    """The machine without its other moves, so that these few come to what they lead to in a few steps."""
    assert MOVES.issuperset(moves), f"no such moves: {set(moves) - MOVES}"
    return type("Hurried", (LedgerMachine,), {"hurried": True, **dict.fromkeys(MOVES.difference(moves))})


def _part(row: dict[str, Any], like: list[dict[str, Any]]) -> dict[str, Any]:
    return {key: row[key] for key in like[0]} if like else row
