"""What is printed or logged moves no cursor, ends no line and turns no direction."""

from __future__ import annotations

import ast
import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import docpipe
from docpipe.cli import cli
from docpipe.cli.usage import show_crash
from docpipe.execution.log_lines import new_formatter
from docpipe.execution.logs import Visible, get_logger
from docpipe.models.visible import visible, visible_lines

HOSTILE = "a\x1b[31m\x9b2J\nb\r\u202egpj\u2066\u2028.txt"
SHOWN = "a\\u001b[31m\\u009b2J\\nb\\r\\u202egpj\\u2066\\u2028.txt"
CONTROLS = [chr(code) for code in (*range(0x20), *range(0x7F, 0xA0))]
DIRECTIONS = [
    "\u061c",
    "\u200e",
    "\u200f",
    *map(chr, range(0x202A, 0x202F)),
    *map(chr, range(0x2066, 0x206A)),
]

PACKAGE = Path(docpipe.__file__).parent


@pytest.mark.parametrize("sign", [*CONTROLS, *DIRECTIONS, "\u2028", "\u2029", "\ud800", "\udfff"], ids=ascii)
def test_a_sign_that_cannot_be_seen_is_spelt_as_json_spells_it(sign: str) -> None:
    shown = visible(f"a{sign}b")
    assert shown.isprintable()
    assert json.loads(f'"{shown}"') == f"a{sign}b"


def test_what_can_be_seen_stays() -> None:
    text = "Åse Ødegård, 東京, علی, \U0001f600, a\\b, 5 % of [bold]"
    assert visible(text) == text


def test_lines_stay_lines_where_docpipe_wrote_them() -> None:
    assert visible_lines("select\n\t1;\x1b[31m") == "select\n\t1;\\u001b[31m"


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    path = tmp_path / HOSTILE.replace("\x9b", "")
    path.write_text("Ann Lee met \u202eBob\u202c in Bern on 3 May 2024.", encoding="utf-8")
    return path


def _is_tame(printed: str) -> bool:
    return all(line.isprintable() for line in printed.split("\n"))


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_run_shows_a_hostile_name(hostile: Path, tmp_path: Path, options: list[str]) -> None:
    told = CliRunner().invoke(cli, ["run", "--store", str(tmp_path / "db"), str(hostile), *options])
    assert told.exit_code == 1, told.output
    assert _is_tame(told.output), ascii(told.output)
    assert "Rename the file" in told.output
    if options:
        assert json.loads(told.stdout)["source"] == str(hostile)


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_hostile_name_that_does_not_exist_is_shown(tmp_path: Path, options: list[str]) -> None:
    missing = tmp_path / HOSTILE
    told = CliRunner().invoke(cli, ["run", "--store", str(tmp_path / "db"), str(missing), *options])
    assert told.exit_code == 1
    assert _is_tame(told.output), ascii(told.output)


def _commands(group: click.Group, *names: str) -> Iterator[tuple[str, ...]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from _commands(command, *names, name)
        yield (*names, name)


def _wrong_usages() -> Iterator[list[str]]:
    """Of every command: a wrong name or option, and each option with a value it refuses. None runs."""
    yield [HOSTILE]
    for path in _commands(cli):
        if path == ("worker",):  # whose options are Celery's
            continue
        yield [*path, f"--{HOSTILE}"]
        command: click.Command = cli
        for name in path:
            assert isinstance(command, click.Group)
            found = command.get_command(click.Context(command), name)
            assert found is not None
            command = found
        if all(each.nargs == 1 for each in command.params if isinstance(each, click.Argument)):
            yield [*path, *[HOSTILE] * (len(command.params) + 1)]
        refusing = (click.types.IntParamType, click.types.FloatParamType, click.Choice, click.DateTime)
        for option in command.params:
            if isinstance(option, click.Option) and isinstance(option.type, refusing):
                yield [*path, option.opts[0], HOSTILE]


@pytest.mark.parametrize("arguments", [*_wrong_usages()], ids=ascii)
def test_wrong_usage_is_shown(arguments: list[str]) -> None:
    told = CliRunner().invoke(cli, arguments, color=True)
    assert told.exit_code == 2, ascii(told.output)
    assert _is_tame(told.output), ascii(told.output)


def test_a_crash_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        raise ValueError(HOSTILE)
    except ValueError as error:
        show_crash(type(error), error, error.__traceback__)
    told = capsys.readouterr().err
    assert told.startswith("Traceback (most recent call last):\n")
    assert _is_tame(told), ascii(told)


def _printing(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute) and ast.unparse(node) in {
            "click.echo",
            "click.secho",
            "sys.stdout.write",
        }:
            yield f"{path.name}:{node.lineno} {ast.unparse(node)}"
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"print", "Console"}:
            yield f"{path.name}:{node.lineno} {ast.unparse(node.func)}"


def test_commands_print_through_their_one_home() -> None:
    found = {
        told for path in PACKAGE.rglob("cli/*.py") if path.name != "terminal.py" for told in _printing(path)
    }
    assert {told for told in found if not told.startswith("show.py")} == set(), "use docpipe.cli.terminal"


def _logged(formatter: logging.Formatter, *, filters: bool = False) -> str:
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(formatter)
    if filters:
        handler.addFilter(Visible())
    logger = logging.getLogger("docpipe.tests.visible")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        raise ValueError(HOSTILE)
    except ValueError as error:
        get_logger(logger.name).error(
            "failed", name_=HOSTILE, names=[HOSTILE], error=str(error), exc_info=True
        )
    finally:
        logger.removeHandler(handler)
    return written.getvalue()


@pytest.mark.parametrize("as_json", [True, False])
def test_a_log_line_shows_hostile_values(as_json: bool) -> None:
    told = _logged(new_formatter(as_json=as_json))
    assert _is_tame(told), ascii(told)
    assert SHOWN in told.replace("\\\\", "\\")
    if as_json:
        assert told.count("\n") == 1
        assert json.loads(told)["names"] == [HOSTILE]


def test_a_handler_with_a_format_of_its_own_shows_hostile_messages() -> None:
    told = _logged(logging.Formatter("%(message)s"), filters=True)
    assert _is_tame(told), ascii(told)
