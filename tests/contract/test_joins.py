"""No statement of a call with many rows compares all of them with all others: Postgres' own plans say so."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import psycopg
import pytest

from docpipe.execution.plan import BUILT_IN
from docpipe.models import Chunk, Edge, Entity, EntityName, Mention, Method, Page, StageOutput
from docpipe.stores.postgres.store import PostgresStore
from tests.contract.test_store import new, run_stage

MANY = 400
PLANS = (
    "session_preload_libraries=auto_explain",
    "auto_explain.log_min_duration=0",
    "auto_explain.log_analyze=on",
    "auto_explain.log_nested_statements=on",
    "auto_explain.log_format=json",
    "auto_explain.log_level=notice",
)
LINES = [f"Ann {number:04}" for number in range(MANY)]
TEXT = "\n".join(LINES)
STARTS = [number * (len(LINES[0]) + 1) for number in range(MANY)]
SPANS = [(start, start + len(LINES[0])) for start in STARTS]
OUTPUTS = {
    "ocr": StageOutput(
        text=TEXT,
        pages=tuple(Page(n, *span, 612.0, 792.0, Method.TEXT) for n, span in enumerate(SPANS, 1)),
        file_type="text/plain",
    ),
    "chunk": StageOutput(
        chunks=tuple(
            Chunk(n, *span, n + 1, n + 1, line)
            for n, (span, line) in enumerate(zip(SPANS, LINES, strict=True))
        )
    ),
    "entities": StageOutput(
        mentions=tuple(
            Mention(n, line, "PERSON", *span, n + 1, None, 1.0, "test", n)
            for n, (span, line) in enumerate(zip(SPANS, LINES, strict=True))
        )
    ),
    "graph": StageOutput(
        entities=tuple(Entity(n, line, "PERSON", (n,)) for n, line in enumerate(LINES)),
        relations=(),
        edges=tuple(Edge("REFERS_TO", f"mention:{n}", f"entity:{n}") for n in range(MANY)),
    ),
}


class Explained:
    """A store, and how often its statements compared a row with one that is not joined with it."""

    def __init__(self, dsn: str) -> None:
        options = quote(" ".join(f"-c {each}" for each in PLANS))
        self.store = PostgresStore(f"{dsn}?options={options}")
        self.compared: dict[str, int] = {}
        with self.store._connected() as connection:  # the one that every call below takes from the pool
            connection.add_notice_handler(self._noted)

    def _noted(self, notice: psycopg.errors.Diagnostic) -> None:
        told = notice.message_primary or ""
        if "plan:\n" in told:
            plan = json.loads(told.partition("plan:\n")[2])
            compared = sum(
                node.get("Rows Removed by Join Filter", 0) * node["Actual Loops"]
                for node in _nodes(plan["Plan"])
            )
            self.compared[plan["Query Text"]] = max(compared, self.compared.get(plan["Query Text"], 0))

    @property
    def worst(self) -> tuple[int, str]:
        return max((count, text) for text, count in self.compared.items())


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for each in plan.get("Plans", ()):
        yield from _nodes(each)


@pytest.fixture
def explained(database: str) -> Iterator[Explained]:
    found = Explained(database)
    yield found
    found.store.close()


def test_documents_that_are_registered_together_are_not_compared_with_each_other(
    explained: Explained,
) -> None:
    some = [new(document_uuid=str(uuid.uuid4()), digest=uuid.uuid4().hex) for _ in range(MANY)]
    explained.store.register_many(some, [each.document_uuid for each in some])
    again = explained.store.register_many(some, [each.document_uuid for each in some])
    assert not any(each.created for each in again)
    assert explained.worst[0] < 10 * MANY, explained.worst


def test_the_parts_of_a_long_document_are_not_compared_with_each_other(explained: Explained) -> None:
    ref = explained.store.register(new()).ref
    for stage, output in OUTPUTS.items():
        run_stage(explained.store, ref, stage, output)
    names = [
        EntityName(n, f"PERSON {line.lower()}", line.lower(), "PERSON", line.lower(), 1, (f"PERSON ^{n}",))
        for n, line in enumerate(LINES)
    ]
    explained.store.link(ref, names)
    again = explained.store.reprocess(ref.document_uuid, "graph", [stage.planned for stage in BUILT_IN])
    assert again is not None
    run_stage(explained.store, again.ref, "graph", OUTPUTS["graph"])
    assert explained.worst[0] < 10 * MANY, explained.worst
