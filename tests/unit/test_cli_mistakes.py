"""Every command and every kind of mistake: one sentence with the thing and the remedy, and no traceback.

`main` turns docpipe's errors into messages and lets all others through, so a traceback fails the test.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from docpipe.cli import COMMANDS, cli
from tests.unit.conftest import Docpipe, Done

UUID = "6f1c0c9e-3d2a-4d57-9f5c-1f2f8f1f7a10"

CALLS: dict[str, tuple[str, ...]] = {
    "run": ("run", "note.txt"),
    "submit": ("submit", "note.txt"),
    "batch": ("batch", "monday"),
    "wait": ("wait", UUID),
    "list": ("list",),
    "status": ("status", UUID),
    "show": ("show", UUID),
    "text": ("text", UUID),
    "facts": ("facts", UUID),
    "entities list": ("entities", "list"),
    "entities merge": ("entities", "merge", f"{UUID}/entity:0", f"{UUID}/entity:1"),
    "entities split": ("entities", "split", f"{UUID}/entity:0", f"{UUID}/entity:1"),
    "entities explain": ("entities", "explain", f"{UUID}/entity:0"),
    "entities link": ("entities", "link"),
    "search": ("search", "governing law"),
    "export": ("export", UUID),
    "cancel": ("cancel", UUID),
    "resume": ("resume", UUID),
    "pause": ("pause", "--stage", "ocr"),
    "limits": ("limits", "--all", "--in-flight", "5"),
    "retry": ("retry", "--failed"),
    "quarantine list": ("quarantine", "list"),
    "quarantine release": ("quarantine", "release", UUID),
    "reap": ("reap",),
    "delete": ("delete", UUID),
    "watch": ("watch", ".", "--once"),
    "s3 sync": ("s3", "sync", "s3://bucket/contracts/"),
    "s3 listen": ("s3", "listen", "https://sqs.eu-west-1.amazonaws.com/1/new"),
    "metrics": ("metrics", "--port", "0"),
    "webhooks add": ("webhooks", "add", "https://example.com/docpipe"),
    "webhooks list": ("webhooks", "list"),
    "webhooks remove": ("webhooks", "remove", UUID),
    "webhooks log": ("webhooks", "log", UUID),
    "webhooks replay": ("webhooks", "replay", UUID, "--given-up"),
    "webhooks deliver": ("webhooks", "deliver"),
    "web": ("web", "--port", "0"),
    "monitor": ("monitor", "--once"),
    "health": ("health", "--canary-seconds", "0"),
    "doctor": ("doctor",),
}
"""A right call of each command that reads settings."""

MAKE_A_STORE = {"run", "facts", "text", "submit", "watch", "s3", "reap", "metrics", "monitor"}
"""Of these the name of a file that is not there is right."""

OTHERS = {"worker", "deploy", "examples", "db", "queue"}
"""`worker` would replace the process of the test, `deploy` and
`examples` write files and read no setting, and `db` and
`queue` need the address of a database and nothing else."""

OF_A_DOCUMENT = ("wait", "status", "show", "text", "facts", "export", "cancel", "resume", "delete")


def every_command() -> Iterator[tuple[str, ...]]:
    context = click.Context(cli)
    for name in COMMANDS:
        command = cli.get_command(context, name)
        yield from (
            ((name, below) for below in command.commands) if isinstance(command, click.Group) else ((name,),)
        )


def is_a_message(done: Done, code: int, *parts: str) -> bool:
    """Whether it ended so, and the last line of standard error has these parts and says nothing twice."""
    told = (done.err or done.out).strip().splitlines()[-1]
    sentences = [each for each in told.split(". ") if each]
    once = len(sentences) == len(set(sentences))
    assert (done.code, once) == (code, True), told
    assert [part for part in parts if part not in told] == [], told
    return True


@pytest.mark.parametrize("command", sorted({*every_command()} - {("worker",)}), ids=" ".join)
def test_an_option_that_does_not_exist(docpipe: Docpipe, command: tuple[str, ...]) -> None:
    assert is_a_message(docpipe(*command, "--no-such"), 2, "Error: No such option", "--no-such")


@pytest.mark.parametrize("command", sorted(every_command()), ids=" ".join)
def test_every_help_has_an_example(docpipe: Docpipe, command: tuple[str, ...]) -> None:
    assert f"Example: docpipe {command[0]}" in " ".join(docpipe(*command, "--help").out.split())


def test_the_list_of_commands_is_that_of_their_modules() -> None:
    context = click.Context(cli)
    assert {cli.get_command(context, name).name for name in COMMANDS} == {*COMMANDS}  # type: ignore[union-attr]


def test_no_command_is_left_out() -> None:
    assert {" ".join(each) for each in every_command() if not OTHERS & {*each}} == {*CALLS}


@pytest.mark.parametrize("name", CALLS)
def test_a_wrong_setting(docpipe: Docpipe, note: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCPIPE_OCR_DPI", "9")
    assert is_a_message(docpipe(*CALLS[name]), 1, "DOCPIPE_OCR_DPI", "greater than or equal to 72")


@pytest.mark.parametrize("name", sorted(set(CALLS) - {"run", "text", "facts"}))
def test_a_store_that_does_not_exist(
    docpipe: Docpipe, note: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCPIPE_STORE", "supabse")
    assert is_a_message(docpipe(*CALLS[name]), 1, "There is no store 'supabse'", "Use sqlite:///")


@pytest.mark.parametrize("name", ["run", "list", "status", "delete", "entities list"])
def test_a_store_that_cannot_be_made(docpipe: Docpipe, note: Path, name: str, tmp_path: Path) -> None:
    (tmp_path / "folder.db").mkdir()
    assert is_a_message(docpipe(*CALLS[name], "--store", "folder.db"), 1, "folder.db")


@pytest.mark.parametrize("name", sorted(name for name in CALLS if name.split()[0] not in MAKE_A_STORE))
def test_a_file_named_as_store_that_is_not_there(docpipe: Docpipe, name: str, tmp_path: Path) -> None:
    told = docpipe(*CALLS[name], "--store", "typo.db")
    assert is_a_message(told, 2, "there is no store typo.db", "docpipe run --store typo.db FILE")
    assert not (tmp_path / "typo.db").exists()


@pytest.mark.parametrize("name", OF_A_DOCUMENT)
def test_a_document_that_the_store_does_not_know(docpipe: Docpipe, name: str) -> None:
    assert is_a_message(docpipe(*CALLS[name]), 1, UUID, "docpipe")


@pytest.mark.parametrize("name", ["run", "submit", "text", "facts"])
def test_a_file_that_is_not_there(docpipe: Docpipe, name: str) -> None:
    done = docpipe(name, "gone/note.txt")
    assert is_a_message(done, 1, "gone/note.txt")
    assert "orker" not in done.out + done.err


@pytest.mark.parametrize("name", ["webhooks remove", "webhooks log", "webhooks replay"])
def test_a_webhook_that_the_store_does_not_know(docpipe: Docpipe, name: str) -> None:
    assert is_a_message(docpipe(*CALLS[name]), 2, UUID, "docpipe webhooks list")


@pytest.mark.parametrize("name", ["entities merge", "entities split", "entities explain"])
def test_an_entity_that_the_store_does_not_know(docpipe: Docpipe, name: str) -> None:
    assert is_a_message(docpipe(*CALLS[name]), 1, f"{UUID}/entity:0")


@pytest.mark.parametrize("how", ["--meaning", "--hybrid"])
def test_a_search_by_meaning_without_an_engine(docpipe: Docpipe, how: str) -> None:
    assert is_a_message(docpipe("search", how, "governing law"), 1, "DOCPIPE_EMBED_ENGINE")


@pytest.mark.parametrize(
    ("command", "parts"),
    [
        (("limits", "--in-flight", "5"), ("--all", "--project")),
        (("limits", "--all"), ("--in-flight", "--off")),
        (("limits", "--all", "--in-flight", "0"), ("--in-flight",)),
        (("limits", "--project", "acme", "--weight", "-1"), ("weight",)),
        (("pause",), ("--stage", "--project")),
        (("pause", "--stage", "orc"), ("orc",)),
        (("resume",), ("--stage", "--project")),
        (("resume", "--stage", "orc"), ("orc",)),
        (("retry",), ("--failed",)),
        (("retry", "--failed", "--since", "yesterday"), ("yesterday",)),
        (("webhooks", "add", "example.com"), ("example.com", "https://")),
        (("webhooks", "add", "https://example.com", "--event", "document.fnished"), ("document.fnished",)),
        (("webhooks", "replay", UUID), ("--given-up",)),
        (("deploy", "swarm", "--write", "here"), ("swarm", "kubernetes")),
        (("deploy", "systemd"), ("--write",)),
        (("export", UUID, "--format", "gmxl"), ("gmxl",)),
        (("batch", "monday", "--wait", "soon"), ("soon",)),
        (("run", "note.txt", "--jobs", "0"), ("--jobs",)),
        (("search",), ("QUERY",)),
        (("facts",), ("FILE|UUID",)),
    ],
    ids=" ".join,
)
def test_an_argument_that_is_wrong(
    docpipe: Docpipe, note: Path, command: tuple[str, ...], parts: tuple[str, ...]
) -> None:
    done = docpipe(*command)
    assert done.code in (1, 2)
    assert is_a_message(done, done.code, *parts)


@pytest.mark.parametrize("command", [("deploy", "systemd"), ("examples",)], ids=" ".join)
def test_a_place_that_cannot_be_written(docpipe: Docpipe, note: Path, command: tuple[str, ...]) -> None:
    assert is_a_message(docpipe(*command, "--write", "note.txt/here"), 1, "note.txt")


def test_a_folder_without_documents(docpipe: Docpipe, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert is_a_message(docpipe("run", "empty"), 2, "empty holds no file that docpipe reads", "--recursive")


def test_a_status_that_does_not_exist(docpipe: Docpipe) -> None:
    assert is_a_message(docpipe("list", "--status", "complted"), 2, "'complted'", "Did you mean completed?")


@pytest.mark.parametrize("name", ["monitor", "health", "doctor", "reap"])
def test_a_broker_that_is_away(docpipe: Docpipe, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1")
    done = docpipe(*CALLS[name])
    assert done.code == 1
    assert "127.0.0.1:1" in done.out + done.err


@pytest.mark.parametrize("command", [("db", "check"), ("db", "apply"), ("queue", "seal")], ids=" ".join)
def test_a_database_that_is_not_named(docpipe: Docpipe, command: tuple[str, ...]) -> None:
    assert is_a_message(docpipe(*command), 1, "SUPABASE_DB_URL")


@pytest.mark.parametrize(
    ("name", "right"),
    [
        ("DOCPIPE_OCR_DPPI", "Did you mean DOCPIPE_OCR_DPI?"),
        ("DOCPIPE_LIMITS__MAX_PAGE", "Did you mean DOCPIPE_LIMITS__MAX_PAGES?"),
        ("DOCPIPE_XYZZY", "See docs/reference/settings.md"),
    ],
)
def test_a_variable_that_is_no_setting(
    docpipe: Docpipe, name: str, right: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "secret")
    done = docpipe("list")
    assert (done.code, done.err.count(f"{name} is no setting")) == (0, 1)
    assert right in done.err
    assert "secret" not in done.err


def test_variables_that_are_settings_are_not_warned_of(
    docpipe: Docpipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (
        "DOCPIPE_NER_OPTIONS__MODEL",
        "DOCPIPE_SOURCES",
        "DOCPIPE_NER_KEY",
        "DOCPIPE_LIMITS__MAX_PAGES",
    ):
        monkeypatch.setenv(name, "7")
    monkeypatch.setenv("DOCPIPEX_OTHER", "1")
    assert docpipe("list").err == ""


@pytest.mark.parametrize(
    "address", ["abcdefgh", "abcdefgh.supabase.co", "https://", "postgresql://db/postgres"]
)
def test_an_address_that_is_none(docpipe: Docpipe, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUPABASE_URL", address)
    monkeypatch.setenv("SUPABASE_SECRET_KEY", "sb_secret_x")
    assert is_a_message(docpipe("list"), 1, f"SUPABASE_URL ({address}) is no address", "https://")
