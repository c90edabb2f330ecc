"""Watched folders and S3: every file is taken once and whole, whatever is killed when."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from docpipe.errors import ConfigurationError, SourceUnavailableError
from docpipe.models import Ref
from docpipe.pipeline.intake.choose import Choice
from docpipe.pipeline.intake.folder import Folder, Watcher
from docpipe.pipeline.intake.journal import Entry, Journal
from docpipe.pipeline.intake.s3 import ATTEMPTS, Intake, Listener, Taken, created, sync
from docpipe.pipeline.pipeline import Pipeline
from docpipe.sources import Sources
from docpipe.stores.sqlite.store import SqliteStore
from docpipe.testing import memory_app
from tests.engines import OPTIONS
from tests.workers import REPOSITORY, clean_environment, wait_until

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_sqs import SQSClient

KILLS = int(os.environ.get("KILLS", "5"))
COMMAND = [sys.executable, "-c", "from docpipe.cli import main; main()"]


@pytest.fixture
def pipeline(tmp_path: Path) -> Iterator[Pipeline]:
    store = SqliteStore(tmp_path / "docpipe.db")
    yield Pipeline(memory_app(), store=store, sources=Sources(uploads=tmp_path / "uploads"), options=OPTIONS)
    store.close()


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    return folder


NewWatcher = Callable[..., Watcher]


@pytest.fixture
def new_watcher(pipeline: Pipeline, inbox: Path, tmp_path: Path) -> Iterator[NewWatcher]:
    made: list[Watcher] = []

    def new(in_place: bool = False, **options: Any) -> Watcher:
        places: dict[str, Any] = {"done": inbox / "done", "failed": inbox / "failed"}
        if in_place:
            places = {"journal": tmp_path / "journal.db"}
        made.append(Watcher(pipeline, Folder(inbox, **({"stable_seconds": 0.0} | places | options))))
        return made[-1]

    yield new
    for watcher in made:
        watcher.close()


def names(pipeline: Pipeline) -> list[str]:
    return sorted(each.name for each in pipeline.store.documents(limit=10_000))


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


# --- one round of a folder -------------------------------------------------------------------------


def test_documents_are_taken_and_put_into_done(
    pipeline: Pipeline, new_watcher: NewWatcher, inbox: Path
) -> None:
    for name in ("a.txt", "b.PDF", "c.docx", "d.eml", "e.jpeg"):
        (inbox / name).write_text(name)
    assert new_watcher().look() is None
    assert names(pipeline) == ["a.txt", "b.PDF", "c.docx", "d.eml", "e.jpeg"]
    assert files(inbox) == ["done/a.txt", "done/b.PDF", "done/c.docx", "done/d.eml", "done/e.jpeg"]


@pytest.mark.parametrize(
    "name", [".a.txt", "~$a.docx", "a.pdf.part", "a.pdf.crdownload", "a.tmp", "a.exe", "a"]
)
def test_what_is_no_document_stays(
    pipeline: Pipeline, new_watcher: NewWatcher, inbox: Path, name: str
) -> None:
    (inbox / name).write_text("x")
    new_watcher().look()
    assert (names(pipeline), files(inbox)) == ([], [name])


def test_links_pipes_and_folders_are_not_followed(
    pipeline: Pipeline, new_watcher: NewWatcher, inbox: Path, tmp_path: Path
) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    (inbox / "link.txt").symlink_to(tmp_path / "secret.txt")
    os.mkfifo(inbox / "pipe.txt")
    (inbox / "folder.txt").mkdir()
    (inbox / "folder.txt" / "below.txt").write_text("below")
    new_watcher().look()
    assert names(pipeline) == []


def test_what_is_moved_is_for_its_owner_alone(
    pipeline: Pipeline, new_watcher: NewWatcher, inbox: Path
) -> None:
    (inbox / "a.txt").write_text("a")
    (inbox / "b.pdf").write_text("%PDF-1.4 broken")
    (inbox / "c.txt").write_bytes(b"x" * 3000)
    pipeline.sources.max_bytes = 2000
    new_watcher().look()
    modes = {path.relative_to(inbox).as_posix(): path.stat().st_mode & 0o777 for path in inbox.rglob("*")}
    assert (modes["done"], modes["failed"], modes["failed/c.txt.error.txt"]) == (0o700, 0o700, 0o600)


@pytest.mark.parametrize("planted", ["done", "done/sub"])
def test_a_link_in_the_watched_folder_leads_nothing_out_of_it(
    pipeline: Pipeline, new_watcher: NewWatcher, inbox: Path, tmp_path: Path, planted: str
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (inbox / planted).parent.mkdir(exist_ok=True)
    (inbox / planted).symlink_to(outside)
    (inbox / "sub" / "deep").mkdir(parents=True)
    (inbox / "sub" / "deep" / "a.txt").write_text("a")
    new_watcher(recursive=True).look()
    assert names(pipeline) == ["a.txt"]
    assert (list(outside.iterdir()), (inbox / "sub/deep/a.txt").exists()) == ([], True)


def test_a_reason_is_not_written_through_a_link(
    pipeline: Pipeline, new_watcher: NewWatcher, inbox: Path, tmp_path: Path
) -> None:
    (tmp_path / "host.txt").write_text("the host's")
    (inbox / "failed").mkdir()
    (inbox / "failed" / "c.txt.error.txt").symlink_to(tmp_path / "host.txt")
    (inbox / "c.txt").write_bytes(b"x" * 3000)
    pipeline.sources.max_bytes = 2000
    new_watcher().look()
    assert (inbox / "failed" / "c.txt").exists()
    assert (tmp_path / "host.txt").read_text() == "the host's"


def test_folders_below_are_read_when_wanted_and_keep_their_shape(
    pipeline: Pipeline, new_watcher: NewWatcher, inbox: Path
) -> None:
    (inbox / "2026" / "05").mkdir(parents=True)
    (inbox / "2026" / "05" / "a.txt").write_text("a")
    (inbox / ".git").mkdir()
    (inbox / ".git" / "b.txt").write_text("b")
    watcher = new_watcher(recursive=True)
    watcher.look()
    watcher.look()
    assert names(pipeline) == ["a.txt"]
    assert files(inbox) == [".git/b.txt", "done/2026/05/a.txt"]
    (document,) = pipeline.store.documents()
    assert pipeline.get(document.document_uuid).metadata == {"watched_path": "2026/05/a.txt"}


def test_a_file_that_cannot_be_taken_is_put_into_failed_with_its_reason(
    pipeline: Pipeline, new_watcher: NewWatcher, inbox: Path
) -> None:
    pipeline.sources.max_bytes = 10
    (inbox / "big.txt").write_text("x" * 11)
    new_watcher().look()
    assert files(inbox) == ["failed/big.txt", "failed/big.txt.error.txt"]
    assert "too_large" in (inbox / "failed" / "big.txt.error.txt").read_text()
    assert names(pipeline) == []


def test_an_empty_file_is_waited_for(pipeline: Pipeline, new_watcher: NewWatcher, inbox: Path) -> None:
    (inbox / "a.txt").touch()
    watcher = new_watcher()
    watcher.look()
    assert files(inbox) == ["a.txt"]
    (inbox / "a.txt").write_text("now")
    watcher.look()
    assert names(pipeline) == ["a.txt"]


def test_two_files_of_one_name_are_both_kept(
    pipeline: Pipeline, new_watcher: NewWatcher, inbox: Path
) -> None:
    watcher = new_watcher()
    for text in ("one", "two", "three"):
        (inbox / "a.txt").write_text(text)
        watcher.look()
    assert files(inbox) == ["done/a-2.txt", "done/a-3.txt", "done/a.txt"]
    assert len(names(pipeline)) == 3


def test_a_file_that_was_submitted_but_not_moved_is_moved_and_not_repeated(
    pipeline: Pipeline, new_watcher: NewWatcher, inbox: Path
) -> None:
    (inbox / "a.txt").write_text("a")
    with (inbox / "a.txt").open("rb") as file:
        pipeline.submit(file, name="a.txt")  # and then the watcher was killed
    new_watcher().look()
    assert (names(pipeline), files(inbox)) == (["a.txt"], ["done/a.txt"])


def test_a_moved_document_has_a_copy_of_its_own(
    pipeline: Pipeline, new_watcher: NewWatcher, inbox: Path
) -> None:
    (inbox / "a.txt").write_text("Ann met Bob.")
    new_watcher().look()
    (inbox / "done" / "a.txt").unlink()
    (document,) = pipeline.store.documents()
    record = pipeline.store.source(Ref(document.document_uuid, 1))
    with pipeline.sources.fetch(record.uri, record.digest, record.name) as kept:
        assert kept.read_text() == "Ann met Bob."


def test_names_that_are_not_utf8_are_taken(pipeline: Pipeline, new_watcher: NewWatcher, inbox: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(inbox) + b"/brief-\xe4.txt"))
    path.write_text("a")
    for in_place in (True, False):
        new_watcher(in_place=in_place).look()
    assert len(names(pipeline)) == 1


@pytest.mark.parametrize("in_place", [True, False])
def test_names_that_are_not_utf8_may_fail_too(
    pipeline: Pipeline, new_watcher: NewWatcher, inbox: Path, in_place: bool
) -> None:
    pipeline.sources.max_bytes = 1
    path = Path(os.fsdecode(os.fsencode(inbox) + b"/brief-\xe4.txt"))
    path.write_text("too large")
    assert new_watcher(in_place=in_place).look() is None
    assert new_watcher(in_place=in_place).look() is None
    reasons = ["too_large" in each.read_text() for each in inbox.rglob("*.error.txt")]
    assert reasons == ([] if in_place else [True])


def test_a_name_that_leaves_no_room_for_its_reason_is_put_away_all_the_same(
    pipeline: Pipeline, new_watcher: NewWatcher, inbox: Path
) -> None:
    pipeline.sources.max_bytes = 1
    name = f"{'n' * 250}.txt"
    (inbox / name).write_text("too large")
    new_watcher().look()
    assert files(inbox) == [f"failed/{name}"]


def test_a_file_that_cannot_be_moved_holds_up_no_other(
    pipeline: Pipeline, new_watcher: NewWatcher, inbox: Path
) -> None:
    for name in ("a.txt", "b.txt"):
        (inbox / name).write_text(name)
    (inbox / "done").write_text("a file where the folder should be")
    watcher = new_watcher()
    assert watcher.look() is not None
    assert (names(pipeline), files(inbox)) == (["a.txt", "b.txt"], ["a.txt", "b.txt", "done"])
    (inbox / "done").unlink()
    new_watcher().look()
    assert (names(pipeline), files(inbox)) == (["a.txt", "b.txt"], ["done/a.txt", "done/b.txt"])


@pytest.mark.parametrize("place", ["done", "failed"])
def test_a_folder_is_not_its_own_end(inbox: Path, place: str) -> None:
    places: dict[str, Any] = {"done": inbox / "done", "failed": inbox / "failed", place: inbox}
    with pytest.raises(ConfigurationError, match="would be taken in again and again"):
        Folder(inbox, **places)


def test_in_place_files_stay_and_are_read_once(
    pipeline: Pipeline, new_watcher: NewWatcher, inbox: Path
) -> None:
    (inbox / "a.txt").write_text("a")
    new_watcher(in_place=True).look()
    pipeline.sources.max_bytes = 0  # reading it once more would fail, and be noted
    new_watcher(in_place=True).look()
    pipeline.sources.max_bytes = 100
    assert (names(pipeline), files(inbox)) == (["a.txt"], ["a.txt"])
    (inbox / "a.txt").write_text("changed")
    new_watcher(in_place=True).look()
    assert len(pipeline.store.documents()) == 2


def test_in_place_failures_are_not_tried_again_until_the_file_changes(
    pipeline: Pipeline, new_watcher: NewWatcher, inbox: Path, tmp_path: Path
) -> None:
    pipeline.sources.max_bytes = 1
    (inbox / "a.txt").write_text("too much")
    new_watcher(in_place=True).look()
    journal = Journal(tmp_path / "journal.db")
    entry = journal.find(os.fsencode(inbox / "a.txt"))
    journal.close()
    assert entry is not None
    assert (entry.document_uuid, "too_large" in (entry.error or "")) == (None, True)
    pipeline.sources.max_bytes = 100
    new_watcher(in_place=True).look()
    assert names(pipeline) == []


def test_a_file_waits_until_it_has_not_changed_for_long_enough(
    pipeline: Pipeline, new_watcher: NewWatcher, inbox: Path
) -> None:
    (inbox / "a.txt").write_text("a")
    watcher = new_watcher(stable_seconds=3600.0)
    wait = watcher.look()
    assert wait is not None
    assert 3500 < wait <= 3600
    assert names(pipeline) == []


def test_a_file_that_changes_while_it_is_read_is_not_taken(
    pipeline: Pipeline, new_watcher: NewWatcher, inbox: Path
) -> None:
    path = inbox / "a.txt"
    path.write_text("begin")
    watcher = new_watcher()
    versions = dict(watcher._files())
    with path.open("a") as file:
        file.write(" and end")
    assert watcher._take(path, versions[path]) is False
    assert names(pipeline) == []
    watcher.look()
    assert pipeline.store.documents()[0].name == "a.txt"


def test_a_folder_needs_one_way_to_remember(inbox: Path) -> None:
    wrong: list[dict[str, Any]] = [{}, {"done": inbox}, {"done": inbox, "failed": inbox, "journal": inbox}]
    for options in wrong:
        with pytest.raises(ConfigurationError, match="either done and failed folders, or a journal"):
            Folder(inbox, **options)


def test_a_folder_that_is_missing_is_said(pipeline: Pipeline, inbox: Path) -> None:
    with pytest.raises(ConfigurationError, match="is not a folder"):
        Watcher(pipeline, Folder(inbox / "none", done=inbox, failed=inbox))


@pytest.mark.parametrize(
    ("name", "takes"), [("A.PDF", True), ("a.exe", False), ("~$a.pdf", False), (".pdf", False)]
)
def test_choices_look_at_names_in_either_case(name: str, takes: bool) -> None:
    assert Choice().takes(name) is takes


def test_a_journal_keeps_the_newest_entry(tmp_path: Path) -> None:
    for version in ("1", "2"):
        journal = Journal(tmp_path / "deep" / "journal.db")
        journal.note(b"\xff", Entry(version, "u", None))
        journal.close()
    journal = Journal(tmp_path / "deep" / "journal.db")
    assert journal.find(b"\xff") == Entry("2", "u", None)
    assert journal.find(b"other") is None
    journal.close()


# --- the command, killed --------------------------------------------------------------------------


@pytest.fixture
def environment(tmp_path: Path, redis_url: str) -> dict[str, str]:
    return {
        "REDIS_URL": redis_url,
        "DOCPIPE_STORE": f"sqlite://{tmp_path / 'docpipe.db'}",
        "DOCPIPE_UPLOADS": str(tmp_path / "uploads"),
        "XDG_DATA_HOME": str(tmp_path / "data"),
        "PYTHONPATH": str(REPOSITORY),
    }


class Running:
    """One `docpipe` command in a process of its own."""

    def __init__(self, arguments: Sequence[object], environment: Mapping[str, str], log: Path) -> None:
        self.log = log
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [*COMMAND, *map(str, arguments)],
                env=clean_environment(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    def wait_until(self, condition: Callable[[], Any], what: str) -> None:
        def met() -> Any:
            assert self.process.poll() is None, self.log.read_text()
            return condition()

        wait_until(met, what)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def end(self) -> int:
        self.process.terminate()
        return self.process.wait(60)


def taken(pipeline: Pipeline) -> int:
    return sum(each.documents for each in pipeline.store.statistics().documents)


def _reached(pipeline: Pipeline, goal: int) -> bool:
    return taken(pipeline) >= goal


Start = Callable[[Path], Running]


def killed_again_and_again(
    start: Start, feed: Callable[[int], None], pipeline: Pipeline, folder: Path, seed: int
) -> Running:
    """Feed three documents, start, and kill when a random number of them has a row; again and again.

    Returns the process that is left alive at the end, ready.
    """
    chance = random.Random(seed)
    for life in range(KILLS):
        for number in range(3):
            feed(3 * life + number)
        goal = min(3 * (life + 1), taken(pipeline) + chance.choice((0, 1, 1, 2, 2, 3)))
        running = start(folder / f"life-{life}.log")
        running.wait_until(partial(_reached, pipeline, goal), f"{goal} documents have a row")
        running.kill()
    last = start(folder / "last.log")
    last.wait_until(lambda: "ing " in last.log.read_text(), "it works")
    last.wait_until(partial(_reached, pipeline, 3 * KILLS), "all have a row")
    return last


EVERY_NAME = [f"{number:03}.txt" for number in range(3 * KILLS)]


@pytest.mark.timeout(300 + 60 * KILLS)  # that many processes start, one after the other
@pytest.mark.parametrize(("seed", "in_place"), [(1, False), (2, True)])
def test_a_watcher_that_is_killed_at_random_takes_every_file_once(
    seed: int, in_place: bool, pipeline: Pipeline, inbox: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    def start(log: Path) -> Running:
        options = ["--in-place"] if in_place else []
        return Running(["watch", inbox, "--stable", "0", *options], environment, log)

    def feed(number: int) -> None:
        (inbox / f"{number:03}.txt").write_text(f"text {number}")

    last = killed_again_and_again(start, feed, pipeline, tmp_path, seed)
    if not in_place:
        last.wait_until(lambda: len(files(inbox / "done")) == 3 * KILLS, "all are done")
    assert last.end() == 0
    assert names(pipeline) == EVERY_NAME
    assert files(inbox if in_place else inbox / "done") == EVERY_NAME


def test_a_file_that_is_written_slowly_is_taken_once_and_whole(
    pipeline: Pipeline, inbox: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    block = b"All work and no play makes a dull boy. " * 6400  # 250 kB, twice a second
    # on a busy machine the writer may pause for longer than it means to, but not for so long
    watcher = Running(["watch", inbox, "--stable", "5"], environment, tmp_path / "log")
    watcher.wait_until(lambda: "watching" in watcher.log.read_text(), "it watches")
    pause = threading.Event()
    with (inbox / "slow.txt").open("wb", buffering=0) as file:
        for _ in range(16):
            file.write(block)
            pause.wait(0.5)  # eight seconds in all: longer than that
    watcher.wait_until(lambda: files(inbox) == ["done/slow.txt"], "it is done")
    assert watcher.end() == 0
    (document,) = pipeline.store.documents()
    run = pipeline.status(document.document_uuid)
    assert run.name == "slow.txt"
    (kept,) = [path for path in (tmp_path / "uploads").rglob("*") if path.is_file()]
    assert kept.stat().st_size == 16 * len(block)


def test_a_file_that_is_renamed_into_place_is_taken_by_polling_too(
    pipeline: Pipeline, inbox: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    command = ["watch", inbox, "--stable", "0.1", "--poll", "0.2"]
    watcher = Running(command, environment, tmp_path / "log")
    watcher.wait_until(lambda: "watching" in watcher.log.read_text(), "it watches")
    (inbox / "a.txt.part").write_text("a")
    (inbox / "a.txt.part").rename(inbox / "a.txt")
    watcher.wait_until(lambda: files(inbox) == ["done/a.txt"], "it is done")
    assert watcher.end() == 0
    assert names(pipeline) == ["a.txt"]


# --- S3 ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def aws_server() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def aws(aws_server: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    variables = {
        "AWS_ENDPOINT_URL": aws_server,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return variables


@pytest.fixture
def bucket(aws: dict[str, str], request: pytest.FixtureRequest) -> Iterator[str]:
    client: S3Client = boto3.Session().client("s3")
    name = f"b{abs(hash(request.node.name))}"
    client.create_bucket(Bucket=name)
    yield name
    client.close()


@pytest.fixture
def put(bucket: str) -> Iterator[Callable[[str, bytes], None]]:
    client: S3Client = boto3.Session().client("s3")
    yield lambda key, data: client.put_object(Bucket=bucket, Key=key, Body=data) and None
    client.close()


@pytest.fixture
def queue(bucket: str) -> Iterator[str]:
    """An SQS queue that is told about every object of the bucket."""
    sqs: SQSClient = boto3.Session().client("sqs")
    url = sqs.create_queue(QueueName=bucket, Attributes={"VisibilityTimeout": "1"})["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    client: S3Client = boto3.Session().client("s3")
    client.put_bucket_notification_configuration(
        Bucket=bucket,
        NotificationConfiguration={
            "QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}]
        },
    )
    yield url
    client.close()
    sqs.close()


def left(queue: str) -> int:
    """Messages in the queue, visible or not."""
    sqs: SQSClient = boto3.Session().client("sqs")
    found = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    sqs.close()
    return int(found["ApproximateNumberOfMessages"]) + int(found["ApproximateNumberOfMessagesNotVisible"])


Put = Callable[[str, bytes], None]


def test_sync_submits_what_is_new_or_changed_below_a_prefix(
    pipeline: Pipeline, bucket: str, put: Put, tmp_path: Path
) -> None:
    for key in ("in/a.txt", "in/deep/b ü+%20.pdf", "in/c.exe", "in/empty.txt", "out/d.txt", "in/folder/"):
        put(key, b"" if key.endswith(("empty.txt", "/")) else key.encode())
    journal = Journal(tmp_path / "journal.db")
    uri = f"s3://{bucket}/in/"
    first = list(sync(pipeline, uri, Intake(project_id="p"), journal))
    assert {taken.uri for taken in first} == {f"{uri}a.txt", f"{uri}deep/b ü+%20.pdf"}
    assert names(pipeline) == ["a.txt", "b ü+%20.pdf"]
    assert list(sync(pipeline, uri, Intake(project_id="p"), journal)) == []
    put("in/a.txt", b"changed")
    (again,) = sync(pipeline, uri, Intake(project_id="p"), journal)
    assert again.uri == f"{uri}a.txt"
    journal.close()


def test_sync_goes_on_after_an_object_that_cannot_be_taken(
    pipeline: Pipeline, bucket: str, put: Put, tmp_path: Path
) -> None:
    pipeline.sources.max_bytes = 5
    put("a.txt", b"too large")
    put("b.txt", b"fine")
    journal = Journal(tmp_path / "journal.db")
    bad, good = sync(pipeline, f"s3://{bucket}", Intake(), journal)
    assert isinstance(bad, Taken)
    assert "too_large" in (bad.error or "")
    assert (good.error, names(pipeline)) == (None, ["b.txt"])
    journal.close()


@pytest.mark.parametrize("uri", ["bucket/prefix", "s3://", "s3://no-such-bucket-here/x"])
def test_sync_says_what_is_wrong_with_a_place(
    pipeline: Pipeline, aws: dict[str, str], uri: str, tmp_path: Path
) -> None:
    journal = Journal(tmp_path / "journal.db")
    with pytest.raises(ConfigurationError):
        list(sync(pipeline, uri, Intake(), journal))
    journal.close()


def test_messages_are_deleted_once_their_documents_have_rows(
    pipeline: Pipeline, queue: str, put: Put
) -> None:
    put("in/Übersicht 1+2.txt", b"Ann met Bob.")
    put("in/other.exe", b"x")
    listener = Listener(pipeline, queue, Intake())
    while left(queue):
        listener.take(0)
    assert names(pipeline) == ["Übersicht 1+2.txt"]
    assert not listener.has_dead_letters


def test_a_message_whose_object_cannot_be_taken_stays(pipeline: Pipeline, queue: str, put: Put) -> None:
    sqs: SQSClient = boto3.Session().client("sqs")
    sqs.purge_queue(QueueUrl=queue)
    pipeline.sources.max_bytes = 5
    put("a.txt", b"too large")
    sqs.send_message(QueueUrl=queue, MessageBody="no json")
    listener = Listener(pipeline, queue, Intake())
    assert listener.take(0) == 0
    assert (left(queue), names(pipeline)) == (2, [])
    sqs.close()


def test_an_object_that_is_gone_does_not_come_back(
    pipeline: Pipeline, queue: str, put: Put, bucket: str
) -> None:
    put("a.txt", b"Ann met Bob.")
    put("b.txt", b"Bob met Ann.")
    client: S3Client = boto3.Session().client("s3")
    client.delete_object(Bucket=bucket, Key="a.txt")
    client.close()
    listener = Listener(pipeline, queue, Intake())
    while left(queue):
        listener.take(0)
    assert names(pipeline) == ["b.txt"]


BODIES = ["no json", "[" * 100_000, "[]", "null", '{"Records": [{"s3": {}}]}', "too large"]


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
def test_what_can_never_be_taken_is_given_up_at_last_with_all_of_it_in_the_log(
    pipeline: Pipeline, queue: str, put: Put, body: str, caplog: pytest.LogCaptureFixture
) -> None:
    sqs: SQSClient = boto3.Session().client("sqs")
    sqs.purge_queue(QueueUrl=queue)
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "0"})
    if body == "too large":
        pipeline.sources.max_bytes = 5
        put("in/large.txt", b"too large")
    else:
        sqs.send_message(QueueUrl=queue, MessageBody=body)
    listener = Listener(pipeline, queue, Intake())
    assert [listener.take(0) for _ in range(ATTEMPTS)] == [0] * (ATTEMPTS - 1) + [1]
    assert (left(queue), names(pipeline)) == (0, [])
    (told,) = [record for record in caplog.records if record.message == "message_given_up"]
    assert vars(told)["body"] == body or "large.txt" in vars(told)["body"]
    sqs.close()


def test_a_dead_letter_queue_gets_what_can_never_be_taken(pipeline: Pipeline, queue: str) -> None:
    sqs: SQSClient = boto3.Session().client("sqs")
    sqs.purge_queue(QueueUrl=queue)
    dead = sqs.create_queue(QueueName=f"dead-{queue.rpartition('/')[2]}")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": ATTEMPTS + 2})
    wanted = {"VisibilityTimeout": "0", "RedrivePolicy": policy}
    sqs.set_queue_attributes(QueueUrl=queue, Attributes=wanted)  # type: ignore[arg-type]
    sqs.send_message(QueueUrl=queue, MessageBody="no json")
    listener = Listener(pipeline, queue, Intake())
    assert [listener.take(0) for _ in range(ATTEMPTS + 3)] == [0] * (ATTEMPTS + 3)
    assert (left(queue), left(dead)) == (0, 1)
    sqs.close()


def test_a_service_that_is_away_is_waited_for(pipeline: Pipeline, aws: dict[str, str]) -> None:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    sqs: SQSClient = boto3.Session().client("sqs", endpoint_url=f"http://{host}:{port}")
    sqs.create_queue(QueueName="soon-away")
    sqs.close()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_MAX_ATTEMPTS", "1")
        listener = Listener(pipeline, "soon-away", Intake())
    server.stop()
    with pytest.raises(SourceUnavailableError, match="AWS cannot be reached"):
        listener.take(0)


def test_a_queue_that_is_missing_is_said(pipeline: Pipeline, aws: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="There is no missing-queue"):
        Listener(pipeline, "missing-queue", Intake())


RECORD = {
    "eventName": "ObjectCreated:Put",
    "s3": {"bucket": {"name": "b"}, "object": {"key": "in/a+b%2B.txt", "size": 3}},
}
BRIDGE = {
    "detail-type": "Object Created",
    "detail": {"bucket": {"name": "b"}, "object": {"key": "in/a+b.txt", "size": 3}},
}


@pytest.mark.parametrize(
    ("event", "found"),
    [
        ({"Records": [RECORD]}, [("s3://b/in/a b+.txt", "in/a b+.txt", 3)]),
        ({"Records": [RECORD | {"eventName": "ObjectRemoved:Delete"}]}, []),
        (
            {"Type": "Notification", "Message": json.dumps({"Records": [RECORD]})},
            [("s3://b/in/a b+.txt", "in/a b+.txt", 3)],
        ),
        (BRIDGE, [("s3://b/in/a+b.txt", "in/a+b.txt", 3)]),
        (BRIDGE | {"detail-type": "Object Deleted"}, []),
        ({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "b"}, []),
    ],
)
def test_every_kind_of_event_message_is_understood(event: dict[str, Any], found: list[Any]) -> None:
    assert list(created(event)) == found


@pytest.mark.timeout(300 + 60 * KILLS)  # that many processes start, one after the other
def test_a_listener_that_is_killed_at_random_takes_every_object_once(
    pipeline: Pipeline, queue: str, put: Put, aws: dict[str, str], environment: dict[str, str], tmp_path: Path
) -> None:
    def start(log: Path) -> Running:
        return Running(["s3", "listen", queue, "--project", "p"], environment | aws, log)

    last = killed_again_and_again(
        start, lambda number: put(f"in/{number:03}.txt", b"text %d" % number), pipeline, tmp_path, seed=3
    )
    last.wait_until(lambda: left(queue) == 0, "all messages are deleted")
    assert last.end() == 0
    assert names(pipeline) == EVERY_NAME
