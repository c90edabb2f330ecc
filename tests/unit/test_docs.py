"""The documentation says what the code does: words, tables, links, and the code it shows.

Blocks with a marker in the line before (CONTRIBUTING.md lists them) are run in a folder of their page's
own, one after the other.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import click
import pytest

import docpipe
from docpipe import errors
from docpipe.cli import cli
from docpipe.delivery.tasks import celery_defaults
from docpipe.execution.plan import BUILT_IN
from docpipe.formats import READERS, sniff
from docpipe.formats.base import Limits
from docpipe.models import status
from docpipe.pipeline.settings import LimitSettings, Settings
from docpipe.testing import memory_app
from tests.workers import HANG_SECONDS

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])


def relative(page: Path) -> str:
    return str(page.relative_to(ROOT))


# --- reading Markdown ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Block:
    """A fenced block, and the marker in the line before it: `<!-- run -->`, `<!-- file: NAME -->`, …"""

    language: str
    code: str
    marker: str
    argument: str


_BLOCK = re.compile(r"(?:^<!-- (\w+)(?:: (\S+))? -->\n)?^```(\w*)\n(.*?)^```$", re.M | re.S)


def blocks(page: Path) -> Iterator[Block]:
    for marker, argument, language, code in _BLOCK.findall(page.read_text()):
        yield Block(language, code, marker, argument)


def section(page: str, heading: str) -> str:
    """The text of a reference page below a heading, up to the next one that is not deeper."""
    end = rf"(?=^#{{1,{len(heading.split(' ')[0])}}} |\Z)"
    found = re.search(rf"^{re.escape(heading)}$(.*?){end}", reference(page), re.M | re.S)
    assert found, f"{page} has no heading {heading!r}"
    return found[1]


def reference(page: str) -> str:
    return (ROOT / "docs" / "reference" / page).read_text()


def rows(text: str) -> list[list[str]]:
    """The cells of every table row, without heads and rulers."""
    lines = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line] for line in lines]
    heads = {index for index, row in enumerate(cells[1:]) if _ruler(row)}
    return [row for index, row in enumerate(cells) if index not in heads and not _ruler(row)]


def _ruler(row: list[str]) -> bool:
    return set("".join(row)) == {"-"}


def words(cell: str) -> list[str]:
    """What stands in backquotes."""
    return re.findall(r"`([^`]+)`", cell)


def first_words(text: str) -> list[str]:
    """The backquoted words of each row's first cell."""
    return [word for row in rows(text) for word in words(row[0])]


# --- code ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_every_python_block_compiles(page: Path) -> None:
    for block in blocks(page):
        if block.language == "python":
            compile(block.code, relative(page), "exec")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    return tmp_path


def run(folder: Path, *command: str) -> str:
    env = {name: value for name, value in os.environ.items() if not _setting(name)}
    env |= {
        "HOME": str(folder),
        "XDG_DATA_HOME": str(folder / "data"),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(folder),
    }
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=HANG_SECONDS)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def _setting(name: str) -> bool:
    return name.startswith(("DOCPIPE_", "SUPABASE_", "REDIS_", "CELERY_", "PYTEST_"))


def play(block: Block, folder: Path, before: str) -> str:
    """Do what the block's marker says, and return what it printed."""
    if block.marker == "file":
        (folder / block.argument).write_text(block.code)
    elif block.marker == "pytest":
        (folder / "test_page.py").write_text(block.code)
        return run(folder, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_page.py")
    elif block.marker == "run" and block.language == "python":
        return run(folder, sys.executable, "-c", block.code)
    elif block.marker == "run":
        return run(folder, "bash", "-euc", block.code)
    elif block.marker == "output":
        assert before == block.code
    return before


def _played() -> Iterator[Any]:
    """Pages with blocks to play. Each block is a process that loads the engines: how-tos are played last."""
    for page in PAGES:
        if any(block.marker for block in blocks(page)):
            marks = [pytest.mark.slow] if page.parent.name == "how-to" else []
            yield pytest.param(page, marks=marks, id=relative(page))


@pytest.mark.parametrize("page", list(_played()))
def test_marked_blocks_do_what_the_page_says(page: Path, folder: Path) -> None:
    printed = ""
    for block in blocks(page):
        printed = play(block, folder, printed)


def test_testing_takes_five_lines() -> None:
    example = next(b for b in blocks(ROOT / "docs/how-to/test.md") if b.marker == "pytest")
    assert 0 < len([line for line in example.code.splitlines() if line]) <= 5


def shell_lines(page: Path) -> Iterator[list[str]]:
    shown = [block.code for block in blocks(page) if block.language == "sh"]
    for line in "\n".join(shown).replace("\\\n", " ").splitlines():
        if arguments := shlex.split(line, comments=True):
            yield [a for a in arguments if not re.match(r"[A-Z_]+=", a)]


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_commands_that_are_shown_exist(page: Path) -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M)
    for arguments in shell_lines(page):
        if arguments[:1] == ["make"]:
            assert set(arguments[1:]) <= set(targets)
        if arguments[:1] == ["docpipe"]:
            _check_command(cli, arguments[1:])


def _check_command(command: click.Command, arguments: list[str]) -> None:
    if isinstance(command, click.Group):
        called = command.get_command(click.Context(command), arguments[0])
        assert called is not None, f"{command.name} has no command {arguments[0]}"
        return _check_command(called, arguments[1:])
    known = {name for parameter in command.params for name in parameter.opts}
    for argument in arguments:
        if argument.startswith("-"):
            assert argument in known, f"{command.name} has no option {argument}"


# --- tables against the code ----------------------------------------------------------------------


def settings_in_code() -> dict[str, Any]:
    """Every variable with its default; names of one setting are joined as the page joins them."""
    found: dict[str, Any] = {}
    for name, field in Settings.model_fields.items():
        aliases = getattr(field.validation_alias, "choices", [f"DOCPIPE_{name.upper()}"])
        default = getattr(field.default, "get_secret_value", lambda field=field: field.default)()
        found[", ".join(map(str, aliases))] = default
    del found["DOCPIPE_LIMITS"]
    return found


def _as_shown(default: Any) -> str:
    if default is None:
        return "unset"
    return f"`{str(default).lower()}`" if isinstance(default, bool) else f"`{default}`"


def test_the_settings_page_lists_every_setting_with_its_default() -> None:
    shown = {", ".join(words(row[0])): row[1] for row in rows(reference("settings.md"))}
    assert shown == {name: _as_shown(default) for name, default in settings_in_code().items()}


def test_the_limits_page_lists_every_limit_with_default_and_variable() -> None:
    shown = {
        words(row[0])[0]: (float(row[1].replace(",", "")), row[2]) for row in rows(reference("limits.md"))
    }
    variables = {name: f"`DOCPIPE_LIMITS__{name.upper()}`" for name in LimitSettings.model_fields}
    assert shown == {
        limit.name: (getattr(Limits(), limit.name), variables.get(limit.name, "")) for limit in fields(Limits)
    }


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_every_variable_that_is_named_exists(page: Path) -> None:
    known = set(", ".join(settings_in_code()).split(", "))
    known |= {f"DOCPIPE_LIMITS__{name.upper()}" for name in LimitSettings.model_fields}
    named = set(re.findall(r"\bDOCPIPE_[A-Z_]*[A-Z]", page.read_text()))
    assert named - known - {"DOCPIPE_STACK_DIR"} == set()


def error_classes(
    root: type[errors.DocpipeError] = errors.DocpipeError,
) -> Iterator[type[errors.DocpipeError]]:
    """docpipe's own; tests define others."""
    if root.__module__.startswith("docpipe."):
        yield root
        for each in root.__subclasses__():
            yield from error_classes(each)


def test_the_errors_page_lists_every_code_with_its_remedy() -> None:
    shown = {row[0]: row[1:] for row in rows(section("errors.md", "## All codes"))}
    expected = {f"`{each.code}`": each for each in error_classes()}
    assert set(shown) == set(expected)
    for code, each in expected.items():
        name, again, remedy = shown[code]
        assert (name, again) == (f"`{each.__name__}`", "yes" if each.retryable else "no")
        assert remedy == each.remedy or not each.remedy


def test_the_errors_page_lists_every_warning() -> None:
    code = "\n".join(path.read_text() for path in (ROOT / "docpipe").rglob("*.py"))
    given = re.findall(r'(?:Warn|_warn)\(\s*f?"(\w+)', code)
    shown = first_words(section("errors.md", "## Warnings"))
    assert {word.rstrip("…") for word in shown} == {
        "attachment_" if word.startswith("attachment_") else word for word in given
    }


def document_words() -> set[str]:
    stages = [word for w in status.WORDS.values() for word in (w.queued, w.processing, w.complete, w.error)]
    ends = (status.PENDING, status.COMPLETED, status.COMPLETED_WITH_WARNINGS, status.CANCELLED)
    return {*stages, *ends}


def graph_words() -> set[str]:
    ends = {word for word in document_words() if status.is_final(word)}
    pairs = [(w.graph_started, w.graph_completed) for w in status.WORDS.values()]
    return ends | {word for pair in pairs for word in pair if word}


def test_the_statuses_page_lists_every_status_and_which_are_final() -> None:
    page = "statuses.md"
    shown = {words(row[0])[0]: row[2] for row in rows(section(page, "## A document"))}
    assert shown == {word: "yes" if status.is_final(word) else "no" for word in document_words()}
    assert set(first_words(section(page, "## A graph"))) == graph_words()
    assert first_words(section(page, "## A stage of a run")) == list(status.StageState)
    assert first_words(section(page, "## An attempt")) == list(status.AttemptEnd)


def test_the_statuses_page_lists_every_state_of_a_run() -> None:
    tables = next((ROOT / "sql").glob("*_docpipe_tables.sql")).read_text()
    states = re.search(r"docpipe_runs \(.*?check \(state in \((.*?)\)\)", tables, re.S)
    assert states is not None
    assert first_words(section("statuses.md", "## A run")) == re.findall(r"\w+", states[1])


def test_the_statuses_page_lists_every_task_with_its_queue() -> None:
    shown = [tuple(words("".join(row))) for row in rows(section("statuses.md", "## Tasks and queues"))]
    assert shown[: len(BUILT_IN)] == [(stage.name, stage.task_name, stage.queue) for stage in BUILT_IN]


def test_the_picture_of_the_states_has_every_word() -> None:
    text = (ROOT / "docs/explanation/states.md").read_text()
    assert {word for word in document_words() | graph_words() if not re.search(rf"\b{word}\b", text)} == set()


def test_the_celery_page_lists_every_default_with_its_value() -> None:
    shown = {words(r[0])[0]: words(r[1])[0] for r in rows(section("celery.md", "## celery_defaults()"))}
    defaults = celery_defaults()
    schedule = defaults.pop("beat_schedule")
    assert set(schedule) == {"docpipe-reap"}
    transport = defaults.pop("broker_transport_options") | defaults.pop("result_backend_transport_options")
    assert shown == {name: repr(value) for name, value in (defaults | transport).items()}


def test_the_celery_page_lists_the_attributes_of_the_tasks(tmp_path: Path) -> None:
    shown = {words(row[0])[0]: words(row[1])[0] for row in rows(section("celery.md", "## The tasks"))}
    store = docpipe.open_store(f"sqlite://{tmp_path / 'docs.db'}")
    app = docpipe.Pipeline(memory_app(), store=store).app
    assert app is not None
    assert shown == {name: repr(getattr(app.tasks["docpipe.ocr"], name)) for name in shown}
    store.close()


def commands(group: click.Group, path: str = "docpipe") -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


def options(command: click.Command) -> set[str]:
    """All but `--store`, which every command has: it is told once."""
    found = {o for p in command.params if isinstance(p, click.Option) for o in (*p.opts, *p.secondary_opts)}
    return found - {"--store"}


@pytest.mark.parametrize(("name", "command"), list(commands(cli)))
def test_the_command_line_page_lists_every_command_and_option(name: str, command: click.Command) -> None:
    _, top, *below = name.split(" ")
    text = section("cli.md", f"## docpipe {top}")
    listed = {word for word in first_words(text) if word.startswith("-")}
    assert f"    {name}" in text
    if below:
        assert below[0] in first_words(text)
        assert {option for option in options(command) if f"`{option}`" not in text} == set()
    else:
        assert listed == options(command)


def columns_in_sql() -> dict[str, set[str]]:
    """Table to columns, as the migrations make them."""
    text = re.sub(r"--.*", "", "".join(path.read_text() for path in sorted((ROOT / "sql").glob("*.sql"))))
    found: dict[str, set[str]] = {}
    for table, body in re.findall(r"create table if not exists public\.(\w+) \((.*?)\n\);", text, re.S):
        found[table] = {
            name for name in re.findall(r'^    "?(\w+)"? ', body, re.M) if name not in _CONSTRAINTS
        }
    for table, body in re.findall(r"alter table public\.(\w+)\s(.*?);", text, re.S):
        found[table] |= set(re.findall(r'add column if not exists "?(\w+)"? ', body))
    return found


_CONSTRAINTS = {"primary", "unique", "foreign", "check", "constraint"}


def test_the_schema_page_lists_every_table_and_column() -> None:
    shown = {
        table: set(first_words(section("schema.md", f"## {table}")))
        for table in re.findall(r"^## ([a-z]\w+)$", reference("schema.md"), re.M)
    }
    assert shown == columns_in_sql()


def test_the_schema_page_lists_every_function_by_its_file() -> None:
    shown = {words(row[0])[0]: words(row[1]) for row in rows(section("schema.md", "## Functions"))}
    made = {
        f"…{path.name[14:]}": re.findall(r"^create or replace function public\.docpipe_(\w+)", text, re.M)
        for path in sorted((ROOT / "sql").glob("*_docpipe_*.sql"))
        if (text := path.read_text())
    }
    assert shown == {name: functions for name, functions in made.items() if functions}


def test_the_api_page_has_every_public_name() -> None:
    page = reference("api.md")
    assert {name for name in docpipe.__all__ if not re.search(rf"\b{name}\b", page)} == set()


_WALK = re.compile(r"^\*\*(.+?)\*\*.*?\((\d+)\):\n((?:`.*\n)+)", re.M)


def test_the_architecture_page_lists_packages_and_files_that_exist() -> None:
    text = (ROOT / "docs/explanation/architecture.md").read_text()
    packages = {word.rstrip("/") for word in first_words(text) if word not in {"chain"}}
    there = {path.name for path in (ROOT / "docpipe").iterdir()} - {"__init__.py", "__pycache__", "py.typed"}
    assert packages == there
    walks = {
        name: (int(count), re.findall(r"^`([^`]+)`", files, re.M))
        for name, count, files in _WALK.findall(text)
    }
    assert {name: len(files) for name, (_, files) in walks.items()} == {
        n: count for n, (count, _) in walks.items()
    }
    assert len(walks) == 4
    missing = [
        file for _, files in walks.values() for file in files if not (ROOT / "docpipe" / file).is_file()
    ]
    assert missing == []


# --- links ----------------------------------------------------------------------------------------


def anchors(page: Path) -> set[str]:
    heads = re.findall(r"^#+ (.*)$", page.read_text(), re.M)
    plain = [re.sub(r"[^\w\- ]", "", head).strip().lower() for head in heads]
    generated = re.findall(r"^::: (\S+)$", page.read_text(), re.M)
    return {re.sub(r"[ -]+", "-", head) for head in plain} | set(generated)


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CHANGELOG.md"], ids=relative)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if not re.match(r"https?://", target):
            path, _, anchor = target.partition("#")
            file = (page.parent / path).resolve() if path else page
            assert file.is_file(), target
            assert not anchor or anchor in anchors(file), target


_TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


@pytest.mark.parametrize("page", [page for page in PAGES if _TEST.search(page.read_text())], ids=relative)
def test_tests_that_are_named_exist(page: Path) -> None:
    missing = [
        f"{file}::{test}"
        for file, test in _TEST.findall(page.read_text())
        if not re.search(rf"^def {test}\(", (ROOT / file).read_text(), re.M)
    ]
    assert missing == []


NAMED_AS = {
    sniff.DOCX: "DOCX",
    sniff.MARKDOWN: "Markdown",
    sniff.TEXT: "plain text",
    sniff.CALENDAR: "ICS",
    sniff.VCARD: "VCF",
    sniff.MBOX: "mbox",
    sniff.SIGNED: "P7M",
    sniff.TNEF: "winmail.dat",
    "image/jp2": "JPEG 2000",
    "image/heic": "HEIC",
    "image/heif": "HEIC",
}
"""Formats whose names are not the last word of their MIME types or of docpipe's own name for them."""


@pytest.mark.parametrize("page", ["README.md", "docs/index.md"])
def test_a_page_names_every_format_that_is_read(page: str) -> None:
    text = (ROOT / page).read_text()
    own = {kind: name for name, kind in vars(sniff).items() if isinstance(kind, str)}
    for kind in READERS:
        name = NAMED_AS.get(kind, kind.rpartition("/")[2] if kind in sniff.IMAGES else own.get(kind, kind))
        assert name.casefold() in text.casefold(), f"{page} does not name {name} ({kind})"
