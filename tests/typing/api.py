"""User code, checked by `mypy --strict` and never run: the public API reads and types as documented."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from celery import Celery

from docpipe import (
    CHUNK,
    ENTITIES,
    GRAPH,
    OCR,
    DocpipeError,
    Document,
    DocumentStatus,
    Options,
    PermanentError,
    Pipeline,
    Policy,
    Sources,
    Submission,
    TransientError,
    WaitTimeoutError,
    aget,
    asubmit,
    cancel,
    celery_defaults,
    default_pipeline,
    get,
    open_store,
    own_stage,
    process,
    set_default_pipeline,
    submit,
    submit_many,
)


def hand_in(path: Path, data: bytes) -> list[str]:
    """Every kind of source, every option."""
    submission: Submission = submit(path, project_id="p1", metadata={"case": 7}, priority=3, reprocess=True)
    submit("s3://bucket/contract.pdf")
    submit(data, name="letter.pdf")
    with path.open("rb") as file:
        submit(file)
    task_id: str | None = submission.task_id
    created: bool = submission.created
    uuids = [submission.document_uuid, str(task_id), str(created)]
    for each in submit_many([path, "b.pdf"], project_id="p1"):
        if isinstance(each, DocpipeError):
            uuids.append(each.code)
        else:
            uuids.append(each.document_uuid)
    return uuids


async def hand_in_and_look(data: bytes) -> Document:
    """The same from a coroutine."""
    submission: Submission = await asubmit(data, name="letter.pdf", project_id="p1", priority=3)
    status: DocumentStatus = await submission.wait_async(timeout=300)
    return await aget(status.document_uuid)


def look(submission: Submission) -> tuple[str, list[str]]:
    """Wait, and read what was found."""
    try:
        status: DocumentStatus = submission.wait(timeout=300)
    except WaitTimeoutError:
        status = submission.status()
    except (TransientError, PermanentError) as error:
        stage: str | None = error.stage
        return error.message, [stage or ""]
    document: Document = submission.result()
    names: list[str] = [entity.name for entity in document.entities]
    boxes: list[tuple[float, float, float, float] | None] = [mention.box for mention in document.mentions]
    quotes = [document.text[edge.evidence.start : edge.evidence.end] for edge in document.relations]
    facts = document.facts.items if document.facts else ()
    parties: list[str] = [fact.text for fact in facts if fact.type == "PARTY_TO"]
    first_page: int = document.pages[0].number
    chunk: str = document.chunks[0].text
    stopped: bool = cancel(get(submission.document_uuid).document_uuid)
    return status.status, [*names, *quotes, *parties, chunk, str(boxes), str(first_page), str(stopped)]


def classify(document: Document) -> dict[str, Any]:
    """A stage of the host's own."""
    return {"words": len(document.text.split())}


def notify(document: Document) -> None:
    """A stage that finds nothing."""


def wire(app: Celery) -> Pipeline:
    """docpipe on the host's own app."""
    policy = Policy(lease_seconds=30.0, max_retries=2)
    app.conf.update(celery_defaults(policy, prefix="mine:"))
    pipeline = Pipeline(
        app,
        store=open_store("supabase", supabase_url="https://project.supabase.co", supabase_key="secret"),
        sources=Sources(uploads="s3://bucket/prefix", keep_copies=True),
        stages=(OCR, CHUNK, own_stage("classify", classify), ENTITIES, GRAPH, own_stage("notify", notify)),
        options=Options(ocr_dpi=300, chunk_max=2000, ner_options={"model": "en_core_web_md"}),
        policy=policy,
    )
    set_default_pipeline(pipeline)
    assert default_pipeline() is pipeline
    return pipeline


def here(path: Path) -> Document:
    """Without services."""
    return process(path, project_id="p1", metadata={"case": 7})
