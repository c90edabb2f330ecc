"""Ids as they come from outside: checked once, where a store is asked."""

from __future__ import annotations

import re

_UNHOLDABLE = re.compile("[\0\ud800-\udfff]")


def may_be_stored(*texts: str) -> bool:
    """No store holds NUL or half a surrogate pair, which is what bytes that are no UTF-8 come in as."""
    return not any(_UNHOLDABLE.search(text) for text in texts)


def storable(text: str) -> str:
    """The id; one that no store can hold is spelled out, and so names nothing there."""
    return _UNHOLDABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
