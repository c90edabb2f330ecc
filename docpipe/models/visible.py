"""Text from outside made safe to show: nothing in it moves the cursor, ends the line or turns the direction.

A file's name, a document's text and a service's message may hold escape sequences, line breaks and signs that
make a reader see another order than there is. Whatever docpipe prints or logs passes through here; each such
character is written as JSON writes it (`\\u001b`), so that JSON which passes through still means the same.
"""

from __future__ import annotations

import re

_UNSEEN = (
    "\x00-\x1f\x7f-\x9f"  # controls: escape sequences begin with one
    "\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"  # line ends, and what turns the direction
    "\ud800-\udfff"  # halves of a pair, which cannot be written
)
_IN_A_LINE = re.compile(f"[{_UNSEEN}]")
_IN_LINES = re.compile(f"(?![\n\t])[{_UNSEEN}]")
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def visible(text: str) -> str:
    """The text on one line, every character in it one that can be seen."""
    return _IN_A_LINE.sub(_spelt, text)


def visible_lines(text: str) -> str:
    """As `visible`, but line breaks and tabs stay: for what docpipe itself wrote on several lines."""
    return _IN_LINES.sub(_spelt, text)


def _spelt(found: re.Match[str]) -> str:
    sign = found.group()
    if sign in _SHORT:
        return _SHORT[sign]
    return f"\\u{ord(sign):04x}"
