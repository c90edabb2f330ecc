"""The old queue's work goes over to Celery, each row once: real Postgres, Redis, API and workers."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import psycopg
import pytest

from docpipe.cli.takeover import takeover
from docpipe.cli.takeover.queue import importing as queue
from docpipe.cli.takeover.queue.locators import Where
from docpipe.cli.takeover.tables import triggers
from docpipe.cli.takeover.verify import verify
from docpipe.errors import ConfigurationError
from docpipe.models import Ref
from docpipe.pipeline.factory import new_pipeline
from docpipe.pipeline.pipeline import Pipeline
from tests.integration.importing import import_all, settings_of
from tests.integration.legacy_database import Legacy, build, fill, run, table, value
from tests.integration.test_health import close
from tests.integration.test_takeover import WISHES, schema
from tests.messages import messages
from tests.stack import Stack
from tests.stack.api_server import ApiServer
from tests.stack.server import free_ports
from tests.workers import REPOSITORY, clean_environment

QUEUES = ("ocr", "text", "entity", "graph")
ROWS = "select status::text, count(*)::int from document_processing_queue group by 1 order by 1"
SENT = "select outcome, count(*)::int from docpipe_queue_imports group by 1 order by 1"
ENGINES = {
    "DOCPIPE_OCR_ENGINE": "tests.engines:OneLine",
    "DOCPIPE_NER_ENGINE": "tests.engines:Capitals",
    "DOCPIPE_ISOLATE": "false",
    "DOCPIPE_GRACE_SECONDS": "0.01",
}


@dataclass
class World:
    """A database of the old system that docpipe has been applied to, and the servers around it."""

    dsn: str
    legacy: Legacy
    env: dict[str, str]
    folder: Path
    pipeline: Pipeline
    before: str
    """The schema as it was."""

    def documents(self, **kinds: dict[str, Any]) -> None:
        """One readable file and its rows per label."""
        rows = []
        for label, values in kinds.items():
            path = self.folder / f"{label}.txt"
            path.write_text(values.pop("text", f"Ann met Bob in {label}."))
            rows.append((label, {"original_file_path": str(path)} | values))
        fill(self.dsn, self.legacy, rows)
        takeover.apply(self.dsn)

    def take_in(self, **options: Any) -> Counter[str]:
        return queue.import_rows(self.dsn, self.pipeline, **options)

    def ref(self, label: str) -> Ref:
        """Of the first run."""
        return Ref(self.legacy.documents[label], 1)

    def status(self, label: str) -> str:
        uid = self.legacy.documents[label]
        return str(
            value(
                self.dsn,
                "select docpipe_document_status(celery_status::text, initial_processing_status::text)"
                " from source_documents where document_uuid = %s",
                uid,
            )
        )

    def command(self, *arguments: str) -> subprocess.Popen[str]:
        program = str(Path(sys.executable).with_name("docpipe"))
        return subprocess.Popen(
            [program, *arguments], env=clean_environment(self.env), cwd=REPOSITORY,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip


NewWorld = Callable[..., World]


@contextlib.contextmanager
def surroundings(
    stack: Stack, dsn: str, redis_url: str, folder: Path
) -> Iterator[tuple[ApiServer, dict[str, str]]]:
    """An API of the database's own, and the settings of those who use both."""
    api = _api(stack, dsn, folder)
    try:
        yield (
            api,
            ENGINES
            | {
                "SUPABASE_URL": api.url,
                "SUPABASE_SECRET_KEY": api.secret_key,
                "SUPABASE_DB_URL": dsn,
                "REDIS_URL": redis_url,
                "DOCPIPE_UPLOADS": str(folder / "uploads"),
            },
        )
    finally:
        api.stop()


@pytest.fixture
def new_world(stack: Stack, empty_database: str, redis_url: str, tmp_path: Path) -> Iterator[NewWorld]:
    with contextlib.ExitStack() as made:

        def new(generation: int = 1, *, switch_off: bool = True, extra: str = "") -> World:
            legacy = build(empty_database, generation)
            run(empty_database, extra)
            before = schema(empty_database)
            takeover.apply(empty_database, WISHES)
            if switch_off:
                triggers.switch_off(empty_database, tmp_path / "triggers.sql")
            _, env = made.enter_context(surroundings(stack, empty_database, redis_url, tmp_path))
            pipeline = new_pipeline(settings_of(env))
            made.callback(close, pipeline)
            return World(empty_database, legacy, env, tmp_path, pipeline, before)

        yield new


def _api(stack: Stack, dsn: str, folder: Path) -> ApiServer:
    api = ApiServer(
        folder / "api",
        free_ports(1)[0],
        database_url=stack.postgres.database_url(dsn.rpartition("/")[2], "authenticator"),
        publishable_key=stack.api.publishable_key,
        secret_key=stack.api.secret_key,
        jwt_secret=stack.api.jwt_secret,
    )
    (folder / "api").mkdir()
    api.start()
    return api


@pytest.fixture(params=[1, 2])
def world(request: pytest.FixtureRequest, new_world: NewWorld) -> World:
    return new_world(request.param)


# --- import ----------------------------------------------------------------------------------------


def test_open_rows_are_submitted_once_and_marked(world: World) -> None:
    world.documents(
        waits={"queue": "pending", "initial_processing_status": "pending"},
        stopped={"queue": "processing", "initial_processing_status": "ocr_processing"},
        over={"queue": "completed", "step": "building_relationships"},
        broken={"queue": "failed", "initial_processing_status": "ocr_failed"},
    )
    told: list[queue.Imported] = []
    assert world.take_in(tell=told.append) == {"submitted": 2}
    sent = {Ref(world.legacy.documents[label], 1) for label in ("waits", "stopped")}
    assert (messages(world.pipeline.broker, QUEUES), world.pipeline.broker.depths(["ocr"])) == (
        sent,
        {"ocr": 2},
    )
    assert {each.document_uuid for each in told} == {ref.document_uuid for ref in sent}
    assert {label: world.status(label) for label in world.legacy.documents} == {
        "waits": "ocr_queued", "stopped": "ocr_queued", "over": "completed", "broken": "error_ocr",
    }  # fmt: skip
    closed = {1: "cancelled", 2: "completed"}[world.legacy.generation]
    expected = Counter({"completed": 1, "failed": 1}) + Counter({closed: 2})
    assert dict(table(world.dsn, ROWS)) == expected


def test_a_second_import_finds_nothing(world: World) -> None:
    world.documents(waits={"queue": "pending"})
    world.take_in()
    before = table(world.dsn, "select * from document_processing_queue"), table(world.dsn, SENT)
    assert world.take_in() == {}
    assert (table(world.dsn, "select * from document_processing_queue"), table(world.dsn, SENT)) == before
    assert world.pipeline.broker.depths(["ocr"]) == {"ocr": 1}


def test_what_was_complete_is_not_done_again(new_world: NewWorld) -> None:
    world = new_world()
    world.documents(done={"queue": "pending", "initial_processing_status": "fully_processed"})
    assert world.take_in() == {"complete": 1}
    assert (world.status("done"), world.pipeline.broker.depths(["ocr"])) == ("completed", {"ocr": 0})
    assert table(world.dsn, ROWS) == [("completed", 1)]


def test_what_cannot_be_read_fails_by_name_and_goes_on_when_it_can(new_world: NewWorld) -> None:
    world = new_world()
    world.documents(lost={"queue": "pending", "original_file_path": "inbox/lost.txt"})
    assert world.take_in(where=Where(root=world.folder / "elsewhere")) == {"unreadable": 1}
    status = world.pipeline.status(world.legacy.documents["lost"])
    assert status.error is not None
    assert (status.status, status.error.code) == ("error_ocr", "not_found")
    assert table(world.dsn, ROWS) == [("cancelled", 1)]
    assert world.pipeline.resume(status.document_uuid)


def test_a_row_of_no_document_is_told_and_closed(new_world: NewWorld) -> None:
    world = new_world(2)
    run(world.dsn, "insert into document_processing_queue (source_document_uuid) values ('nobody')")
    assert world.take_in() == {"no_document": 1}
    assert table(world.dsn, ROWS) == [("failed", 1)]


def test_the_same_bytes_twice_are_two_documents_as_before(new_world: NewWorld) -> None:
    world = new_world()
    world.documents(one={"queue": "pending", "text": "Same."}, two={"queue": "pending", "text": "Same."})
    assert world.take_in() == {"submitted": 2}
    assert world.pipeline.broker.depths(["ocr"]) == {"ocr": 2}


def test_nothing_is_imported_while_triggers_still_work(new_world: NewWorld) -> None:
    world = new_world(switch_off=False)
    world.documents(waits={"queue": "pending"})
    with pytest.raises(ConfigurationError, match="zz_first"):
        world.take_in()
    assert table(world.dsn, ROWS) == [("pending", 1)]


def test_unknown_statuses_are_told_and_nothing_is_imported(new_world: NewWorld) -> None:
    world = new_world()
    run(
        world.dsn,
        "alter table document_processing_queue drop constraint document_processing_queue_status_check",
    )
    world.documents(odd={"queue": "on_hold"}, waits={"queue": "pending"})
    with pytest.raises(ConfigurationError, match="on_hold"):
        world.take_in()
    assert table(world.dsn, SENT) == []


def test_a_dry_run_lists_and_changes_nothing(new_world: NewWorld) -> None:
    world = new_world()
    world.documents(waits={"queue": "pending"}, stopped={"queue": "processing"})
    out, err = (shown := world.command("queue", "import", "--dry-run")).communicate()
    uids = world.legacy.documents
    assert out.splitlines() == [
        f"1 {uids['waits']} pending (pending)",
        f"2 {uids['stopped']} interrupted (processing)",
    ]
    assert (shown.returncode, err) == (0, "docpipe: 2 rows would be handed over; nothing was changed\n")
    assert table(world.dsn, SENT) == []


KILLS = int(os.environ.get("KILLS", "12"))


@pytest.mark.timeout(300 + 60 * KILLS)
def test_an_importer_killed_again_and_again_submits_every_row_once(new_world: NewWorld) -> None:
    world = new_world()
    world.documents(**{f"d{number}": {"queue": "pending"} for number in range(4 * KILLS)})
    assert _killed_importers(world, random.Random(20261121)) >= KILLS
    assert world.take_in() == {}
    world.pipeline.reap()  # a message that was announced and never sent
    count = len(world.legacy.documents)
    assert messages(world.pipeline.broker, QUEUES) == {Ref(uid, 1) for uid in world.legacy.documents.values()}
    assert world.pipeline.broker.depths(QUEUES)["ocr"] == count
    assert table(world.dsn, SENT) == [("submitted", count)]
    assert table(world.dsn, "select run, count(*)::int from docpipe_runs group by run") == [(1, count)]
    assert table(world.dsn, ROWS) == [("cancelled", count)]


def _killed_importers(world: World, chance: random.Random) -> int:
    """Importers that were killed somewhere within three rows, until no row was left."""
    processes, kills = get_context("forkserver"), 0
    processes.set_forkserver_preload(["tests.integration.importing"])
    with psycopg.connect(world.dsn, autocommit=True) as watching:
        while (done := _imported(watching)) < len(world.legacy.documents):
            importer = processes.Process(target=import_all, args=(world.env, chance.randint(1, 7)))
            importer.start()
            _kill_when(
                importer,
                chance.randint(0, 30),
                partial(_reached, watching, done + chance.randint(1, 3)),
            )
            importer.join()
            assert importer.exitcode in {0, -signal.SIGKILL}
            kills += importer.exitcode != 0
    return kills


def _imported(connection: psycopg.Connection) -> int:
    row = connection.execute("select count(*) from docpipe_queue_imports").fetchone()
    assert row is not None
    return int(row[0])


def _reached(connection: psycopg.Connection, rows: int) -> bool:
    return _imported(connection) >= rows


def _kill_when(process: ForkServerProcess, looks: int, reached: Callable[[], bool]) -> None:
    """Kill it some looks after the moment, wherever it is then."""
    while process.is_alive():
        looks -= reached()
        if looks < 0:
            process.kill()
            return


# --- open documents that the queue does not know -------------------------------------------------


def test_stranded_documents_are_submitted_when_wanted_each_once(world: World) -> None:
    world.documents(
        forgotten={"initial_processing_status": "pending"},
        halfway={"initial_processing_status": "ocr_complete"},
        waits={"queue": "pending"},
        over={"initial_processing_status": "completed"},
        broken={"initial_processing_status": "error_ner"},
        stopped={"initial_processing_status": "stopped"},
    )
    uids = world.legacy.documents
    assert [(each.work, each.document_uuid) for each in queue.listed(world.dsn, with_stranded=True)] == [
        ("pending", uids["waits"]),
        *sorted(("stranded", uids[label]) for label in ("forgotten", "halfway")),
    ]
    assert world.take_in() == {"submitted": 1}
    assert "2 documents are open, and no row names them." in wrong_all(world)
    assert world.take_in(with_stranded=True) == {"submitted": 2}
    assert world.take_in(with_stranded=True) == {}
    assert "and no row names them" not in wrong_all(world)
    sent = {Ref(uids[label], 1) for label in ("forgotten", "halfway", "waits")}
    assert messages(world.pipeline.broker, QUEUES) == sent
    assert world.pipeline.broker.depths(["ocr"]) == {"ocr": 3}
    assert [world.status(label) for label in ("over", "broken", "stopped")] == [
        "completed", "error_entity_extraction", "cancelled",
    ]  # fmt: skip


def test_stranded_documents_are_taken_when_the_queue_is_gone_already(new_world: NewWorld) -> None:
    world = new_world(1)
    world.documents(forgotten={"initial_processing_status": "pending"})
    run(world.dsn, "drop table document_processing_queue")
    with pytest.raises(ConfigurationError, match="There is no table document_processing_queue"):
        world.take_in()
    assert world.take_in(with_stranded=True) == {"submitted": 1}


def test_the_rollback_strands_them_again_with_the_status_they_had(new_world: NewWorld) -> None:
    world = new_world(1)
    world.documents(halfway={"initial_processing_status": "ocr_complete"})
    world.take_in(with_stranded=True)
    assert world.status("halfway") == "ocr_queued"
    takeover.rollback(world.dsn)
    statuses = table(world.dsn, "select initial_processing_status from source_documents")
    assert statuses == [("ocr_complete",)]
    assert schema(world.dsn) == world.before


# --- projects -------------------------------------------------------------------------------------


def test_documents_join_the_databases_own_projects(new_world: NewWorld) -> None:
    world = new_world(
        1, extra="alter table source_documents add column project_id int references projects (id)"
    )
    first = world.pipeline.submit(b"Ann met Bob.", name="a.txt", project_id="1")
    again = world.pipeline.submit(b"Ann met Bob.", name="a.txt", project_id="1")
    alone = world.pipeline.submit(b"Ann met Bob.", name="a.txt")
    assert again.document_uuid == first.document_uuid != alone.document_uuid
    assert world.pipeline.status(first.document_uuid).project_id == "1"
    assert world.pipeline.get(first.document_uuid).project_id == "1"
    assert {each.project_id for each in world.pipeline.store.documents()} == {"1", None}
    assert {each.project_id for each in world.pipeline.store.statistics().documents} == {"1", None}
    joined = "select p.name from source_documents d join projects p on p.id = d.project_id"
    assert table(world.dsn, joined) == [("Case 12",)]


@pytest.mark.parametrize(
    ("project", "told"),
    [("letters", 'invalid input syntax for type integer: "letters"'), ("99", "is not present in table")],
)
def test_a_project_that_the_database_does_not_have_is_refused_by_name(
    new_world: NewWorld, project: str, told: str
) -> None:
    world = new_world(
        1, extra="alter table source_documents add column project_id int references projects (id)"
    )
    with pytest.raises(ConfigurationError, match=told):
        world.pipeline.submit(b"Ann met Bob.", name="a.txt", project_id=project)
    assert value(world.dsn, "select count(*) from source_documents") == 0


# --- seal ------------------------------------------------------------------------------------------


def test_a_sealed_queue_refuses_rows_and_says_where_to_go(world: World) -> None:
    world.documents(waits={"queue": "completed"}, other={})
    queue.seal(world.dsn)
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="sealed") as refused:
        world.legacy.queue(world.dsn, "other")
    assert "docpipe.submit()" in (refused.value.diag.message_hint or "")
    may = "select has_table_privilege(%s, 'document_processing_queue', 'insert')"
    assert [value(world.dsn, may, role) for role in ("anon", "authenticated", "service_role")] == [False] * 3


def test_sealing_and_unsealing_twice_change_nothing_the_second_time(world: World) -> None:
    before = schema(world.dsn)
    assert queue.unseal(world.dsn) == []
    assert queue.seal(world.dsn)
    sealed = schema(world.dsn)
    assert queue.seal(world.dsn) == []
    assert schema(world.dsn) == sealed != before
    assert queue.unseal(world.dsn)
    assert queue.unseal(world.dsn) == []
    assert schema(world.dsn) == before


def test_a_queue_that_triggers_write_to_is_not_sealed(new_world: NewWorld) -> None:
    world = new_world(switch_off=False)
    with pytest.raises(ConfigurationError, match="docpipe db triggers --disable"):
        queue.seal(world.dsn)


# --- verify ----------------------------------------------------------------------------------------


def wrong(world: World, *, live: bool = False) -> dict[str, str]:
    return {each.check: each.message for each in verify(world.dsn, world.pipeline, live=live) if not each.ok}


def wrong_all(world: World) -> str:
    found = verify(world.dsn, world.pipeline)
    return "\n".join(f"{each.check}: {each.message}" for each in found if not each.ok)


def test_verify_names_all_that_is_left_to_do(new_world: NewWorld) -> None:
    world = new_world(switch_off=False)
    world.documents(waits={"queue": "pending"})
    told = wrong_all(world)
    for part in (
        "zz_first on source_documents writes to the queue. Run: docpipe db triggers --disable",
        "1 rows of document_processing_queue are open. Run: docpipe queue import",
        "takes new rows. Run: docpipe queue seal",
        "nobody consumes queue ocr",
    ):
        assert part in told


def test_verify_sees_rows_that_come_in_behind_the_seal(new_world: NewWorld) -> None:
    world = new_world()
    world.documents(late={})
    queue.seal(world.dsn)
    run(world.dsn, "alter table document_processing_queue disable trigger docpipe_sealed")
    world.legacy.queue(world.dsn, "late")
    found = [
        each.message
        for each in verify(world.dsn, world.pipeline)
        if each.check == "old queue" and not each.ok
    ]
    assert any(message.startswith("1 rows came in since") for message in found)


def test_verify_fails_when_redis_does_not_answer(new_world: NewWorld, stack: Stack) -> None:
    world = new_world()
    stack.redis.kill()
    assert "cannot be reached" in wrong(world)["redis"]


# --- all of it -------------------------------------------------------------------------------------


def test_the_rollback_opens_the_rows_again_that_nobody_finished(new_world: NewWorld) -> None:
    world = new_world()
    world.documents(waits={"queue": "processing"}, lost={"queue": "pending", "original_file_path": "x"})
    world.take_in()
    queue.seal(world.dsn)
    assert takeover.rollback(world.dsn).handed_back == 2
    assert table(world.dsn, ROWS) == [("failed", 1), ("pending", 1)]
    assert schema(world.dsn) == world.before


def test_the_commands_say_what_they_did_and_what_is_wrong(new_world: NewWorld) -> None:
    world = new_world()
    world.documents(waits={"queue": "pending"})
    shown = {}
    for words in (
        "db check",
        "db triggers --json",
        "queue import",
        "queue seal",
        "db verify --json",
        "queue unseal",
    ):
        process = world.command(*words.split())
        out, _ = process.communicate()
        shown[words] = process.returncode, out
    assert shown["db check"] == (0, "the database has everything docpipe needs\n")
    assert all(
        not json.loads(line)["works"] or not json.loads(line)["enabled"]
        for line in shown["db triggers --json"][1].splitlines()
    )
    assert shown["queue import"] == (0, f"1 {world.legacy.documents['waits']} submitted\n")
    assert shown["queue seal"][0] == shown["queue unseal"][0] == 0
    found = [json.loads(line) for line in shown["db verify --json"][1].splitlines()]
    assert {each["check"] for each in found if not each["ok"]} == {"consumers"}
    assert shown["db verify --json"][0] == 1
