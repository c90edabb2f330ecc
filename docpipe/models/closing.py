"""What is opened in several steps is closed when one of them fails."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Protocol


class Closeable(Protocol):
    """What holds a file or a connection."""

    def close(self) -> object:
        """Let it go."""
        ...


@contextmanager
def closed_on_failure(opened: Closeable) -> Iterator[None]:
    """Close it when the block raises, an interrupt too; else it stays open, for whoever the block made."""
    with ExitStack() as undo:
        undo.callback(opened.close)
        yield
        undo.pop_all()
