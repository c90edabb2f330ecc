"""What every attempt of a process shares."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from docpipe.errors import DocpipeError
from docpipe.execution.completion import Completion, NoCompletion
from docpipe.execution.isolation.reader_process import ReaderProcess
from docpipe.execution.policy import Policy
from docpipe.execution.progress import NoProgress, Progress
from docpipe.execution.tools import Tools
from docpipe.models import Ref
from docpipe.sources import Sources
from docpipe.stores.port import Store


def _nobody_waits(_ref: Ref) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Runtime:
    """What every attempt of this process shares."""

    store: Store
    sources: Sources
    tools: Tools
    reader: ReaderProcess
    policy: Policy = field(default_factory=Policy)
    progress: Progress = field(default_factory=NoProgress)
    translations: Mapping[type[BaseException], type[DocpipeError]] = field(default_factory=dict)
    """Exceptions of the host (Celery's time limit) and what they mean here."""
    passes: tuple[type[BaseException], ...] = ()
    """Exceptions that are the host's control flow and go through untouched."""
    completion: Completion = field(default_factory=NoCompletion)
    children_found: Callable[[Ref], None] = _nobody_waits
    """Called after documents that were found inside this one were registered, by this attempt."""
