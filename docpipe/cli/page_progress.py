"""How far documents are, on standard error: page by page, with the rate and the time that is left."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import PurePath
from threading import RLock
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text

from docpipe.cli.console import new_console, shown
from docpipe.execution.progress import LiveProgress, NoProgress
from docpipe.models import DocumentStatus, RangeRun, Ref
from docpipe.models.status import StageState

if TYPE_CHECKING:
    from docpipe.pipeline.pipeline import Pipeline

_NAME_WIDTH = 24
_BAR_WIDTH = 12


class Step(NamedTuple):
    """How far one document is in one stage; `pages` is 0 where that is not known."""

    document: str
    stage: str
    done: int = 0
    pages: int = 0


class Steps(NoProgress):
    """The progress of a pipeline that takes one document after the other, as steps of `document`."""

    def __init__(self, tell: Callable[[Step], None]) -> None:
        self.document = ""
        self._tell = tell

    def update_document_state(
        self, _document_uuid: str, phase: str, status: str, metadata: Mapping[str, Any] | None = None
    ) -> None:
        if status == "processing":
            told = metadata or {}
            self._tell(Step(self.document, phase, told.get("done") or 0, told.get("total") or 0))


def live_step(pipeline: Pipeline, document: str, status: DocumentStatus) -> Step | None:
    """How far workers are with a document; its pages come from the live copy of progress, if there is one.
    None: it waits, or is final.
    """
    stage = next((each.stage for each in status.stages if each.state == StageState.RUNNING), None)
    if stage is None:
        return None
    progress = pipeline.runtime.progress
    told = progress.told(status.document_uuid, stage) if isinstance(progress, LiveProgress) else {}
    if "first_page" in told:  # of one range, and there are others
        return Step(
            document, stage, *_pages_of(pipeline.store.ranges.runs(Ref(status.document_uuid, status.run)))
        )
    return Step(document, stage, told.get("done") or 0, told.get("total") or 0)


def _pages_of(ranges: Sequence[RangeRun]) -> tuple[int, int]:
    sizes = [(each.pages.last - each.pages.first + 1, each.state) for each in ranges]
    return sum(size for size, state in sizes if state == StageState.COMPLETE), sum(size for size, _ in sizes)


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        pages, seconds = task.fields["pages_done"], task.elapsed
        return Text(f"{pages / seconds:.1f} pages/s" if pages and seconds else "")


class PageProgress:
    """A line for each document that is worked on and one for all, in a `with` block.

    Where standard error is no terminal nothing is shown. Safe to be told from several threads.

    Args:
        documents: how many there are.
        stages: their stages, in order.
    """

    def __init__(self, documents: int, stages: Sequence[str]) -> None:
        console = new_console(stderr=True)
        self.shows = console.is_terminal
        self._stages = list(stages)
        self._documents, self._pages = documents, 0
        self._ended: set[str] = set()
        self._telling = RLock()
        self._lines: dict[str, TaskID] = {}
        self._last: dict[str, Step] = {}
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(_BAR_WIDTH),
            TextColumn("{task.fields[count]}"),
            _Rate(),
            TimeRemainingColumn(compact=True),
            console=console,
            disable=not self.shows,
            transient=True,
            redirect_stdout=False,  # what is printed may go into a file
        )
        self._all = self._bars.add_task("", total=documents, pages_done=0, count="")
        self._show_all()

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Takes the lines away while something else is printed."""
        self._bars.stop()
        yield
        self._bars.start()

    def tell(self, step: Step) -> None:
        """Show how far the document is; one that ended is not shown any more."""
        with self._telling:
            if step.document not in self._ended:
                self._show(step)

    def end(self, document: str) -> None:
        """The document is final."""
        with self._telling:
            self._ended.add(document)
            self._last.pop(document, None)
            if (line := self._lines.pop(document, None)) is not None:
                self._bars.remove_task(line)
            self._show_all()

    def _show(self, step: Step) -> None:
        before = self._last.get(step.document, Step(step.document, ""))
        self._last[step.document] = step
        if step.stage == self._stages[0]:
            self._pages += max(0, step.done - before.done)
        line = self._line(step, begins=step.stage != before.stage)
        total, count = (step.pages, f"{step.done}/{step.pages} pages") if step.pages else (None, "")
        self._bars.update(line, total=total, completed=step.done, pages_done=step.done, count=count)
        self._show_all()

    def _line(self, step: Step, *, begins: bool) -> TaskID:
        text = f"{_short(step.document)} [dim]{shown(step.stage)}[/]"
        if step.document not in self._lines:
            self._lines[step.document] = self._bars.add_task(text, total=None, pages_done=0, count="")
        elif begins:
            self._bars.reset(self._lines[step.document], description=text)
        return self._lines[step.document]

    def _show_all(self) -> None:
        done = len(self._ended) + sum(map(self._part, self._last.values()))
        text = f"{len(self._ended)} of {self._documents} document{'s' * (self._documents != 1)}"
        count = f"{self._pages} pages" if self._pages else ""
        self._bars.update(self._all, description=text, completed=done, pages_done=self._pages, count=count)

    def _part(self, step: Step) -> float:
        """How much of the document is done, where all stages count the same."""
        within = min(1.0, step.done / step.pages) if step.pages else 0.0
        return (self._stages.index(step.stage) + within) / len(self._stages)


def _short(document: str) -> str:
    name = PurePath(document).name or document
    return shown(name if len(name) <= _NAME_WIDTH else f"{name[: _NAME_WIDTH - 9]}…{name[-8:]}")
