"""What one attempt of a stage is given."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from docpipe.execution.isolation.reader_process import ReaderProcess
from docpipe.execution.keeper import Keeper, Take
from docpipe.execution.options import PageRequest
from docpipe.execution.progress import PagesDone
from docpipe.execution.tools import Tools
from docpipe.models import Document, StageOutput
from docpipe.models.reading import ReadingOptions


@dataclass(frozen=True, slots=True)
class Job:
    """What one attempt of a stage is given."""

    document: Document
    tools: Tools
    reader: ReaderProcess
    """Reads documents in a process of their own, where the options ask for that."""
    fetch: Callable[[], AbstractContextManager[Path]]
    """Opens the document's bytes as a file, for the time of the `with` block."""
    report: PagesDone
    """Raises when the attempt should stop."""
    request: PageRequest = field(default_factory=PageRequest)
    reading: Callable[[], ReadingOptions] = ReadingOptions
    """How this document is to be read. A call of the store: only a stage that reads bytes asks."""
    keeper: Keeper | None = None
    """Takes documents that are found inside this one; None: they are pages of it."""

    @property
    def take(self) -> Take | None:
        """Of the keeper, if there is one."""
        return self.keeper.take if self.keeper else None


Work = Callable[[Job], StageOutput]
