"""What the parent asks of the child."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from docpipe.execution.options import Options, PageRequest


@dataclass(frozen=True, slots=True)
class ReadTask:
    """One document for the child: to be read, or to be shown as pictures."""

    path: Path
    name: str
    options: Options
    request: PageRequest
    pictures: bool = False
