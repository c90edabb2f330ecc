"""Tables, colours and lines that move: what commands print by rich, which comes with the extra `cli`."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.text import Text

from docpipe.models.visible import visible, visible_lines

_FILE_WIDTH = 400
"""Columns of a table that goes into a file or a pipe: nothing is cut."""


def shown(text: str) -> str:
    """Text from outside for a table or a line with rich's markup: on one line, and no markup itself."""
    return escape(visible(text))


class _SafeConsole(Console):
    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(visible_lines(text), **options)


def new_console(**options: Any) -> Console:
    """A console that shows control characters; lines are cut only on a terminal."""
    console = _SafeConsole(highlight=False, **options)
    if not console.is_terminal:
        console.width = _FILE_WIDTH
    return console
