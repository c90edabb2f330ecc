"""Random moves of several workers on one document, made on two stores and a model at once.

After every move the answers of all three and all that their ledgers hold are compared.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from docpipe.models import Failure, PageRange, Ref, StageOutput, Warn
from docpipe.plan import CHUNK, OCR
from docpipe.stores.ledger_rules import Claimant
from docpipe.stores.port import Claim, NewDocument, PlannedStage
from tests.contract.ledger_model import Model, ModelRow, ModelRun
from tests.contract.ledger_sides import HOUR, Side, Snapshot, hours

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
BACK = st.sampled_from([0, 0, 0, 0, 1, 1, 2, 3])
"""Of the tokens that were given, counted back from the newest."""
STAGES = st.sampled_from([None, None, None, "ocr", "chunk"])
"""None: the first that is not complete."""
ATTEMPTS = st.sampled_from([2, 2, 3])
AT_ONCE = st.sampled_from([1, 2])
SPLITS = st.sampled_from([((1, 2), (3, 3)), ((1, 1), (2, 2), (3, 3)), ((1, 3),)])
PAGES = st.sampled_from([1, 1, 2, 3])
TASKS = st.integers(1, 3).map("task {}".format)
FAILURES = st.sampled_from(
    [Failure(code, "SomeError", f"It was {code}.", "", "Traceback…") for code in ("corrupt", "timeout")]
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

    # --- comparing ----------------------------------------------------------------------------------------

    def step(self, expected: Any, move: Callable[[Side], Any]) -> None:
        """Make the move on each store; it is answered as the model answered, and leaves the same behind."""
        type(self).steps += 1
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
            "document": [
                {
                    "docpipe_run": len(model.runs),
                    "docpipe_result_run": model.result_run,
                    "celery_status": model.status,
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

    @rule(back=RUNS, stage=STAGES, task_id=TASKS)
    def queue(self, back: int, stage: str | None, task_id: str) -> None:
        run = self.run_of(back)
        name, ref = self.stage_of(run, stage), self.model.ref(run)
        self.step(self.model.queue(run, name, task_id), lambda side: side.store.queue(ref, name, task_id))

    @rule(back=RUNS, stage=STAGES)
    def publish_failed(self, back: int, stage: str | None) -> None:
        run = self.run_of(back)
        name, ref = self.stage_of(run, stage), self.model.ref(run)
        expected = self.model.publish_failed(run, name, "no broker")
        self.step(expected, lambda side: side.store.publish_failed(ref, name, "no broker"))

    @rule(back=RUNS, stage=STAGES, claimant=st.deferred(lambda: CLAIMANTS), again=st.booleans())
    def claim(self, back: int, stage: str | None, claimant: Claimant, again: bool) -> None:
        run, asked = self.run_of(back), self.claimant(claimant, again=again)
        name, ref = self.stage_of(run, stage), self.model.ref(run)
        expected = self.model.claim(run, name, asked)
        self.step(expected, lambda side: side.claimed(side.store.claim(ref, name, asked)))
        self.keep(run, name, expected)

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

    @precondition(lambda self: self.holds(str))
    @rule(back=BACK, lease=LEASES)
    def heartbeat(self, back: int, lease: float) -> None:
        run, name, token, ref = self.held_stage(back)
        expected = self.model.heartbeat(run, name, token, lease)
        self.step(expected, lambda side: side.store.heartbeat(ref, name, side.real(token), lease))

    def held_stage(self, back: int) -> tuple[ModelRun, str, int, Ref]:
        held = self.token(back, str)
        run = self.model.runs[held.run - 1]
        return run, str(held.where), held.token, self.model.ref(run)

    @precondition(lambda self: self.holds(str))
    @rule(back=BACK, warned=st.booleans())
    def finish(self, back: int, warned: bool) -> None:
        run, name, token, ref = self.held_stage(back)
        output = StageOutput(text="text", warnings=(ODD,) if warned else ())
        expected = self.model.finish(run, name, token, warned=warned)
        self.step(expected, lambda side: side.store.finish(ref, name, side.real(token), output))

    @precondition(lambda self: self.holds(str))
    @rule(back=BACK, failure=FAILURES, delay=DELAYS)
    def retry(self, back: int, failure: Failure, delay: float) -> None:
        run, name, token, ref = self.held_stage(back)
        expected = self.model.retry(run, name, token, failure, delay)
        self.step(expected, lambda side: side.store.retry(ref, name, side.real(token), failure, delay))

    @precondition(lambda self: self.holds(str))
    @rule(back=BACK, failure=FAILURES)
    def fail(self, back: int, failure: Failure) -> None:
        run, name, token, ref = self.held_stage(back)
        expected = self.model.fail(run, name, token, failure)
        self.step(expected, lambda side: side.store.fail(ref, name, side.real(token), failure))

    @rule(back=RUNS, stage=STAGES, failure=FAILURES)
    def fail_without_token(self, back: int, stage: str | None, failure: Failure) -> None:
        run = self.run_of(back)
        name, ref = self.stage_of(run, stage), self.model.ref(run)
        expected = self.model.fail(run, name, None, failure)
        self.step(expected, lambda side: side.store.fail(ref, name, None, failure))

    @rule(back=RUNS, task_id=TASKS, failure=FAILURES)
    def fail_task(self, back: int, task_id: str, failure: Failure) -> None:
        run = self.run_of(back)
        ref = self.model.ref(run)
        expected = self.model.fail_task(run, task_id, failure)
        self.step(expected, lambda side: side.store.fail_task(ref, task_id, failure))

    @rule()
    def cancel(self) -> None:
        self.step(self.model.cancel(), lambda side: side.store.cancel(self.document))

    # --- resuming -----------------------------------------------------------------------------------------

    @rule(by=JUMPS)
    def jump(self, by: int) -> None:
        """The clock jumps."""
        self.model.now += timedelta(hours=by)
        self.step(None, lambda side: side.jump(self.document, by))

    @rule()
    def stalled(self) -> None:
        expected = self.model.stalled(GRACE)
        self.step(
            expected,
            lambda side: [
                each
                for each in side.store.stalled(grace_seconds=GRACE)
                if each.ref.document_uuid == self.document
            ],
        )

    @rule(back=RUNS, most=ATTEMPTS, task_id=TASKS)
    def revive(self, back: int, most: int, task_id: str) -> None:
        run = self.run_of(back)
        terms: dict[str, Any] = {"grace_seconds": GRACE, "max_attempts": most, "task_id": task_id}
        ref, expected = self.model.ref(run), self.model.revive(run, **terms)
        self.step(expected, lambda side: side.store.revive(ref, **terms))

    @rule(task_id=TASKS, at_once=AT_ONCE)
    def resume(self, task_id: str, at_once: int) -> None:
        expected = self.model.resume(task_id, at_once)
        self.step(
            expected, lambda side: side.store.resume(self.document, task_id, ranges_at_once=at_once)
        )

    @precondition(lambda self: len(self.model.runs) < 4)
    @rule(index=st.integers(0, 1))
    def reprocess(self, index: int) -> None:
        name = self.plan[index].name
        expected = self.model.reprocess(name)
        self.step(expected, lambda side: side.store.reprocess(self.document, name, self.plan))

    @precondition(lambda self: len(self.model.runs) < 4)
    @rule()
    def register_again(self) -> None:
        run = self.model.begin()
        new = replace(self.new, reprocess=True)
        self.step(self.model.ref(run), lambda side: side.store.register(new).ref)

    # --- moves of ranges ----------------------------------------------------------------------------------

    @precondition(lambda self: self.holds(str))
    @rule(back=BACK, pages=SPLITS, at_once=AT_ONCE)
    def split(self, back: int, pages: tuple[tuple[int, int], ...], at_once: int) -> None:
        run, name, token, ref = self.held_stage(back)
        if run.ranges and run.stage(name).task_id is not None:
            return  # the attempt that joins ranges does not split: no pages are left for it to read
        ranges = [PageRange(*each) for each in pages]
        expected = self.model.split(run, name, token, ranges, at_once)
        self.step(
            expected, lambda side: side.store.ranges.split(ref, name, side.real(token), ranges, at_once)
        )

    @precondition(lambda self: any(run.ranges for run in self.model.runs))
    @rule(back=RUNS, first=PAGES, claimant=st.deferred(lambda: CLAIMANTS), again=st.booleans())
    def claim_range(self, back: int, first: int, claimant: Claimant, again: bool) -> None:
        run, asked = self.run_of(back), self.claimant(claimant, again=again)
        ref, expected = self.model.ref(run), self.model.claim_range(run, first, asked)
        self.step(expected, lambda side: side.claimed(side.store.ranges.claim(ref, first, asked)))
        self.keep(run, first, expected)

    def held_range(self, back: int) -> tuple[ModelRun, int, Ref]:
        held = self.token(back, int)
        run = self.model.runs[held.run - 1]
        return run, held.token, self.model.ref(run)

    @precondition(lambda self: self.holds(int))
    @rule(back=BACK, lease=LEASES)
    def heartbeat_range(self, back: int, lease: float) -> None:
        run, token, ref = self.held_range(back)
        expected = self.model.heartbeat_range(run, token, lease)
        self.step(expected, lambda side: side.store.ranges.heartbeat(ref, side.real(token), lease))

    @precondition(lambda self: self.holds(int))
    @rule(back=BACK, at_once=AT_ONCE, page_failed=st.booleans())
    def finish_range(self, back: int, at_once: int, page_failed: bool) -> None:
        run, token, ref = self.held_range(back)
        output = StageOutput(text="", pages=(), warnings=(PAGE_FAILED,) if page_failed else ())
        expected = self.model.finish_range(run, token, at_once, page_failed=page_failed)
        self.step(
            expected, lambda side: side.store.ranges.finish(ref, side.real(token), output, at_once)
        )

    @precondition(lambda self: self.holds(int))
    @rule(back=BACK, failure=FAILURES, delay=DELAYS)
    def retry_range(self, back: int, failure: Failure, delay: float) -> None:
        run, token, ref = self.held_range(back)
        expected = self.model.retry_range(run, token, failure, delay)
        self.step(expected, lambda side: side.store.ranges.retry(ref, side.real(token), failure, delay))

    @precondition(lambda self: self.holds(int))
    @rule(back=BACK, failure=FAILURES, at_once=AT_ONCE)
    def fail_range(self, back: int, failure: Failure, at_once: int) -> None:
        run, token, ref = self.held_range(back)
        expected = self.model.fail_range(run, token, failure, at_once)
        self.step(expected, lambda side: side.store.ranges.fail(ref, side.real(token), failure, at_once))

    @precondition(lambda self: self.holds(int))
    @rule(back=BACK, failure=FAILURES)
    def fail_stage(self, back: int, failure: Failure) -> None:
        run, token, ref = self.held_range(back)
        expected = self.model.fail_stage(run, token, failure)
        self.step(expected, lambda side: side.store.ranges.fail_stage(ref, side.real(token), failure))

    @precondition(lambda self: any(run.ranges for run in self.model.runs))
    @rule(back=RUNS, first=PAGES, most=ATTEMPTS, at_once=AT_ONCE)
    def revive_range(self, back: int, first: int, most: int, at_once: int) -> None:
        run = self.run_of(back)
        terms: dict[str, Any] = {"grace_seconds": GRACE, "max_attempts": most, "at_once": at_once}
        ref, expected = self.model.ref(run), self.model.revive_range(run, first, **terms)
        self.step(expected, lambda side: side.store.ranges.revive(ref, first, **terms))

    @precondition(lambda self: len(self.model.runs) < 4)
    @rule(at_once=AT_ONCE)
    def replay(self, at_once: int) -> None:
        expected = self.model.replay(at_once)
        self.step(expected, lambda side: side.store.ranges.replay(self.document, self.plan, at_once))


CLAIMANTS = st.builds(
    Claimant,
    claim_id=st.just(""),
    task_id=TASKS,
    worker=st.sampled_from(["host:1", "host:2", "host:3"]),
    lease_seconds=LEASES,
    max_attempts=ATTEMPTS,
)


def _part(row: dict[str, Any], like: list[dict[str, Any]]) -> dict[str, Any]:
    return {key: row[key] for key in like[0]} if like else row
