"""Addresses as they may be shown: in messages, logs, settings and tracebacks."""

from __future__ import annotations

import re

from docpipe.models.visible import visible

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]{0,31})://", re.IGNORECASE | re.ASCII)
_USER_AND_HOST = re.compile(r"[^/?#@]*@([^/?#@]+)([^@]*)")
_QUERY, _OBJECT_QUERY = re.compile(r"(?s)[?#].*"), re.compile(r"(?s)\?.*")
_OBJECTS = frozenset({"s3", "supabase"})
"""Their keys may hold a number sign."""
_SHOWN = 1000
_HIDDEN = "…"


def masked(text: str) -> str:
    """An address as it may be shown: without user, password, query and fragment, in characters that can be
    seen, and not endless. Takes any text.
    """
    found = _SCHEME.match(text)
    if found is not None:
        rest = text[found.end() :]
        text = f"{found[0]}{_public(rest, is_object=found[1].lower() in _OBJECTS)}"
    cut = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}{_HIDDEN}"
    return visible(cut)


def _public(rest: str, *, is_object: bool) -> str:
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if "@" in authority or (":" in authority and "@" in rest):
        found = _USER_AND_HOST.fullmatch(rest)
        if found is None:  # a password with a slash in it, or worse
            return _HIDDEN
        rest = f"{_HIDDEN}@{found[1]}{found[2]}"
    query = _OBJECT_QUERY if is_object else _QUERY
    return query.sub(f"?{_HIDDEN}", rest, count=1)
