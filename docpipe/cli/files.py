"""Files that a command writes, and the folders of them that docpipe brings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from importlib.resources.abc import Traversable
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


def packaged(name: str) -> Traversable:
    """A folder that a wheel has inside the package, and a source checkout beside it."""
    inside = files("docpipe") / name
    return inside if inside.is_dir() else Path(__file__).parents[2] / name
