"""The import directions of the design, read from the source: arrows go one way only."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "docpipe"


def _module(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {_module(path): path for path in sorted(PACKAGE.rglob("*.py"))}
TREES = {module: ast.parse(path.read_text(encoding="utf-8")) for module, path in FILES.items()}

WORDS = {"models", "errors", "status"}
CORE = {"canvas", "tasks", "runner", "plan", "progress", "logs", "stores", "sources", "engines"}
CORE |= {"broker", "checks", "isolation", "ledger", "graph", "visible", "private"}
CORE |= WORDS | {"formats", "stages"}
WIRING = {"dispatch", "recovery", "submission", "pipeline"}
"""What hosts embed. Everything else is a face of it."""

MAY_IMPORT = {
    "errors": set(),
    "visible": set(),
    "private": set(),
    "models": set(),
    "status": set(),
    "logs": {"visible"},
    "formats": {"models", "errors", "formats"},
    "stages": {"models", "errors", "stages", "formats"},
    "engines": {"models", "errors", "engines", "stages"},
    "stores": WORDS | {"stores", "logs", "private"},
    "sources": WORDS | {"sources"},
    "graph": WORDS | {"graph", "stores", "visible", "private"},
    "pictures": {"formats"},
    "linking": {"models", "stages", "stores"},
    "progress": WORDS | {"logs"},
    "canvas": {"models", "plan"},
    "plan": CORE - {"canvas", "tasks", "runner", "ledger", "progress", "sources"},
    "ledger": WORDS | {"stores", "logs"},
    "runner": CORE - {"canvas", "tasks"},
    "tasks": CORE,
    "dispatch": WORDS | {"canvas", "logs", "plan", "stores"},
    "recovery": WORDS | {"broker", "dispatch", "logs", "runner", "stores"},
    "submission": WORDS | {"stores"},
    "pipeline": CORE | WIRING,
}

HIDDEN = {
    "docpipe.cli.run": {"docpipe.logs"},  # only on request
    "docpipe.isolation.child": {"docpipe.errors", "docpipe.plan", "docpipe.work"},  # sys.path comes first
    "docpipe.engines.rapidocr": {"docpipe.engines.openvino"},  # only where OpenVINO is installed
    "docpipe.stages.ocr": {"docpipe.stages.deskew"},  # only for crooked pictures: brings Pillow
    "docpipe.default": {"docpipe.factory"},  # the light module-level API
    "docpipe.stores": {"docpipe.stores.sqlite", "docpipe.stores.supabase"},  # one of the two
}
"""Imports inside functions; docpipe.testing, which every pytest run of a host loads, may have any."""

NOT_IN_THE_WORK = {"celery", "kombu", "redis", "supabase", "postgrest", "httpx", "boto3", "psycopg"}
NOT_IN_THE_WORK |= {"botocore", "sqlite3", "pydantic_settings", "structlog", "time", "datetime", "socket"}


def _is_type_checking(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def _statements(node: ast.AST, *, in_functions: bool) -> Iterator[ast.AST]:
    """All nodes that run; what is for the type checker alone is left out."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt) and _is_type_checking(child):
            continue
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) and not in_functions:
            continue
        yield child
        yield from _statements(child, in_functions=in_functions)


def _imported(module: str, *, in_functions: bool = False) -> set[str]:
    """Modules that `module` imports, by full name; `from docpipe import tasks` means docpipe.tasks."""
    found = set()
    for node in _statements(TREES[module], in_functions=in_functions):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively"
            origin = node.module or ""
            names = {f"{origin}.{alias.name}" for alias in node.names} & FILES.keys()
            found |= names or {origin}
    return found


def _part(module: str) -> str:
    """`stages` of docpipe.stages.ocr; empty for the package itself."""
    return (*module.split("."), "")[1]


def _own(module: str, *, in_functions: bool = False) -> set[str]:
    return {
        name for name in _imported(module, in_functions=in_functions) if name.partition(".")[0] == "docpipe"
    }


def _of(*parts: str) -> list[str]:
    return [module for module in FILES if _part(module) in parts]


@pytest.mark.parametrize("module", _of(*MAY_IMPORT))
def test_a_module_imports_only_what_lies_below_it(module: str) -> None:
    imported = {_part(name) for name in _own(module, in_functions=True)}
    assert imported - MAY_IMPORT[_part(module)] == set()


@pytest.mark.parametrize("module", _of("models", "errors", "status"))
def test_the_words_need_only_the_standard_library_and_pydantic(module: str) -> None:
    roots = {name.partition(".")[0] for name in _imported(module)}
    assert roots - sys.stdlib_module_names - {"pydantic"} == set()


@pytest.mark.parametrize("module", _of("formats", "stages"))
def test_the_work_knows_no_service_setting_environment_or_clock(module: str) -> None:
    roots = {name.partition(".")[0] for name in _imported(module, in_functions=True)}
    attributes = {
        ast.unparse(node)
        for node in _statements(TREES[module], in_functions=True)
        if isinstance(node, ast.Attribute)
    }
    assert roots & NOT_IN_THE_WORK == set()
    assert attributes & {"os.environ", "os.getenv", "os.environb"} == set()


@pytest.mark.parametrize("module", FILES)
def test_only_the_edge_reads_the_environment(module: str) -> None:
    read = {ast.unparse(node) for node in ast.walk(TREES[module]) if isinstance(node, ast.Attribute)}
    if "pydantic_settings" in _imported(module):
        assert module == "docpipe.settings"
    assert read & {"os.environ", "os.getenv"} == set()


@pytest.mark.parametrize("module", FILES)
def test_nothing_imports_the_outermost_modules(module: str) -> None:
    outermost = {"cli", "worker", "testing"} - {_part(module)}
    assert {_part(name) for name in _own(module, in_functions=True)} & outermost == set()


@pytest.mark.parametrize("module", FILES)
def test_no_import_hides_in_a_function_but_the_known_ones(module: str) -> None:
    hidden = _own(module, in_functions=True) - _own(module)
    assert module == "docpipe.testing" or hidden <= HIDDEN.get(module, set())


def test_no_module_imports_itself_in_a_circle() -> None:
    order = list(TopologicalSorter({module: _own(module) - {module} for module in FILES}).static_order())
    assert set(order) == FILES.keys()
