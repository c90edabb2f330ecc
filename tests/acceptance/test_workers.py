"""Four worker processes, one per queue; a host process submits; the tables tell the story."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain, groupby
from pathlib import Path
from typing import Any

import psycopg
import pytest

from docpipe import Pipeline
from docpipe.models.status import PENDING, QUEUES, WORDS, Stage, is_final
from tests.acceptance.conftest import DOCUMENTS, EmbeddedRun, Services, without_identity
from tests.workers import REPOSITORY, Workers, clean_environment, wait_until

STATUSES = [
    PENDING,
    WORDS[Stage.OCR].queued,
    *chain.from_iterable((w.processing, w.complete) for w in WORDS.values()),
]
GRAPH_STATUSES = list(
    chain.from_iterable((w.graph_started, w.graph_completed) for w in WORDS.values() if w.graph_started)
)
NAMES = [file.name for file in DOCUMENTS]

OLD_QUEUE = "create table public.document_processing_queue (id bigserial primary key, document_uuid text)"
WATCHED = """
select s.document_uuid, s.celery_status, s.initial_processing_status, n."processingStatus", s.celery_task_id
  from source_documents s left join neo4j_documents n on n."sourceDocumentUuid" = s.document_uuid
"""

each_document = pytest.mark.parametrize("name", NAMES)


@dataclass
class Story:
    """What a watcher of the tables saw of each document, by its name."""

    submitted: dict[str, dict[str, str]] = field(default_factory=dict)
    seen: dict[str, list[tuple[str, str, str, str]]] = field(default_factory=dict)
    """celery_status, initial_processing_status, processingStatus, celery_task_id: every change."""

    def of(self, name: str) -> list[tuple[str, str, str, str]]:
        return self.seen[self.submitted[name]["uuid"]]

    def look(self, connection: psycopg.Connection[Any]) -> bool:
        """Note what changed; true when all documents are final."""
        for uuid, *state in connection.execute(WATCHED).fetchall():
            changes = self.seen.setdefault(uuid, [])
            if changes[-1:] != [tuple(state)]:
                changes.append(tuple(state))
        return len(self.seen) == len(NAMES) and all(is_final(seen[-1][1]) for seen in self.seen.values())


@pytest.fixture(scope="module")
def story(services: Services, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """The whole run, watched; the workers have ended, and nobody has written the old queue table since."""
    folder = tmp_path_factory.mktemp("workers")
    with psycopg.connect(services.dsn, autocommit=True) as connection:
        connection.execute(OLD_QUEUE)
        try:
            yield _watched(services, connection, folder)
        finally:
            connection.execute("drop table public.document_processing_queue")


def _watched(services: Services, connection: psycopg.Connection[Any], folder: Path) -> Story:
    story = Story()
    with Workers(folder, services.env) as workers:
        for queue in QUEUES.values():
            workers.start(queue)
        workers.wait_until_ready()
        with _host(services.env) as host:
            wait_until(lambda: story.look(connection), "all documents are final")
            output, _ = host.communicate()
        wait_until(lambda: services.idle, "no message is left")
    assert host.returncode == 0
    story.submitted = {line["name"]: line for line in map(json.loads, output.splitlines())}
    return story


def _host(env: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.acceptance.host", *map(str, DOCUMENTS)],
        cwd=REPOSITORY,
        env=clean_environment(env),
        stdout=subprocess.PIPE,
        text=True,
    )


def test_the_host_submits_every_document(story: Story) -> None:
    assert list(story.submitted) == NAMES


@each_document
def test_statuses_move_only_forward_as_a_watcher_sees_them(story: Story, name: str) -> None:
    order = [*STATUSES, "completed"]
    graph_order = [None, *GRAPH_STATUSES, "completed"]
    places = [(order.index(status), graph_order.index(graph)) for _, status, graph, _ in story.of(name)]
    assert places == sorted(places)
    assert places[-1] == (len(order) - 1, len(graph_order) - 1)


@each_document
def test_both_columns_say_the_same_until_the_document_is_done(story: Story, name: str) -> None:
    *way, end = [(celery, initial) for celery, initial, *_ in story.of(name)]
    assert [celery for celery, _ in way] == [initial for _, initial in way]
    assert end == ("graph_complete", "completed")


@each_document
@pytest.mark.parametrize(
    ("column", "good"),
    [
        ("celery_status", {"graph_complete"}),
        ("initial_processing_status", {"completed", "completed_with_warnings"}),
    ],
)
def test_a_host_that_waits_for_either_column_comes_to_its_end(
    story: Story, services: Services, name: str, column: str, good: set[str]
) -> None:
    found = services.query(
        f"select {column} from source_documents where document_uuid = %s",
        story.submitted[name]["uuid"],
    )
    assert {status for (status,) in found} <= good
    states = [state[0 if column == "celery_status" else 1] for state in story.of(name)]
    assert [state in good for state in states].index(True) == len(states) - 1, "it ended before the end"


@each_document
def test_each_status_of_each_stage_was_set_once_and_in_order(
    story: Story, services: Services, name: str
) -> None:
    rows = services.query(
        "select status, graph_status from docpipe_history where document_uuid = %s order by id",
        story.submitted[name]["uuid"],
    )
    assert [status for status, _ in rows] == [*STATUSES, "completed"]
    assert [graph for _, graph in rows if graph] == [*GRAPH_STATUSES, "completed"]


@each_document
def test_the_task_id_follows_the_stage_that_runs(story: Story, name: str) -> None:
    ids = [task_id for task_id, _ in groupby(task_id for *_, task_id in story.of(name)) if task_id]
    first = story.submitted[name]["task_id"]
    order = [first, *(f"{first}.{stage}" for stage in list(Stage)[1:])]
    assert (ids[0], ids[-1]) == (first, order[-1])
    assert [order.index(task_id) for task_id in ids] == sorted(map(order.index, ids))


def test_each_stage_ran_once_in_a_process_of_its_own(story: Story, services: Services) -> None:
    rows = services.query("select distinct stage, attempt, state, worker from stage_runs")
    assert sorted((stage, attempt, state) for stage, attempt, state, _ in rows) == sorted(
        (stage.value, 1, "complete") for stage in QUEUES
    )
    assert len({worker for *_, worker in rows}) == len(QUEUES)


@each_document
def test_results_equal_those_of_the_embedded_run(
    story: Story, pipeline: Pipeline, embedded: EmbeddedRun, name: str
) -> None:
    document = pipeline.get(story.submitted[name]["uuid"])
    assert without_identity(document) == embedded.documents[name]


def test_the_raw_text_stands_in_source_documents(
    story: Story, services: Services, embedded: EmbeddedRun
) -> None:
    rows = services.query("select original_file_name, raw_extracted_text from source_documents")
    assert dict(rows) == {name: document.text for name, document in embedded.documents.items()}


def test_nobody_ever_wrote_the_old_queue_table(story: Story, services: Services) -> None:
    # a sequence is not rolled back: it shows also the rows that came and went
    assert services.query("select is_called from document_processing_queue_id_seq") == [(False,)]
    assert services.query("select * from document_processing_queue") == []
