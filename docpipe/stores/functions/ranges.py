"""The ledger of ranges in Postgres: each move is one call of a SQL function, as in `store`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from docpipe.models import Failure, PageRange, RangeRun, Ref, StageOutput
from docpipe.stores import rows
from docpipe.stores.functions.calls import Query, asked_by, failure_json, keys, match
from docpipe.stores.ledger_terms import Claimant
from docpipe.stores.values import Claim, Handover, Heartbeat, PlannedStage, ReadRange, Resumption, Revival

_TABLE = "docpipe_page_ranges"
_RUN_COLUMNS = (
    "stage,first_page,last_page,state,attempt,worker,error_code,error_class,error_message,error_traceback"
)
_OUTPUTS_AT_ONCE = 10
"""Rows of one answer: each may hold some hundred kilobytes."""


@dataclass(frozen=True, slots=True)
class FunctionRanges:
    """`docpipe.stores.range_port.Ranges` over the calls of a `FunctionStore`."""

    rpc: Callable[..., Any]
    select: Callable[[Query], Iterator[rows.Row]]
    with_output: Callable[[str, Mapping[str, Any], int, StageOutput], Any]

    def split(
        self, ref: Ref, stage: str, token: int, ranges: Sequence[PageRange], at_once: int
    ) -> Handover | None:
        pairs = json.dumps([[each.first, each.last] for each in ranges])
        return _handover(
            self.rpc("split", **keys(ref), p_stage=stage, p_token=token, p_ranges=pairs, p_at_once=at_once)
        )

    def claim(self, ref: Ref, first_page: int, claimant: Claimant) -> Claim:
        return rows.claim_of(
            self.rpc("claim_range", **keys(ref), p_first_page=first_page, **asked_by(claimant))
        )

    def heartbeat(self, ref: Ref, token: int, lease_seconds: float) -> Heartbeat:
        return Heartbeat(
            self.rpc("heartbeat_range", **keys(ref), p_token=token, p_lease_seconds=lease_seconds)
        )

    def finish(self, ref: Ref, token: int, output: StageOutput, at_once: int) -> Handover | None:
        arguments = {**keys(ref), "p_token": token, "p_at_once": at_once}
        return _handover(self.with_output("finish_range", arguments, token, output))

    def retry(self, ref: Ref, token: int, failure: Failure, delay_seconds: float) -> bool:
        error = failure_json(failure)
        return bool(
            self.rpc("retry_range", **keys(ref), p_token=token, p_error=error, p_delay_seconds=delay_seconds)
        )

    def fail(self, ref: Ref, token: int, failure: Failure, at_once: int) -> Handover | None:
        error = failure_json(failure)
        return _handover(self.rpc("fail_range", **keys(ref), p_token=token, p_error=error, p_at_once=at_once))

    def fail_stage(self, ref: Ref, token: int, failure: Failure) -> bool:
        return bool(self.rpc("fail_split_stage", **keys(ref), p_token=token, p_error=failure_json(failure)))

    def revive(
        self, ref: Ref, first_page: int, *, grace_seconds: float, max_attempts: int, at_once: int
    ) -> Revival:
        answer = self.rpc(
            "revive_range",
            **keys(ref),
            p_first_page=first_page,
            p_grace_seconds=grace_seconds,
            p_max_attempts=max_attempts,
            p_at_once=at_once,
        )
        if answer["outcome"] != "resume":
            return Revival(answer["outcome"])
        return Revival("resume", handover=rows.handover_of({"complete": False} | answer))

    def replay(self, document_uuid: str, stages: Sequence[PlannedStage], at_once: int) -> Resumption | None:
        plan = json.dumps(rows.plan_rows(stages))
        answer = self.rpc("replay", p_document=document_uuid, p_stages=plan, p_at_once=at_once)
        return None if answer is None else rows.resumption_of(document_uuid, answer)

    def runs(self, ref: Ref) -> list[RangeRun]:
        return [
            rows.range_run_of(row)
            for row in self.select(Query(_TABLE, _RUN_COLUMNS, match(ref), "first_page"))
        ]

    def outputs(self, ref: Ref) -> Iterator[ReadRange]:
        columns = f"{_RUN_COLUMNS},output"
        found = self.select(Query(_TABLE, columns, match(ref), "first_page", _OUTPUTS_AT_ONCE))
        return map(rows.read_range_of, found)


def _handover(answer: Any) -> Handover | None:
    return None if answer is None else rows.handover_of(answer)
