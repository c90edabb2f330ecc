"""Makes strings fit to be stored: every string that leaves a reader passes through here once."""

from __future__ import annotations

import re

_LINE_ENDS = re.compile("\r\n|[\r\v\f\x85\u2028\u2029]")
_UNWANTED = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f]")
_PARTING = re.compile("(?<=\\w)[\x01-\x08\x0e-\x1f\x7f-\x9f](?=\\w)")
_SURROGATES = re.compile("[\ud800-\udfff]")
_FOR_MACHINES = re.compile("\x1b\\[[0-9;?]{0,32}[A-Za-z]|\ufeff")
"""Colours and moves of a terminal, and marks of the order of bytes, which stand where files were joined."""
_SUSPECT = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff]")
_C1_BUT_NEXT_LINE = re.compile("[\x80-\x84\x86-\x9f]")
_WINDOWS = {code: bytes([code]).decode("cp1252", "ignore") or chr(code) for code in range(0x80, 0xA0)}
"""What stands at the places of the C1 controls, which no text has, in the character set of Windows."""
_BIDI_CONTROLS = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_MAX_LABEL = 120


def clean(text: str) -> str:
    """Text without U+0000 and other controls; every line end is ``\\n``, lone surrogates are U+FFFD.

    Postgres refuses U+0000, and JSON with a lone surrogate is not UTF-8. Tabs stay. C1 controls are read as
    the letters of Windows-1252 that they were; a control between two words becomes a space.
    """
    if not _SUSPECT.search(text):
        return text
    text = _FOR_MACHINES.sub("", text)
    if _C1_BUT_NEXT_LINE.search(text):
        text = text.translate(_WINDOWS)
    text = _PARTING.sub(" ", _LINE_ENDS.sub("\n", text))
    return _SURROGATES.sub("\ufffd", _UNWANTED.sub("", text))


def clean_line(text: str) -> str:
    """`clean` for a string that must stay on one line: line ends become spaces."""
    return clean(text).replace("\n", " ")


def clean_label(name: str, fallback: str) -> str:
    """An attachment's name as a label: the last path component, at most 120 characters.

    It is shown and stored, never used as a path. Direction controls go too: they make
    ``exe.pdf`` out of ``fdp.exe``.
    """
    last = re.split(r"[/\\]", _BIDI_CONTROLS.sub("", clean_line(name)))[-1].strip()
    if last in {"", ".", ".."}:
        return fallback
    return last if len(last) <= _MAX_LABEL else last[: _MAX_LABEL // 2] + "…" + last[1 - _MAX_LABEL // 2 :]
