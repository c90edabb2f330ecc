"""Every regular expression of docpipe takes time in proportion to the text, whatever the text is."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterable, Iterator, Mapping, Set
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest

import docpipe.stages
from tests.adversary import attacks
from tests.growth import growth


def _names(path: Iterable[str], prefix: str = "") -> set[str]:
    return {prefix + found.name for found in pkgutil.iter_modules(path)}


_ROOMS = sorted(_names(docpipe.__path__) - {"worker", "stages"} | _names(docpipe.stages.__path__, "stages."))
"""All but the module that builds its pipeline from the environment when it is imported. The stages have the
most expressions: one room each, so that cores share them.
"""
_CALLS = {"compile", "match", "fullmatch", "search", "sub", "subn", "split", "findall", "finditer"}
_AT_ONE_PLACE = {"match", "fullmatch"}


class _Expression(NamedTuple):
    """An expression, where it is written, and how the module runs it."""

    name: str
    pattern: re.Pattern[Any] | None
    ways: frozenset[str]


def _modules(room: str) -> Iterator[ModuleType]:
    """The module and, of a package, all in it, but what an extra that is not installed would need."""
    try:
        module = importlib.import_module(f"docpipe.{room}")
    except ModuleNotFoundError as missing:
        if str(missing.name).startswith("docpipe"):
            raise
        return
    yield module
    for inner in pkgutil.iter_modules(getattr(module, "__path__", ())):
        yield from _modules(f"{room}.{inner.name}")


def _inside(value: object) -> Iterator[re.Pattern[Any]]:
    if isinstance(value, re.Pattern):
        yield value
    elif isinstance(value, tuple) and hasattr(value, "_fields"):
        yield from (found for item in value for found in _inside(item))
    elif isinstance(value, Mapping):
        yield from (found for item in value.values() for found in _inside(item))
    elif isinstance(value, list | tuple | set | frozenset):
        yield from (found for item in value for found in _inside(item))


def _ways(methods: Set[str]) -> frozenset[str]:
    """At one place of the text where it is only run so, else from every place."""
    return (
        frozenset(methods)
        if methods and methods <= _AT_ONE_PLACE
        else frozenset({"finditer"} | methods & _AT_ONE_PLACE)
    )


def _used(tree: ast.AST, name: str) -> frozenset[str]:
    loads = sum(
        isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Load) for n in ast.walk(tree)
    )
    methods = [
        n.attr
        for n in ast.walk(tree)
        if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name) and n.value.id == name
    ]
    return _ways(set(methods) if len(methods) == loads else {*methods, "passed on"})


def _made_once(module: ModuleType) -> Iterator[tuple[str, re.Pattern[Any]]]:
    """Expressions that a cached function without parameters makes of data when they are first needed."""
    for name, value in vars(module).items():
        made = getattr(value, "__wrapped__", None)
        if (
            made is not None
            and hasattr(value, "cache_info")
            and made.__module__ == module.__name__
            and not inspect.signature(made).parameters
        ):
            yield from ((name, pattern) for pattern in _inside(value()))


def _in_functions(module: ModuleType, tree: ast.Module) -> Iterator[_Expression]:
    """Expressions written where they are used; without one where only a call puts it together."""
    made_once = {name for name, _ in _made_once(module)}
    tree = ast.Module([n for n in tree.body if getattr(n, "name", None) not in made_once], [])
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        if isinstance(node.func.value, ast.Name) and node.func.value.id == "re" and node.func.attr in _CALLS:
            written = ast.unparse(node.args[0])
            try:
                value = re.compile(eval(written, vars(module)))
            except NameError:
                value = None
            if (
                value is None or node.func.attr != "compile"
            ):  # what is compiled is an attribute or found there
                yield _Expression(f"{module.__name__}: {written}", value, _ways({node.func.attr}))


def _expressions(room: str) -> Iterator[_Expression]:
    for module in _modules(room):
        if module.__name__.endswith(".triggers"):
            continue  # they read the functions of the database's own owner
        tree = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))
        for name, value in vars(module).items():
            for pattern in _inside(value):
                yield _Expression(f"{module.__name__}.{name}", pattern, _used(tree, name))
        for name, pattern in _made_once(module):
            yield _Expression(f"{module.__name__}.{name}()", pattern, frozenset({"finditer"}))
        yield from _in_functions(module, tree)


@pytest.mark.slow
@pytest.mark.parametrize("room", _ROOMS)
def test_every_expression_is_linear_in_any_text(room: str) -> None:
    found = {one.name: fault for one in _distinct(_expressions(room)) if (fault := _fault(one))}
    assert found == {}


@pytest.mark.parametrize("room", _ROOMS)
def test_no_expression_is_put_together_from_what_only_a_call_knows(room: str) -> None:
    assert [one.name for one in _expressions(room) if one.pattern is None] == []


def _distinct(expressions: Iterator[_Expression]) -> Iterable[_Expression]:
    """One of those that are the same and run alike, under whichever names."""
    return {(one.pattern, one.ways): one for one in expressions}.values()


def _fault(one: _Expression) -> str | None:
    if (pattern := one.pattern) is None:
        return None
    for attack in attacks(pattern):
        for way in sorted(one.ways):
            grown = growth(lambda size: _run(pattern, way, attack(size)))  # noqa: B023 - called at once
            if grown:
                return f"{way} of {attack(16)!r}: {grown}"
    return None


def _run(pattern: re.Pattern[Any], way: str, text: str) -> None:
    subject = text.encode("latin-1", "replace") if isinstance(pattern.pattern, bytes) else text
    found = getattr(pattern, way)(subject)
    if way == "finditer":
        for _ in found:
            pass
