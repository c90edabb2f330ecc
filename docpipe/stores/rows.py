"""The ledger, documents and projects as rows, and back; what stages made is in `result_rows`.

Every store uses the same column names, so these are the only such places.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, fields
from datetime import UTC, datetime
from functools import cache
from typing import Any

from docpipe.models import (
    Attempt,
    DocumentStatus,
    EntityDecision,
    EntityLink,
    EntityMember,
    Failure,
    PageRange,
    RangeRun,
    Ref,
    StageOutput,
    StageRun,
    Warn,
)
from docpipe.models.status import AttemptEnd, StageWords
from docpipe.models.version import own_version
from docpipe.stores import result_rows as results
from docpipe.stores.text_search import PageHit, PassageHit, marked_ranges
from docpipe.stores.values import (
    Action,
    Claim,
    Copy,
    Erasure,
    Found,
    Handover,
    NewDocument,
    Outcome,
    PlannedStage,
    ReadRange,
    Resumption,
    Selection,
    Summary,
)

Row = dict[str, Any]


def warn_of(row: Mapping[str, Any]) -> Warn:
    return Warn(row["code"], row["message"], row.get("page"))


def warnings_of(stages: Iterable[Mapping[str, Any]]) -> tuple[Warn, ...]:
    """The warnings of a run, in the order of its stages."""
    return tuple(warn_of(warning) for stage in stages for warning in stage["warnings"])


def extras_of(stages: Iterable[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """What a host's own stages returned, by stage."""
    return {stage["stage"]: stage["output"] for stage in stages if stage["output"] is not None}


def run_fields(output: StageOutput) -> Row:
    """What the stage says about the run as a whole."""
    fields: Row = {
        "warnings": [asdict(warning) for warning in output.warnings],
        "docpipe_version": own_version(),
    }
    if output.text is not None:
        fields["text"] = output.text
    if output.file_type is not None:
        fields["file_type"] = output.file_type
    if output.metadata is not None:
        fields["metadata"] = dict(output.metadata)
    if output.engine is not None:
        fields["engine"] = output.engine
    if output.extra is not None:
        fields["extra"] = dict(output.extra)
    return fields


def range_output(payloads: Iterable[Mapping[str, Any]]) -> StageOutput:
    """What a range read, from its payloads (`result_rows` and `run_fields`, perhaps in several parts)."""
    parts = list(payloads)
    fields = parts[-1]
    return StageOutput(
        text="".join(part.get("text", "") for part in parts),
        pages=tuple(results.page_of(row) for part in parts for row in part.get("pages", ())),
        file_type=fields.get("file_type"),
        metadata=fields.get("metadata"),
        warnings=tuple(map(warn_of, fields["warnings"])),
        engine=fields.get("engine"),
    )


def read_range_of(row: Mapping[str, Any]) -> ReadRange:
    pages = PageRange(row["first_page"], row["last_page"])
    if row["output"] is not None:
        return ReadRange(pages, range_output(row["output"]))
    return ReadRange(pages, _failure_of(row) or Failure("", "", "", row["stage"]))


def range_run_of(row: Mapping[str, Any]) -> RangeRun:
    return RangeRun(
        pages=PageRange(row["first_page"], row["last_page"]),
        state=row["state"],
        attempt=row["attempt"],
        worker=row["worker"],
        error=_failure_of(row),
    )


def attempt_of(row: Mapping[str, Any]) -> Attempt:
    first, ended = row["first_page"], row["ended"]
    return Attempt(
        token=row["token"],
        run=row["run"],
        stage=row["stage"],
        attempt=row["attempt"],
        task_id=row["task_id"] or None,
        worker=row["worker"],
        started_at=datetime.fromisoformat(row["started_at"]),
        ended_at=_time(row["ended_at"]),
        ended=None if ended is None else AttemptEnd(ended),
        pages=None if first is None else PageRange(first, row["last_page"]),
        error=_failure_of(row),
    )


def claim_of(answer: Mapping[str, Any]) -> Claim:
    """What `docpipe_claim` and `docpipe_claim_range` answer; each leaves out what it has no say in."""
    return Claim(
        Outcome(answer["outcome"]),
        answer.get("token"),
        answer.get("attempt", 0),
        float(answer.get("lease_seconds", 0)),
        answer.get("last_page"),
        answer.get("joins", False),
    )


def handover_of(row: Mapping[str, Any]) -> Handover:
    return Handover(tuple(row["first_pages"]), row["complete"], row["priority"])


def resumption_of(document_uuid: str, row: Mapping[str, Any]) -> Resumption:
    return Resumption(
        Ref(document_uuid, row["run"]), row["stage"], row["priority"], tuple(row["first_pages"])
    )


def document_row(document: NewDocument) -> Row:
    """The JSON argument of `docpipe_register`."""
    row = {field.name: getattr(document, field.name) for field in fields(document)}
    row["metadata"] = dict(document.metadata)
    row["stages"] = plan_rows(document.stages)
    row["reading"] = document.reading.as_json()
    return row


def erasure_of(row: Row) -> Erasure:
    """Out of what `docpipe_erasures` answers."""
    return Erasure(row["document_uuid"], tuple(Copy(uri, made) for uri, made in row["copies"]))


def plan_rows(stages: Sequence[PlannedStage]) -> list[Row]:
    """The ledger's rows of a new run."""
    return [
        {"stage": stage.name, "position": position, "queue": stage.queue, "words": _words_row(stage.words)}
        for position, stage in enumerate(stages)
    ]


@cache
def _words_row(words: StageWords) -> Row:
    """The same for every document of a batch."""
    return asdict(words)


def selection_row(selection: Selection) -> Row:
    """What narrows the choice, as JSON."""
    row = {key: value for key, value in asdict(selection).items() if value is not None}
    return {
        key: value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value
        for key, value in row.items()
    }


def summary_of(row: Mapping[str, Any]) -> Summary:
    return Summary(
        document_uuid=row["document_uuid"],
        run=row["run"] or 0,
        name=row["name"] or "",
        status=row["status"] or "",
        project_id=row["project_id"],
        stage=row["stage"],
        error_code=row["error_code"],
        error_message=row["error_message"],
        updated_at=datetime.fromisoformat(row["updated_at"]),
        pages=row["pages"],
    )


def _time(value: str | None) -> datetime | None:
    return None if value is None else datetime.fromisoformat(value)


def _failure_of(row: Mapping[str, Any]) -> Failure | None:
    if row["error_code"] is None:
        return None
    return Failure(
        code=row["error_code"],
        error_class=row["error_class"] or "",
        message=row["error_message"] or "",
        stage=row["stage"],
        traceback=row["error_traceback"] or "",
    )


def stage_run_of(row: Mapping[str, Any]) -> StageRun:
    return StageRun(
        stage=row["stage"],
        position=row["position"],
        state=row["state"],
        attempt=row["attempt"],
        task_id=row["task_id"],
        worker=row["worker"],
        lease_expires_at=_time(row["lease_expires_at"]),
        queued_at=_time(row["queued_at"]),
        started_at=_time(row["started_at"]),
        finished_at=_time(row["finished_at"]),
        error=_failure_of(row),
    )


def status_of(row: Mapping[str, Any]) -> DocumentStatus:
    """From what `docpipe_status` returns."""
    stages = tuple(stage_run_of(stage) for stage in row["stages"])
    failed = next((stage.error for stage in stages if stage.state == "failed"), None)
    return DocumentStatus(
        document_uuid=row["document_uuid"],
        run=row["run"],
        result_run=row["result_run"],
        status=row["status"],
        graph_status=row["graph_status"],
        name=row["name"],
        project_id=row["project_id"],
        task_id=row["task_id"],
        stages=stages,
        history=tuple((datetime.fromisoformat(at), status, graph) for at, status, graph in row["history"]),
        error=failed,
        warnings=tuple(warn_of(warning) for warning in row["warnings"]),
        parent=row["parent"],
        children=row["children"],
    )


def link_of(row: Mapping[str, Any]) -> EntityLink:
    return EntityLink(row["key_a"], row["key_b"], row["rule"], row["score"])


def decision_of(row: Mapping[str, Any]) -> EntityDecision:
    return EntityDecision(
        *(row["key_a"], row["key_b"], bool(row["same"]), row["who"], row["why"]), _time(row["at"])
    )


def member_of(row: Mapping[str, Any]) -> EntityMember:
    return EntityMember(
        document_uuid=row["document_uuid"],
        run=row["run"],
        index=row["index"],
        key=row["key"],
        name=row["name"],
        label=row["label"],
        spellings=row["spellings"],
        mention_count=row["mention_count"],
    )


def page_hit_of(row: Mapping[str, Any]) -> PageHit:
    return PageHit(
        ref=Ref(row["document_uuid"], row["run"]),
        name=row["name"],
        project_id=row["project_id"],
        page=results.page_of(row),
        text=row["text"],
        marked=marked_ranges(row["marked"]),
        score=row["score"],
    )


def passage_hit_of(row: Mapping[str, Any]) -> PassageHit:
    page = page_hit_of({**row, "marked": ""})
    return PassageHit(page, row["chunk"], row["passage_start"], row["passage_end"])


def action_row(action: Action) -> Row:
    row = asdict(action)
    del row["at"]
    return row


def action_of(row: Mapping[str, Any]) -> Action:
    return Action(
        id=row["id"],
        who=row["who"],
        action=row["action"],
        target=row["target"],
        project_id=row["project_id"],
        why=row["why"],
        at=_time(row["at"]),
    )


def found_of(row: Mapping[str, Any]) -> Found:
    return Found(Ref(row["document_uuid"], row["run"]), row["index"], results.relation_of(row))
