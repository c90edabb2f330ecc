"""A project's list of names, read from a file."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from docpipe.errors import ConfigurationError
from docpipe.stages.entities.gazetteer import Gazetteer

_COLUMNS = ["name", "label"]


def read_gazetteer(path: Path) -> Gazetteer:
    """The names of a CSV file in UTF-8 whose first line is `name,label`; blank lines do not count.

    Raises:
        ConfigurationError: the file cannot be read, or a line is not a name and a label.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return Gazetteer(list(_entries(path, csv.reader(file))))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigurationError(f"The gazetteer {path} cannot be read: {error}") from error


def _entries(path: Path, lines: Iterator[list[str]]) -> Iterator[tuple[str, str]]:
    if next(lines, None) != _COLUMNS:
        raise ConfigurationError(f"The gazetteer {path} must begin with the line: {','.join(_COLUMNS)}")
    for number, line in enumerate(lines, start=2):
        if not line:
            continue
        cells = [cell.strip() for cell in line]
        if len(cells) != len(_COLUMNS) or not all(cells):
            raise ConfigurationError(f"Line {number} of the gazetteer {path} is not a name and a label.")
        yield cells[0], cells[1].upper()
