"""A database with a rule of its own that refuses what docpipe writes: whole runs, to their ends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from docpipe.errors import RefusedByDatabaseError
from docpipe.execution.policy import Policy
from docpipe.pipeline.pipeline import Pipeline
from docpipe.sources import Sources
from docpipe.stores.postgres.store import PostgresStore
from docpipe.testing import memory_app
from tests.engines import OPTIONS

RULES = {
    "the beginning": ("new.celery_status = 'ocr_processing'", "error_ocr", False),
    "the end of a stage": ("new.celery_status = 'ocr_complete'", "error_ocr", False),
    "the next stage": ("new.celery_status = 'text_processing'", "error_text_processing", False),
    "the end of all": ("new.celery_status = 'graph_complete'", "error_graph_building", False),
    "an end and its failure": (
        "new.celery_status in ('text_complete', 'error_text_processing')", "error_text_processing", True
    ),
    "all after a moment": ("old.celery_status = 'ocr_processing'", "error_ocr", True),
}  # fmt: skip
"""When it refuses, the status of such a document, and whether only the ledger may know that."""


@pytest.fixture
def pipeline(database: str, tmp_path: Path) -> Iterator[Pipeline]:
    store = PostgresStore(database)
    app = memory_app(task_always_eager=True)
    policy = Policy(grace_seconds=-1.0, backoff_seconds=0.001)
    yield Pipeline(app, store=store, sources=Sources(uploads=tmp_path), options=OPTIONS, policy=policy)
    store.close()


@pytest.mark.parametrize("rule", RULES)
def test_each_document_ends_with_the_words_of_the_rule_and_is_not_tried_again(
    pipeline: Pipeline, database: str, rule: str
) -> None:
    when, status, only_ledger = RULES[rule]
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            "create function embargo() returns trigger language plpgsql as"
            " $$ begin raise exception 'Embargo until May'; end $$;"
            " create trigger embargo before update on source_documents for each row"
            f" when ({when}) execute function embargo()".encode()
        )
        try:
            submission = pipeline.submit(b"Ann met Bob.", name="a.txt")
            with pytest.raises(RefusedByDatabaseError) as caught:
                submission.wait(1.0)
            assert not pipeline.reap()
        finally:
            connection.execute("drop function embargo() cascade")
    assert submission.status().status == status
    told = str(caught.value)
    assert told.startswith("The database refuses it (P0001): Embargo until May.")
    assert told.count("and then: docpipe retry UUID.") == 1
    assert ("refuses to have that in source_documents" in told) == only_ledger
    assert [each.code for each in pipeline.store.statistics().failures] == ["refused_by_database"]
    assert pipeline.resume(submission.document_uuid)  # the rule is gone
    assert submission.wait(1.0).status == "completed"
