"""Files that a command writes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from docpipe.errors import ConfigurationError


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Around the writing of a file or folder: says in one sentence that it cannot be.

    Raises:
        ConfigurationError: the system refuses it.
    """
    try:
        yield
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written: {error.strerror}.") from error
