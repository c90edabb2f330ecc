"""Reads a document in a process of its own; a page that ends that process costs the page alone."""

from __future__ import annotations

from pathlib import Path

from docpipe.errors import ReadingCrashError, ReadingMemoryError, ReadingTimeoutError
from docpipe.execution.job import Job
from docpipe.execution.logs import get_logger
from docpipe.models import StageOutput
from docpipe.models.reading import ReadingOptions
from docpipe.stages.ocr.page_ranges import around

log = get_logger(__name__)

_OF_A_PAGE = (ReadingTimeoutError, ReadingMemoryError, ReadingCrashError)
"""What one page may do to the process that reads it, while all others are sound."""


class _Progress:
    """What the process has reported; passed on to the job."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self.done = 0
        self.total: int | None = None

    def __call__(self, done: int, total: int | None) -> None:
        self.done, self.total = done, total
        self._job.report(done, total)


def read_apart(job: Job, path: Path, reading: ReadingOptions) -> StageOutput:
    """What the process reads. Where it hangs, crashes or runs out of memory at one of several pages, the
    answer is ranges: the pages before it, the page, and those after it, to be read each on its own.

    Raises as `ReaderProcess.read`, where the document has one page, or was asked for in part.
    """
    progress = _Progress(job)
    try:
        return job.reader.read(path, job.document.name, progress, job.request, reading, job.take)
    except _OF_A_PAGE as error:
        done, total = progress.done, progress.total
        if job.request.pages is not None or total is None or not done < total or total < 2:
            raise
        log.warning("page_ended_reading", page=done + 1, pages=total, error=str(error))
        return StageOutput(ranges=around(done + 1, total))
