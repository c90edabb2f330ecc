"""The ledger of one document in memory: the pure rules decide, and the changes are spelled out here.

Written against what `docpipe/stores/port.py` and `ranges.py` promise, not after a store.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count

from docpipe.models import Failure, PageRange, Ref
from docpipe.models.status import CANCELLED, PENDING, AttemptEnd, RunState, StageState
from docpipe.stores import ledger_rules as rules
from docpipe.stores.ledger_terms import Answer, Beat, Cancel, Claimant, Move, Revive, Row, Run
from docpipe.stores.values import (
    Claim,
    Handover,
    Heartbeat,
    Outcome,
    PlannedStage,
    Resumption,
    Revival,
    Stalled,
)

REFUSED = {
    Answer.COMPLETE: Outcome.COMPLETE,
    Answer.END_CANCELLED: Outcome.OVER,
    Answer.OVER: Outcome.OVER,
    Answer.NOT_READY: Outcome.NOT_READY,
    Answer.UNKNOWN: Outcome.UNKNOWN,
}
BEATS = {
    Beat.EXTEND: Heartbeat.OK,
    Beat.EXTEND_AND_STOP: Heartbeat.CANCELLED,
    Beat.STOP: Heartbeat.CANCELLED,
    Beat.LOST: Heartbeat.LOST,
}


@dataclass
class ModelRow:
    """What a stage and a range have in common."""

    state: StageState = StageState.QUEUED
    attempt: int = 0
    token: int | None = None
    claim_id: str | None = None
    task_id: str | None = None
    lease_expires_at: datetime | None = None
    queued_at: datetime | None = None
    error_code: str | None = None
    error_message: str | None = None

    def blame(self, failure: Failure | None) -> None:
        self.error_code = None if failure is None else failure.code
        self.error_message = None if failure is None else failure.message


@dataclass
class ModelAttempt:
    run: int
    stage: str
    first: int | None
    last: int | None
    attempt: int
    token: int
    task_id: str
    worker: str
    started_at: datetime
    ended: AttemptEnd | None = None
    ended_at: datetime | None = None
    error_code: str | None = None


@dataclass
class ModelRange(ModelRow):
    first: int = 1
    last: int = 1
    stage: str = ""
    page_failed: bool = False

    @property
    def replayable(self) -> bool:
        return rules.is_replayable(self.state, page_failed=self.page_failed)


@dataclass
class ModelStage(ModelRow):
    planned: PlannedStage | None = None
    position: int = 0
    warned: bool = False

    @property
    def plan(self) -> PlannedStage:
        assert self.planned is not None
        return self.planned


@dataclass
class ModelRun:
    number: int
    created_at: datetime
    stages: list[ModelStage]
    state: RunState = RunState.ACTIVE
    cancel_requested: bool = False
    ranges: list[ModelRange] = field(default_factory=list)

    @property
    def seen(self) -> Run:
        return Run(self.state, self.cancel_requested)

    @property
    def first_incomplete(self) -> ModelStage | None:
        return next((stage for stage in self.stages if stage.state is not StageState.COMPLETE), None)

    def stage(self, name: str) -> ModelStage:
        return next(stage for stage in self.stages if stage.plan.name == name)

    def in_ranges(self, stage: ModelStage) -> bool:
        return rules.in_ranges(seen(each) for each in self.ranges if each.stage == stage.plan.name)

    def seen_stage(self, stage: ModelStage | None) -> Row | None:
        if stage is None:
            return None
        sent = stage.queued_at or self.created_at
        return replace(seen(stage), queued_at=sent, in_ranges=self.in_ranges(stage))

    def by_token(self, token: int) -> ModelRange | None:
        return next((each for each in self.ranges if each.token == token), None)


def seen(row: ModelRow) -> Row:
    return Row(
        row.state,
        row.attempt,
        row.token,
        row.claim_id,
        row.task_id,
        row.lease_expires_at,
        row.queued_at,
    )


def known(row: ModelRow | None) -> Row | None:
    return None if row is None else seen(row)


class Model:
    """The moves of a store, for one document and a clock that the test sets."""

    def __init__(self, document_uuid: str, plan: Sequence[PlannedStage], priority: int) -> None:
        self.document_uuid, self.plan, self.priority = document_uuid, plan, priority
        self.now = datetime(2000, 1, 1, tzinfo=UTC)
        self.status, self.graph_status, self.error = PENDING, None, None
        self.result_run: int | None = None
        self.task_id: str | None = None
        self.history: list[tuple[int, str, str | None]] = []
        self.runs: list[ModelRun] = []
        self.attempts: list[ModelAttempt] = []
        self._tokens = count(1)
        self.begin()

    status: str
    graph_status: str | None
    error: str | None

    # --- pieces -----------------------------------------------------------------------------------------

    @property
    def newest(self) -> ModelRun:
        return self.runs[-1]

    def ref(self, run: ModelRun) -> Ref:
        return Ref(self.document_uuid, run.number)

    def later(self, seconds: float) -> datetime:
        return self.now + timedelta(seconds=seconds)

    def set_status(
        self, run: ModelRun, status: str, graph: str | None = None, error: str | None = None
    ) -> None:
        if run is not self.newest:
            return
        self.status, self.error = status, error
        self.graph_status = graph or self.graph_status
        self.history.append((run.number, status, graph))

    def begin(self, kept: Sequence[ModelStage] = ()) -> ModelRun:
        """A new run; one that is still active is superseded."""
        for run in self.runs:
            if run.state is RunState.ACTIVE:
                run.state = RunState.SUPERSEDED
        self.stop(AttemptEnd.STOPPED)
        inherited = [
            replace(stage, token=None, claim_id=None, queued_at=None, lease_expires_at=None) for stage in kept
        ]
        stages = [
            ModelStage(planned=planned, position=position) for position, planned in enumerate(self.plan)
        ]
        run = ModelRun(len(self.runs) + 1, self.now, inherited + stages[len(kept) :])
        self.runs.append(run)
        self.task_id = None
        self.set_status(run, PENDING)
        return run

    def end_cancelled(self, run: ModelRun) -> None:
        for row in (*run.ranges, *run.stages):
            if seen(row).open:
                row.state, row.lease_expires_at = StageState.CANCELLED, None
        run.state = RunState.CANCELLED
        self.stop(AttemptEnd.CANCELLED)
        self.set_status(run, CANCELLED, CANCELLED)

    def fail_run(self, run: ModelRun, stage: ModelStage, failure: Failure) -> None:
        lapsed = stage.lease_expires_at
        stage.state, stage.lease_expires_at = StageState.FAILED, None
        self.fail_attempt(stage, failure, lapsed)
        self.stop(AttemptEnd.STOPPED)
        stage.blame(failure)
        run.state = RunState.FAILED
        self.set_status(run, stage.plan.words.error, stage.plan.words.error, failure.message)

    def end(self, token: int | None, ended: AttemptEnd, code: str | None = None) -> None:
        for each in self.attempts:
            if each.token == token and each.ended is None:
                each.ended, each.ended_at, each.error_code = ended, self.now, code

    def lose(self, row: ModelRow, lapsed: datetime | None) -> None:
        for each in self.attempts:
            if each.token == row.token and each.ended is None:
                each.ended, each.ended_at = AttemptEnd.LOST, min(self.now, lapsed or self.now)
                each.error_code = rules.lost().code

    def fail_attempt(self, row: ModelRow, failure: Failure, lapsed: datetime | None) -> None:
        ended = rules.ended(failure.code, again=False)
        if ended is AttemptEnd.LOST:
            self.lose(row, lapsed)
        else:
            self.end(row.token, ended, failure.code)

    def stop(self, ended: AttemptEnd) -> None:
        for each in self.attempts:
            self.end(each.token, ended)

    def take(self, run: ModelRun, row: ModelStage | ModelRange, claimant: Claimant) -> None:
        self.lose(row, row.lease_expires_at)
        row.state, row.attempt, row.token = StageState.RUNNING, row.attempt + 1, next(self._tokens)
        row.claim_id, row.task_id = claimant.claim_id, claimant.task_id
        row.lease_expires_at = self.later(claimant.lease_seconds)
        self.attempts.append(
            ModelAttempt(
                run.number,
                row.stage if isinstance(row, ModelRange) else row.plan.name,
                row.first if isinstance(row, ModelRange) else None,
                row.last if isinstance(row, ModelRange) else None,
                row.attempt,
                row.token,
                claimant.task_id,
                claimant.worker,
                self.now,
            )
        )

    def refuse(self, run: ModelRun, row: ModelRow, answer: Answer, *, joins: bool = False) -> Claim:
        last_page = row.last if isinstance(row, ModelRange) else None
        if answer in {Answer.TAKE, Answer.SAME}:
            return Claim(Outcome.CLAIMED, row.token, row.attempt, last_page=last_page, joins=joins)
        if answer is Answer.POISON:
            return Claim(Outcome.POISON, row.token, row.attempt, last_page=last_page)
        if answer is Answer.BUSY:
            assert row.lease_expires_at is not None
            seconds = (row.lease_expires_at - self.now).total_seconds()
            return Claim(Outcome.BUSY, lease_seconds=seconds)
        if answer is Answer.END_CANCELLED:
            self.end_cancelled(run)
        return Claim(REFUSED[answer])

    def processing(self, run: ModelRun, stage: ModelStage, claimant: Claimant, *, once: bool) -> None:
        words, self.task_id = stage.plan.words, claimant.task_id
        if not once or self.status != words.processing:
            self.set_status(run, words.processing, words.graph_started)

    def beat(self, row: ModelRow | None, beat: Beat, lease_seconds: float) -> Heartbeat:
        if row is not None and beat in {Beat.EXTEND, Beat.EXTEND_AND_STOP}:
            row.lease_expires_at = self.later(lease_seconds)
        return BEATS[beat]

    def wait(self, row: ModelRow, failure: Failure, delay_seconds: float) -> None:
        row.state, row.lease_expires_at = StageState.RETRYING, None
        row.queued_at = self.later(delay_seconds)
        row.blame(failure)
        self.end(row.token, rules.ended(failure.code, again=True), failure.code)

    # --- stages -----------------------------------------------------------------------------------------

    def queue(self, run: ModelRun, name: str, task_id: str) -> bool:
        stage = run.stage(name)
        if rules.publish(run.seen, run.seen_stage(stage)) is not Move.APPLY:
            return False
        stage.queued_at, stage.task_id = self.now, task_id
        if run is self.newest:
            self.task_id = task_id
        self.set_status(run, stage.plan.words.queued)
        return True

    def publish_failed(self, run: ModelRun, name: str, message: str) -> bool:
        stage = run.stage(name)
        if rules.publish(run.seen, run.seen_stage(stage)) is not Move.APPLY:
            return False
        stage.queued_at = run.created_at if stage.position else None
        if stage.position == 0:
            self.set_status(run, PENDING, error=message)
        return True

    def claim(self, run: ModelRun, name: str, claimant: Claimant) -> Claim:
        stage = run.stage(name)
        joins = any(each.stage == name for each in run.ranges)
        ready = run.first_incomplete is stage
        answer = rules.claim(run.seen, run.seen_stage(stage), ready, claimant, self.now)
        if answer is Answer.TAKE:
            self.take(run, stage, claimant)
            self.processing(run, stage, claimant, once=joins)
        return self.refuse(run, stage, answer, joins=joins)

    def heartbeat(self, run: ModelRun, name: str, token: int, lease_seconds: float) -> Heartbeat:
        stage = run.stage(name)
        return self.beat(stage, rules.heartbeat(run.seen, run.seen_stage(stage), token), lease_seconds)

    def finish(self, run: ModelRun, name: str, token: int, *, warned: bool) -> bool:
        stage = run.stage(name)
        move = rules.finish(run.seen, run.seen_stage(stage), token)
        if move is Move.APPLY:
            stage.state, stage.lease_expires_at, stage.warned = StageState.COMPLETE, None, warned
            stage.blame(None)
            self.end(token, AttemptEnd.COMPLETE)
            self._put_away(run, name)
            self.set_status(run, stage.plan.words.complete, stage.plan.words.graph_completed)
            self._move_on(run)
        return move is not Move.LATE

    def _put_away(self, run: ModelRun, name: str) -> None:
        keep = any(each.replayable for each in run.ranges)
        for other in self.runs[: run.number]:
            if other is not run or not keep:
                other.ranges = [each for each in other.ranges if each.stage != name]

    def _move_on(self, run: ModelRun) -> None:
        following = run.first_incomplete
        if following is not None:
            following.queued_at = self.now
            return
        run.state, self.result_run = RunState.COMPLETED, run.number
        final = rules.final_status(warned=any(stage.warned for stage in run.stages))
        self.set_status(run, final, final)

    def retry(self, run: ModelRun, name: str, token: int, failure: Failure, delay_seconds: float) -> bool:
        stage = run.stage(name)
        if rules.retry(run.seen, run.seen_stage(stage), token) is not Move.APPLY:
            return False
        self.wait(stage, failure, delay_seconds)
        return True

    def fail(self, run: ModelRun, name: str, token: int | None, failure: Failure) -> bool:
        stage = run.stage(name)
        move = rules.fail(run.seen, run.seen_stage(stage), token)
        if move is Move.APPLY:
            self.fail_run(run, stage, failure)
        return move is not Move.LATE

    def fail_task(self, run: ModelRun, task_id: str, failure: Failure) -> bool:
        stage = run.first_incomplete
        if rules.fail_task(run.seen, run.seen_stage(stage), task_id) is not Move.APPLY:
            return False
        assert stage is not None
        self.fail_run(run, stage, failure)
        return True

    def cancel(self) -> bool:
        run = self.newest
        decision = rules.cancel(run.seen, run.seen_stage(run.first_incomplete), self.now)
        if decision is Cancel.NOTHING:
            return False
        run.cancel_requested = True
        if decision is Cancel.END:
            self.end_cancelled(run)
        return True

    # --- resuming ---------------------------------------------------------------------------------------

    def stalled(self, grace_seconds: float) -> list[Stalled]:
        run = self.newest
        if run.state is not RunState.ACTIVE:
            return []
        stage = run.first_incomplete
        waiting = [(run.seen_stage(stage), stage.plan.name, None)] if stage else []
        rows: Iterable[tuple[Row | None, str, int | None]] = waiting + [
            (seen(each), each.stage, each.first) for each in self._in_order(run)
        ]
        found = [
            Stalled(self.ref(run), name, row.state, first)
            for row, name, first in rows
            if row is not None and rules.is_stalled(row, grace_seconds, self.now)
        ]
        return sorted(found, key=lambda each: each.state is not StageState.RUNNING)

    def revive(self, run: ModelRun, grace_seconds: float, max_attempts: int, task_id: str) -> Revival:
        stage = run.first_incomplete
        decision = rules.revive(run.seen, run.seen_stage(stage), grace_seconds, max_attempts, self.now)
        if stage is None or decision is Revive.LEAVE:
            return Revival("none")
        if decision is Revive.END_CANCELLED:
            self.end_cancelled(run)
            return Revival("cancelled")
        name = stage.plan.name
        if decision is Revive.POISON:
            self.fail_run(run, stage, rules.poison(f"Stage {name}", stage.attempt, stage.error_message))
            return Revival("poison")
        self.task_id = task_id
        if self.status != stage.plan.words.queued:
            self.set_status(run, stage.plan.words.queued)
        stage.queued_at = self.now
        return Revival("resume", name, self.priority)

    def resume(self, task_id: str, at_once: int) -> Resumption | None:
        run = self.newest
        if not rules.resumable(run.seen):
            return None
        run.state, run.cancel_requested = RunState.ACTIVE, False
        for stage in run.stages:
            if stage.state is not StageState.COMPLETE:
                stage.state, stage.attempt, stage.queued_at = StageState.QUEUED, 0, None
                stage.blame(None)
        first = run.first_incomplete
        assert first is not None
        first.queued_at, first.task_id, self.task_id = self.now, task_id, task_id
        self.set_status(run, first.plan.words.queued)
        for each in run.ranges:
            if each.stage == first.plan.name and each.state is not StageState.COMPLETE:
                each.state, each.attempt = StageState.QUEUED, 0
                each.queued_at = each.lease_expires_at = None
        return Resumption(self.ref(run), first.plan.name, self.priority, self._hand_out(run, at_once))

    def reprocess(self, from_stage: str) -> Resumption | None:
        names = [planned.name for planned in self.plan]
        kept = names[: names.index(from_stage)]
        completed = {
            run.number: [each.plan.name for each in run.stages if each.state is StageState.COMPLETE]
            for run in self.runs
        }
        number = rules.basis(completed, kept)
        if number is None:
            return None
        found = [self.runs[number - 1].stage(name) for name in kept]
        return Resumption(self.ref(self.begin(found)), from_stage, self.priority)

    # --- ranges -----------------------------------------------------------------------------------------

    def split(
        self, run: ModelRun, name: str, token: int, ranges: Sequence[PageRange], at_once: int
    ) -> Handover | None:
        stage = run.stage(name)
        move = rules.split(run.seen, run.seen_stage(stage), token)
        if move is Move.LATE:
            return None
        if move is Move.REPEATED:
            waiting = [each for each in self._in_order(run) if each.state is StageState.QUEUED]
            return self._handover(run, [each.first for each in waiting if each.queued_at is not None])
        run.ranges += [ModelRange(first=each.first, last=each.last, stage=name) for each in ranges]
        stage.attempt, stage.task_id = 0, None
        self.end(token, AttemptEnd.SPLIT)
        return self._close(run, name, at_once)

    def claim_range(self, run: ModelRun, first_page: int, claimant: Claimant) -> Claim:
        pages = next((each for each in run.ranges if each.first == first_page), None)
        if pages is None:
            return Claim(Outcome.UNKNOWN)
        stage = run.stage(pages.stage)
        answer = rules.claim_range(run.seen, run.seen_stage(stage), seen(pages), claimant, self.now)
        if answer is Answer.TAKE:
            pages.queued_at = pages.queued_at or self.now
            self.take(run, pages, claimant)
            self._mirror(run, pages.stage)
            self.processing(run, stage, claimant, once=True)
        return self.refuse(run, pages, answer)

    def heartbeat_range(self, run: ModelRun, token: int, lease_seconds: float) -> Heartbeat:
        pages = run.by_token(token)
        beat = rules.heartbeat(run.seen, known(pages), token)
        answer = self.beat(pages, beat, lease_seconds)
        if pages is not None and beat in {Beat.EXTEND, Beat.EXTEND_AND_STOP}:
            self._mirror(run, pages.stage)
        return answer

    def finish_range(self, run: ModelRun, token: int, at_once: int, *, page_failed: bool) -> Handover | None:
        pages = run.by_token(token)
        move = rules.finish(run.seen, known(pages), token)
        if pages is None or move is Move.LATE:
            return None
        if move is Move.REPEATED:
            return self._handover(run, [])
        pages.state, pages.lease_expires_at = StageState.COMPLETE, None
        pages.page_failed = page_failed
        pages.blame(None)
        self.end(token, AttemptEnd.COMPLETE)
        return self._close(run, pages.stage, at_once)

    def retry_range(self, run: ModelRun, token: int, failure: Failure, delay_seconds: float) -> bool:
        pages = run.by_token(token)
        if pages is None or rules.retry(run.seen, seen(pages), token) is not Move.APPLY:
            return False
        self.wait(pages, failure, delay_seconds)
        self._mirror(run, pages.stage)
        return True

    def fail_range(self, run: ModelRun, token: int, failure: Failure, at_once: int) -> Handover | None:
        pages = run.by_token(token)
        move = rules.fail(run.seen, known(pages), token)
        if pages is None or move is Move.LATE:
            return None
        if move is Move.REPEATED:
            return self._handover(run, [])
        return self._give_up(run, pages, failure, at_once)

    def fail_stage(self, run: ModelRun, token: int, failure: Failure) -> bool:
        pages = run.by_token(token)
        if pages is None:
            return False
        stage = run.stage(pages.stage)
        move = rules.fail_stage(run.seen, run.seen_stage(stage), seen(pages), token)
        if move is Move.APPLY:
            pages.state, pages.lease_expires_at, pages.queued_at = StageState.QUEUED, None, None
            stage.token = token
            self.fail_run(run, stage, failure)
        return move is not Move.LATE

    def revive_range(
        self, run: ModelRun, first_page: int, grace_seconds: float, max_attempts: int, at_once: int
    ) -> Revival:
        pages = next((each for each in run.ranges if each.first == first_page), None)
        decision = rules.revive(run.seen, known(pages), grace_seconds, max_attempts, self.now)
        if pages is None or decision is Revive.LEAVE:
            return Revival("none")
        if decision is Revive.END_CANCELLED:
            self.end_cancelled(run)
            return Revival("cancelled")
        if decision is Revive.POISON:
            subject = f"Pages {pages.first} to {pages.last}"
            failure = rules.poison(subject, pages.attempt, pages.error_message)
            return Revival("resume", handover=self._give_up(run, pages, failure, at_once))
        pages.queued_at = self.now
        return Revival("resume", handover=self._handover(run, [first_page]))

    def replay(self, at_once: int) -> Resumption | None:
        old = self.newest
        if old.state is not RunState.COMPLETED or not any(each.replayable for each in old.ranges):
            return None
        name = old.ranges[0].stage
        begun = self.reprocess(name)
        assert begun is not None
        run, run.ranges, old.ranges = self.newest, old.ranges, []
        for each in run.ranges:
            if each.replayable:
                each.state, each.attempt, each.queued_at = StageState.QUEUED, 0, None
                each.page_failed = False
        return replace(begun, first_pages=self._hand_out(run, at_once))

    def _in_order(self, run: ModelRun) -> list[ModelRange]:
        return sorted(run.ranges, key=lambda each: each.first)

    def _hand_out(self, run: ModelRun, at_once: int) -> tuple[int, ...]:
        found = self._in_order(run)
        due = [found[place] for place in rules.hand_out([seen(each) for each in found], at_once)]
        for each in due:
            each.queued_at = self.now
        return tuple(each.first for each in due)

    def _mirror(self, run: ModelRun, name: str) -> None:
        stage = run.stage(name)
        if seen(stage).open:
            stage.state, stage.lease_expires_at = rules.mirror([seen(each) for each in run.ranges])

    def _close(self, run: ModelRun, name: str, at_once: int) -> Handover:
        due = self._hand_out(run, at_once)
        self._mirror(run, name)
        run.stage(name).queued_at = self.now
        return self._handover(run, due)

    def _handover(self, run: ModelRun, first_pages: Sequence[int]) -> Handover:
        stage = run.seen_stage(run.stage(run.ranges[0].stage)) if run.ranges else None
        complete = rules.is_read(stage, [seen(each) for each in run.ranges])
        return Handover(tuple(first_pages), complete, self.priority)

    def _give_up(self, run: ModelRun, pages: ModelRange, failure: Failure, at_once: int) -> Handover:
        single = rules.give_up(pages.first, pages.last)
        self.fail_attempt(pages, failure, pages.lease_expires_at)
        pages.state, pages.lease_expires_at, pages.queued_at = StageState.FAILED, None, None
        pages.blame(failure)
        if single:
            pages.state, pages.attempt, pages.last = StageState.QUEUED, 0, pages.first
            run.ranges += [ModelRange(first=each, last=each, stage=pages.stage) for each in single[1:]]
        return self._close(run, pages.stage, at_once)
