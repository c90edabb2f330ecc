"""The command: what it prints where, and its exit codes."""

from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path

import pytest

from docpipe import errors, set_default_pipeline
from docpipe.execution.plan import BUILT_IN
from docpipe.models import Ref
from docpipe.stores.ledger_terms import Claimant
from docpipe.testing import memory_app
from tests.engines import failing
from tests.unit.conftest import ENGINES, ROOT, Docpipe, Done, NewPipeline, Python

KEYS = [
    "source", "document_uuid", "status", "error", "warnings", "text", "pages", "chunks", "mentions",
    "entities", "relations", "kind", "subject", "title", "facts", "parent", "children",
]  # fmt: skip


# --- run ----------------------------------------------------------------------------------------


def test_run_json_prints_one_object_per_document(docpipe: Docpipe, note: Path) -> None:
    done = docpipe("run", "--json", note)
    (found,) = done.objects
    assert (done.code, done.err) == (0, "")
    assert set(found) == set(KEYS)
    assert (found["source"], found["status"], found["error"]) == (str(note), "completed", None)
    assert [entity["name"] for entity in found["entities"]] == ["Ann", "Bob"]


def test_run_goes_on_after_a_failure_and_ends_with_1(docpipe: Docpipe, note: Path) -> None:
    done = docpipe("run", "--json", "gone.txt", note)
    gone, found = done.objects
    assert done.code == 1
    assert set(gone) == set(KEYS)
    assert (gone["source"], gone["document_uuid"], gone["status"]) == ("gone.txt", None, "not_submitted")
    assert (gone["error"]["code"], gone["error"]["stage"]) == ("not_found", None)
    assert found["status"] == "completed"


def test_facts_of_a_file_and_of_a_document_in_the_store_are_the_same(
    docpipe: Docpipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCPIPE_STORE", f"sqlite://{tmp_path}/facts.db")
    (tmp_path / "mail.txt").write_text("From: Ann\nTo: Bob\nSubject: The lease\n\nDear Bob, Ann signs.\n")
    (found,) = docpipe("facts", "--json", "mail.txt").objects
    assert docpipe("facts", "--json", found["document_uuid"]).objects == [found]
    assert {key: value for key, value in found.items() if key not in ("document_uuid", "facts")} == {
        "source": "mail.txt",
        "kind": "e-mail",
        "subject": None,
        "subject_name": None,
        "title": "The lease",
    }
    assert [(fact["type"], fact["text"]) for fact in found["facts"]] == [
        ("SENT_BY", "Ann"),
        ("SENT_TO", "Bob"),
    ]
    assert docpipe("facts", "mail.txt").out.split("\n")[:2] == ["  e-mail    The lease", "  from      Ann"]


def test_facts_of_a_file_that_fails_name_the_cause(docpipe: Docpipe, tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text("")
    done = docpipe("facts", "empty.txt")
    assert (done.code, done.out) == (1, "")
    assert "empty.txt: " in done.err


FAILURES = {
    "empty.pdf": (b"", "empty", None, "it has no bytes", "Check the file"),
    "torn.pdf": (b"%PDF-1.7 torn", "corrupt", "ocr", "", "save it again"),
    "archive.7z": (b"7z\xbc\xaf\x27\x1c" + bytes(60), "unsupported", "ocr", "does not read", "Unpack it"),
    "blank.txt": (b" \n \n", "empty", "ocr", "", "Check the file"),
}


@pytest.mark.parametrize("name", FAILURES)
def test_a_failure_names_the_file_the_cause_and_the_remedy(
    docpipe: Docpipe, tmp_path: Path, name: str
) -> None:
    content, code, stage, cause, remedy = FAILURES[name]
    (tmp_path / name).write_bytes(content)
    done = docpipe("run", "--json", name)
    error = done.objects[0]["error"]
    assert (done.code, error["code"], error["stage"]) == (1, code, stage)
    assert all(part in error["message"] for part in (name, cause, remedy))


def test_a_stored_document_is_not_processed_twice(docpipe: Docpipe, note: Path, tmp_path: Path) -> None:
    first = docpipe("run", "--json", "--store", "mine.db", note)
    again = docpipe("run", "--json", "--store", "mine.db", note)
    elsewhere = docpipe("run", "--json", "--store", "other.db", note)
    assert again.objects == first.objects
    assert elsewhere.objects[0]["document_uuid"] != first.objects[0]["document_uuid"]
    assert (tmp_path / "mine.db").is_file()


def test_run_never_uses_services(
    docpipe: Docpipe, note: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUPABASE_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("SUPABASE_SECRET_KEY", "secret")
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1")
    assert docpipe("run", "--json", note).code == 0
    assert (tmp_path / "home/docpipe/docpipe.db").is_file()


def test_the_summary_for_people_shows_what_was_found(docpipe: Docpipe, note: Path) -> None:
    done = docpipe("run", note)
    assert done.code == 0
    assert f"completed {note}: 1 page, 1 chunk, 2 entities" in done.out
    assert [line.split()[:2] for line in done.out.splitlines() if "PERSON" in line] == [
        ["PERSON", "Ann"],
        ["PERSON", "Bob"],
    ]


@pytest.mark.parametrize("name", ["[red]note.txt", "[worker].txt", "[/x].txt"])
def test_brackets_in_a_name_are_shown_as_they_are(docpipe: Docpipe, note: Path, name: str) -> None:
    path = note.parent / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(note.read_bytes())
    assert f"completed {name}:" in docpipe("run", name).out
    missing = docpipe("run", f"no-{name}").out
    assert f"failed no-{name}: There is no file" in missing


def test_a_name_that_is_not_utf_8_is_shown_all_the_same(docpipe: Docpipe, note: Path) -> None:
    name = os.fsdecode(b"latin-\xe9.txt")
    (note.parent / name).write_bytes(note.read_bytes())
    done = docpipe("run", "--json", name)
    assert (done.code, done.objects[0]["source"]) == (0, "latin-\N{REPLACEMENT CHARACTER}.txt")


def test_several_processes_share_the_work(python: Python, tmp_path: Path) -> None:
    names = [f"note-{number}.txt" for number in range(3)]
    for name in names:
        (tmp_path / name).write_text(f"Ann met Bob in {name}.")
    command = (
        "-c",
        "from docpipe.cli import main; main()",
        "run",
        "--json",
        "--jobs",
        "2",
        *names,
        "gone.txt",
    )
    done = python(*command, **ENGINES)
    found = {each["source"]: each["status"] for each in map(json.loads, done.stdout.splitlines())}
    assert found == {**dict.fromkeys(names, "completed"), "gone.txt": "not_submitted"}, done.stderr
    assert (done.returncode, done.stderr) == (1, "")


# --- folders, text, list, wait ------------------------------------------------------------------


def test_a_folder_stands_for_the_documents_in_it(docpipe: Docpipe, tmp_path: Path) -> None:
    for name in ("in/b.txt", "in/a.txt", "in/.hidden.txt", "in/program.exe", "in/below/c.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"Ann met Bob in {name}.")
    assert [each["source"] for each in docpipe("run", "--json", "in").objects] == ["in/a.txt", "in/b.txt"]
    every = ["in/a.txt", "in/b.txt", "in/below/c.txt"]
    assert [each["source"] for each in docpipe("run", "--json", "-r", "in", "in/a.txt").objects] == every
    assert [each["source"] for each in docpipe("run", "--json", "in/[ab].txt").objects] == every[:2]


def test_the_text_of_a_file_and_of_a_document(docpipe: Docpipe, note: Path) -> None:
    assert docpipe("text", "--store", "mine.db", note) == Done(0, "Ann met Bob.\n", "")
    (listed,) = docpipe("list", "--store", "mine.db", "--json").objects
    told = docpipe("text", "--store", "mine.db", "--markdown", listed["document_uuid"])
    assert (told.code, told.out) == (0, "Ann met Bob.\n")


def test_documents_are_listed_by_status_and_project(
    docpipe: Docpipe, new_eager: NewPipeline, note: Path
) -> None:
    pipeline = new_eager(failing(BUILT_IN[0], errors.EncryptedDocumentError("It is locked.")), *BUILT_IN[1:])
    set_default_pipeline(pipeline)
    for project in ("p1", "p2"):
        docpipe("submit", "--project", project, note)
    assert len(docpipe("list", "--status", "failed", "--json").objects) == 1
    assert [each["project_id"] for each in docpipe("list", "--project", "p2", "--json").objects] == ["p2"]
    assert docpipe("list", "--status", "cancelled", "--json").objects == []


def test_wait_says_how_each_ended_and_exits_so(docpipe: Docpipe, new_eager: NewPipeline, note: Path) -> None:
    pipeline = new_eager(failing(BUILT_IN[0], errors.EncryptedDocumentError("It is locked.")), *BUILT_IN[1:])
    set_default_pipeline(pipeline)
    locked, good = (pipeline.submit(note, project_id=each).document_uuid for each in ("p1", "p2"))
    done = docpipe("wait", locked, good)
    assert done.code == 1
    assert done.out.splitlines()[0].startswith(f"{locked} error_ocr: It is locked.")
    assert done.out.splitlines()[1] == f"{good} completed"
    assert docpipe("wait", "--json", good) == Done(
        0, f'{{"document_uuid": "{good}", "status": "completed", "error": null}}\n', ""
    )


# --- submit and status --------------------------------------------------------------------------


def test_submit_prints_one_uuid_per_line(docpipe: Docpipe, new_eager: NewPipeline, note: Path) -> None:
    pipeline = new_eager()
    set_default_pipeline(pipeline)
    done = docpipe("submit", "--project", "p1", "--wait", "5", note)
    (document,) = pipeline.store.documents()
    assert done == Done(0, f"{document.document_uuid}\n", f"docpipe: {note}: completed\n")
    assert (document.project_id, document.status) == ("p1", "completed")


def test_submit_names_what_failed_and_goes_on(docpipe: Docpipe, new_eager: NewPipeline, note: Path) -> None:
    pipeline = new_eager(failing(BUILT_IN[0], errors.EncryptedDocumentError("It is locked.")), *BUILT_IN[1:])
    set_default_pipeline(pipeline)
    done = docpipe("submit", "--wait", "5", "gone.txt", note)
    missing, locked = done.err.splitlines()
    assert done.code == 1
    assert missing.startswith("docpipe: gone.txt: There is no file ")
    assert locked == f"docpipe: {note}: It is locked. Remove the password and submit it again. (encrypted)"
    assert done.out == f"{pipeline.store.documents()[0].document_uuid}\n"


def test_batch_shows_how_far_it_is_and_what_failed(
    docpipe: Docpipe, new_eager: NewPipeline, note: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.txt"
    other.write_text("Eve left.")
    pipeline = new_eager(failing(BUILT_IN[0], errors.EncryptedDocumentError("It is locked.")), *BUILT_IN[1:])
    set_default_pipeline(pipeline)
    assert docpipe("submit", "--batch", "june", note, other).code == 0
    done = docpipe("batch", "june", "--wait", "5")
    assert done.code == 1
    counts, locked = done.out.splitlines()
    assert counts == "2 documents: 1 completed, 1 error_ocr"
    assert locked.endswith("note.txt: It is locked. Remove the password and submit it again. (encrypted)")
    told = json.loads(docpipe("batch", "june", "--json").out)
    assert told["statuses"] == {"completed": 1, "error_ocr": 1}
    assert [each["code"] for each in told["failures"]] == ["encrypted"]
    assert "no batch 'may'" in docpipe("batch", "may").err


def test_submit_without_a_broker_says_that_the_document_waits(
    docpipe: Docpipe, note: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1")
    done = docpipe("submit", note)
    assert done.code == 0
    assert "the broker cannot be reached; it is sent later" in done.err
    assert docpipe("status", "--json", done.out.strip()).objects[0]["status"] == "pending"


def test_status_shows_where_a_document_stands(docpipe: Docpipe, new_eager: NewPipeline, note: Path) -> None:
    pipeline = new_eager(BUILT_IN[0], failing(BUILT_IN[1], errors.PermanentError("[It] breaks.")))
    set_default_pipeline(pipeline)
    uuid = pipeline.submit(note).document_uuid
    done = docpipe("status", uuid)
    assert (done.code, done.err) == (0, "")
    assert "note.txt  error_text_processing  run 1" in done.out
    assert "PermanentError in chunk: [It] breaks." in done.out
    assert "Traceback" in done.out
    words = [line.split()[2] for line in done.out.splitlines() if line.startswith("  20")]
    assert words[:2] == ["pending", "ocr_queued"]
    assert words[-1] == "error_text_processing"


def test_status_tells_what_became_of_each_attempt(
    docpipe: Docpipe, new_pipeline: NewPipeline, note: Path
) -> None:
    pipeline = new_pipeline(memory_app())
    set_default_pipeline(pipeline)
    uuid = pipeline.submit(note).document_uuid
    ref = Ref(uuid, 1)
    for number in (1, 2):
        pipeline.store.claim(ref, "ocr", Claimant(f"c{number}", f"t{number}", f"host:{number}", 0.0, 2))
    pipeline.store.revive(ref, grace_seconds=0.0, max_attempts=2, task_id="t3")
    done = docpipe("status", uuid)
    told = [line.split() for line in done.out.splitlines() if "run 1 ocr #" in line]
    assert [(line[3], line[4], line[5], *line[9:11]) for line in told] == [
        ("#1", "host:1", "t1", "lost", "worker_lost:"),
        ("#2", "host:2", "t2", "lost", "worker_lost:"),
    ]
    (found,) = docpipe("status", "--json", uuid).objects
    assert [(each["worker"], each["ended"]) for each in found["attempts"]] == [
        ("host:1", "lost"),
        ("host:2", "lost"),
    ]


def test_status_json_is_the_status(docpipe: Docpipe, new_eager: NewPipeline, note: Path) -> None:
    pipeline = new_eager()
    set_default_pipeline(pipeline)
    uuid = pipeline.submit(note).document_uuid
    (found,) = docpipe("status", "--json", uuid).objects
    assert (found["document_uuid"], found["status"], found["run"]) == (uuid, "completed", 1)
    assert [(stage["stage"], stage["state"]) for stage in found["stages"]] == [
        (stage.name, "complete") for stage in BUILT_IN
    ]


def test_status_lists_the_newest_documents(
    docpipe: Docpipe, new_eager: NewPipeline, note: Path, tmp_path: Path
) -> None:
    pipeline = new_eager()
    set_default_pipeline(pipeline)
    (tmp_path / "[b].txt").write_text("Eve left.")
    pipeline.submit(note)
    newest = pipeline.submit(tmp_path / "[b].txt").document_uuid
    assert [found["name"] for found in docpipe("status", "--json").objects] == ["[b].txt", "note.txt"]
    shown = docpipe("status", "--limit", "1").out
    assert newest in shown
    assert "[b].txt" in shown
    assert "note.txt" not in shown


def test_an_unknown_document_is_one_message_and_1(docpipe: Docpipe, new_eager: NewPipeline) -> None:
    set_default_pipeline(new_eager())
    assert docpipe("status", "6ab4b8f7") == Done(
        1, "", "docpipe: The store knows no document 6ab4b8f7. docpipe status lists those it knows.\n"
    )


# --- usage --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        ["run"],
        ["run", "--jobs", "0", "a.txt"],
        ["run", "--no-such-option", "a.txt"],
        ["submit"],
        ["submit", "--priority", "10", "a.txt"],
        ["status", "--limit", "0"],
        ["no-such-command"],
        ["db", "export"],
    ],
    ids=" ".join,
)
def test_wrong_usage_ends_with_2(docpipe: Docpipe, arguments: list[str]) -> None:
    done = docpipe(*arguments)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("Usage: docpipe")


@pytest.mark.parametrize(
    "command", [["--help"], ["run", "-h"], ["--version"], ["db", "--help"]], ids=" ".join
)
def test_asking_for_help_is_no_failure(docpipe: Docpipe, command: list[str]) -> None:
    assert docpipe(*command).code == 0


@pytest.mark.parametrize("command", [["run", "a.txt"], ["submit", "a.txt"], ["status"]], ids=" ".join)
def test_a_wrong_setting_is_named(
    docpipe: Docpipe, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    monkeypatch.setenv("DOCPIPE_MAX_RETRIES", "many")
    done = docpipe(*command)
    assert (done.code, done.out) == (1, "")
    assert "DOCPIPE_MAX_RETRIES" in done.err
    assert "Traceback" not in done.err


def test_the_database_commands_name_the_setting_they_need(docpipe: Docpipe) -> None:
    for command in ("apply", "check"):
        done = docpipe("db", command)
        assert (done.code, done.out) == (1, "")
        assert "SUPABASE_DB_URL is not set" in done.err


def test_a_store_that_cannot_be_opened_is_named(docpipe: Docpipe, note: Path) -> None:
    done = docpipe("run", "--json", "--store", note / "store.db", note)
    assert (done.code, done.objects[0]["error"]["code"]) == (1, "store_unavailable")
    assert "store.db cannot be opened" in done.objects[0]["error"]["message"]


def test_who_installed_a_wheel_gets_the_examples_too(docpipe: Docpipe, tmp_path: Path) -> None:
    assert docpipe("examples", "--write", "tried").code == 0
    tried, own = tmp_path / "tried", ROOT / "examples"
    written = {path.relative_to(tried) for path in tried.rglob("*") if path.is_file()}
    assert {Path("README.md"), Path("host_django/host/urls.py")} <= written
    assert [place for place in written if (tried / place).read_bytes() != (own / place).read_bytes()] == []
    assert docpipe("run", "tried/documents/mail.eml").code == 0
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel["force-include"]["examples"] == "docpipe/examples"
