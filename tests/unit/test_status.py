"""One vocabulary: the words of status.py, of the SQL and of the queues are the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docpipe.models import status
from docpipe.models.status import QUEUES, WORDS, Stage, StageState, StageWords

ROOT = Path(__file__).parents[2]
SQL = next((ROOT / "sql").glob("*_docpipe_tables.sql")).read_text(encoding="utf-8")
SQLITE = (ROOT / "docpipe/stores/sqlite/schema.sql").read_text(encoding="utf-8")
FINAL = {"completed", "completed_with_warnings", "cancelled"}
ERRORS = {"error_ocr", "error_text_processing", "error_entity_extraction", "error_graph_building"}


def _commented(column: str) -> list[str]:
    """The words that the comment on a column lists."""
    comment = re.search(rf"comment on column public\.{re.escape(column)} is\s+([^;]*(?:'[^']*'\s*)+);", SQL)
    assert comment is not None
    return re.findall(r"[a-z_]+", "".join(re.findall(r"'([^']*)'", comment[1])))


def _states(schema: str, table: str) -> set[str]:
    """The states that the CHECK of a table allows."""
    allowed = re.search(rf"if not exists {table} \(.*?check \(state in \(([^)]*)\)", schema, re.S)
    assert allowed is not None
    return set(re.findall(r"'([a-z]+)'", allowed[1]))


def test_the_comment_on_celery_status_lists_exactly_the_words_in_use() -> None:
    words = [word for w in WORDS.values() for word in (w.queued, w.processing, w.complete)]
    errors = [w.error for w in WORDS.values()]
    assert _commented("source_documents.celery_status") == [
        status.PENDING, *words, status.CANCELLED, *errors
    ]  # fmt: skip


def test_the_comment_on_processing_status_lists_exactly_the_words_in_use() -> None:
    words = [word for w in WORDS.values() for word in (w.graph_started, w.graph_completed) if word]
    errors = [w.error for w in WORDS.values()]
    assert _commented('neo4j_documents."processingStatus"') == [
        *words, status.COMPLETED, status.COMPLETED_WITH_WARNINGS, status.CANCELLED, *errors
    ]  # fmt: skip


@pytest.mark.parametrize(("schema", "table"), [(SQL, "public.stage_runs"), (SQLITE, "stage_runs")])
def test_the_ledger_allows_exactly_the_stage_states(schema: str, table: str) -> None:
    assert _states(schema, table) == {state.value for state in StageState}


def test_stages_queues_and_words_are_those_of_the_design() -> None:
    assert [stage.value for stage in Stage] == ["ocr", "chunk", "entities", "graph"]
    assert [QUEUES[stage] for stage in Stage] == ["ocr", "text", "entity", "graph"]
    assert {words.error for words in WORDS.values()} == ERRORS
    for stage in Stage:
        words, queue = WORDS[stage], QUEUES[stage]
        assert (words.queued, words.processing, words.complete) == tuple(
            f"{queue}_{step}" for step in ("queued", "processing", "complete")
        )


def test_no_two_stages_share_a_word() -> None:
    words = [word for w in WORDS.values() for word in (w.queued, w.processing, w.complete, w.error)]
    assert len(words) == len(set(words))


@pytest.mark.parametrize("word", sorted(FINAL | ERRORS))
def test_final_words_are_final(word: str) -> None:
    assert status.is_final(word)
    assert status.is_error(word) == (word in ERRORS)


@pytest.mark.parametrize("stage", Stage)
def test_words_on_the_way_are_not_final(stage: Stage) -> None:
    words = WORDS[stage]
    assert not any(map(status.is_final, (status.PENDING, words.queued, words.processing, words.complete)))


@pytest.mark.parametrize("word", sorted(FINAL | ERRORS | {"pending", "graph_complete", "notify_complete"}))
def test_a_status_is_read_out_of_the_two_columns_as_it_was_written(word: str) -> None:
    assert status.document_status(status.celery_status(word), word) == word


def test_a_document_of_another_system_has_its_status_in_celery_status_alone() -> None:
    assert status.document_status("completed", "fully_processed") == "completed"
    assert status.document_status("graph_complete", None) == "graph_complete"


def test_a_stage_of_ones_own_gets_words_of_the_same_form() -> None:
    assert status.custom_words("classify") == StageWords(
        "classify_queued", "classify_processing", "classify_complete", "error_classify"
    )


@pytest.mark.parametrize(("length", "fits"), [(39, True), (40, False)])
def test_words_fit_the_column(length: int, fits: bool) -> None:
    if fits:
        assert len(status.custom_words("x" * length).processing) == 50
    else:
        with pytest.raises(ValueError, match="too long"):
            status.custom_words("x" * length)
