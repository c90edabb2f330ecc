"""Strings that make a backtracking matcher work hardest, made from the expression's own parse tree.

What is slow is a repetition whose body can be divided in many ways, or that is entered anew at every place:
so every repetition's body is pumped, after what leads to it and before what makes the match fail, and so
are all single signs and pairs of signs that the expression tells apart.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import islice, product
from re import _constants as ops  # type: ignore[attr-defined]  # the standard library's own
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

_MANY = 5
"""A repetition of more is pumped."""
_SAMPLES = 4
_KILLERS = ("", "\0", "!x")
_CATEGORIES = {
    ops.CATEGORY_DIGIT: "7",
    ops.CATEGORY_NOT_DIGIT: "x",
    ops.CATEGORY_SPACE: " ",
    ops.CATEGORY_NOT_SPACE: "x",
    ops.CATEGORY_WORD: "x",
    ops.CATEGORY_NOT_WORD: "-",
}
_ANYTHING = ' aA7-.\n<"é\0'
_REPEATS = {ops.MAX_REPEAT, ops.MIN_REPEAT, ops.POSSESSIVE_REPEAT}

Attack = Callable[[int], str]
"""The string of about that many characters."""


def attacks(pattern: re.Pattern[Any]) -> Iterator[Attack]:
    """The attacks on an expression, the likeliest first."""
    source = pattern.pattern
    text = source.decode("latin-1") if isinstance(source, bytes) else source
    tree = parser.parse(text, pattern.flags & ~re.UNICODE & ~re.DEBUG)
    whole = samples(tree)
    for prefix, body in _pumped(tree, [""]):
        for killer in _KILLERS:
            yield _attack(prefix, body, killer)
        yield _attack("", prefix + body, "")
    for sample in whole:
        yield _attack("", sample, "")
        yield _attack("", sample[:-1], "!x")
    signs = _signs(tree)
    for one, other in product(signs, repeat=2):
        yield _attack("", one if one == other else one + other, "")
        yield _halves(one, other)


def _attack(prefix: str, body: str, killer: str) -> Attack:
    return lambda size: prefix + (body or "x") * max(1, size // max(1, len(body))) + killer


def _halves(one: str, other: str) -> Attack:
    return lambda size: one * (size // 2) + other * (size // 2)


def samples(tree: Any) -> list[str]:
    """Some strings that the tree matches, or nearly."""
    found = [""]
    for node in tree:
        found = _distinct(one + other for one, other in product(found, _of_node(node)))
    return found


def _distinct(strings: Iterator[str]) -> list[str]:
    return list(dict.fromkeys(islice(strings, 4 * _SAMPLES)))[:_SAMPLES]


def _of_node(node: Any) -> list[str]:
    operation, value = node
    if operation is ops.LITERAL:
        return [chr(value)]
    if operation is ops.NOT_LITERAL:
        return [next(sign for sign in _ANYTHING if sign != chr(value))]
    if operation is ops.ANY:
        return ["x"]
    if operation is ops.IN:
        return _of_set(value)
    if operation in _REPEATS:
        low, _, body = value
        inner = samples(body)
        return _distinct(iter([one * max(1, low) for one in inner] + ([""] if low == 0 else [])))
    if operation is ops.BRANCH:
        return _distinct(sample for branch in value[1] for sample in samples(branch)[:2])
    if operation is ops.SUBPATTERN:
        return samples(value[-1])
    if operation is ops.ATOMIC_GROUP:
        return samples(value)
    return [""]


def _of_set(members: list[Any]) -> list[str]:
    pattern = _set_pattern(members)
    return [sign for sign in _representatives(members) if pattern(sign)][:_SAMPLES] or ["x"]


def _representatives(members: list[Any]) -> Iterator[str]:
    for operation, value in members:
        if operation is ops.LITERAL:
            yield chr(value)
        elif operation is ops.RANGE:
            yield chr(value[0])
        elif operation is ops.CATEGORY:
            yield _CATEGORIES[value]
    yield from _ANYTHING


def _set_pattern(members: list[Any]) -> Callable[[str], bool]:
    negated = any(operation is ops.NEGATE for operation, _ in members)

    def holds(sign: str) -> bool:
        inside = any(_in_member(sign, operation, value) for operation, value in members)
        return inside is not negated

    return holds


def _in_member(sign: str, operation: Any, value: Any) -> bool:
    if operation is ops.LITERAL:
        return bool(ord(sign) == value)
    if operation is ops.RANGE:
        return bool(value[0] <= ord(sign) <= value[1])
    if operation is ops.CATEGORY:
        word = sign.isalnum() or sign == "_"
        kinds = {
            ops.CATEGORY_DIGIT: sign.isdigit(),
            ops.CATEGORY_NOT_DIGIT: not sign.isdigit(),
            ops.CATEGORY_SPACE: sign.isspace(),
            ops.CATEGORY_NOT_SPACE: not sign.isspace(),
            ops.CATEGORY_WORD: word,
            ops.CATEGORY_NOT_WORD: not word,
        }
        return bool(kinds[value])
    return False


def _pumped(tree: Any, before: list[str]) -> Iterator[tuple[str, str]]:
    """What leads to each repetition, and its body."""
    for node in tree:
        operation, value = node
        if operation in _REPEATS:
            _, high, body = value
            if high > _MANY:
                yield from product(before[:2], samples(body))
            yield from _pumped(body, before[:2])
        else:
            for branch in _children(operation, value):
                yield from _pumped(branch, before[:2])
        before = _distinct(one + other for one, other in product(before, _of_node(node)))


def _children(operation: Any, value: Any) -> list[Any]:
    if operation is ops.BRANCH:
        return list(value[1])
    if operation in {ops.SUBPATTERN, ops.ASSERT, ops.ASSERT_NOT}:
        return [value[-1]]
    return [value] if operation is ops.ATOMIC_GROUP else []


def _signs(tree: Any) -> list[str]:
    """Signs that the expression's sets tell apart, and those it names that are no letters."""
    found: dict[str, None] = {}
    for operation, value in _flat(tree):
        if operation is ops.IN:
            found.update(dict.fromkeys(_of_set(value)[:2]))
        elif operation is ops.LITERAL and not chr(value).isalnum():
            found[chr(value)] = None
    return list(found)[:6]


def _flat(tree: Any) -> Iterator[Any]:
    for operation, value in tree:
        yield operation, value
        if operation in _REPEATS:
            yield from _flat(value[2])
        for branch in _children(operation, value):
            yield from _flat(branch)
