"""Reading documents in a process of its own, so that a hang or crash costs the document, not the worker.

A time-out inside the worker cannot stop native code (MuPDF holds the interpreter's lock for as long as it
likes), so the bytes are parsed, rendered and recognised by a child: the parent waits with a deadline,
watches the child's memory, kills it when it goes too far, and says which limit that was. The child lives
on from document to document, so that models are loaded once.
"""

from __future__ import annotations

import os
import pickle
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path

from docpipe.engines import OCR_ENGINES
from docpipe.errors import (
    ConfigurationError,
    DocpipeError,
    ReadingCrashError,
    ReadingForbiddenError,
    ReadingMemoryError,
    ReadingTimeoutError,
    WorkerLostError,
)
from docpipe.execution.isolation.child import BUSY_FACTOR
from docpipe.execution.isolation.folders import Folders
from docpipe.execution.isolation.process import Child
from docpipe.execution.isolation.reach import environment, reachable
from docpipe.execution.isolation.sandbox import Rules
from docpipe.execution.isolation.taking import Hearing
from docpipe.execution.isolation.task import ReadTask
from docpipe.execution.isolation.wire import (
    Block,
    Failed,
    Layers,
    Output,
    Page,
    Pictures,
    RefusedError,
    Taken,
)
from docpipe.execution.keeper import Take
from docpipe.execution.options import Options, PageRequest
from docpipe.execution.progress import PagesDone
from docpipe.execution.tools import engines_that_read
from docpipe.formats.base import Limits
from docpipe.models import PageRange, StageOutput
from docpipe.models.reading import AS_OTHERS, ReadingOptions

_Engines = dict[str, dict[str, object]]

_WORN = 0.75
"""Of the memory that a child may take: with more, a fresh one reads the next document. The models that
read scans take half of what is allowed by default, and loading them again costs more than reading a page."""

_POLL_SECONDS = 0.02
"""How often memory is looked at: a process can take some 2 MB in a millisecond."""


class _Patience:
    """How long the child may go on without a sign: a machine busy with other things costs no document."""

    def __init__(self, child: Child, seconds: float) -> None:
        self._child, self._seconds = child, seconds
        self._begin, self._kept = time.monotonic(), child.kept_waiting()

    def is_over(self) -> bool:
        spent = time.monotonic() - self._begin
        if spent <= self._seconds:
            return False
        own = spent - (self._child.kept_waiting() - self._kept)
        return own > self._seconds or spent > BUSY_FACTOR * self._seconds


class ReaderProcess:
    """The child, started when first needed and again after it was killed.

    Every thread that reads has a child of its own, and so has every process after a fork.
    """

    def __init__(self, options: Options) -> None:
        # The child finds no names and makes no vectors, so it needs no key of who does.
        self._options = replace(
            options, ner_engine="", ner_options={}, embed_engine=None, embed_options={}, gazetteer=None
        )
        self._here = threading.local()

    def read(
        self,
        path: Path,
        name: str,
        report: PagesDone,
        request: PageRequest = PageRequest(),  # noqa: B008
        reading: ReadingOptions = AS_OTHERS,
        take: Take | None = None,
    ) -> StageOutput:
        """Read the document in the child; `report` is called with each page when it is done, and may raise,
        as may `take`, with each document that is taken out of this one.

        However the call ends, nobody works on the document any more afterwards.

        Raises:
            ReadingTimeoutError: no page was finished for `max_seconds`, those not counted in which other
                programs kept the child from a processor, or for `BUSY_FACTOR` times as long.
            ReadingMemoryError: the child took more than `max_memory_bytes`, its programs included.
            ReadingForbiddenError: it tried what the sandbox stops, or said what no reader says.
            ReadingCrashError: native code crashed.
            WorkerLostError: somebody else killed the child (the system, short of memory).
            ConfigurationError: the options cannot be sent to another process, or a layer that is demanded
                is not available.
            DocpipeError: as reading raises it.
        """
        options = self._options.for_document(reading)
        answer = self._asked(ReadTask(path, name, options, request), report, take)
        if not isinstance(answer, Output):
            raise _refused(name, RefusedError("it answered what was not asked"))
        return answer.output

    def pictures(self, path: Path, name: str, pages: PageRange | None = None) -> dict[int, str]:
        """Page number to a `data:` address, for pages (None: all) that the format can draw; raises as `read`
        does.
        """
        task = ReadTask(path, name, self._options, PageRequest(pages), pictures=True)
        answer = self._asked(task, _told_nobody)
        if not isinstance(answer, Pictures):
            raise _refused(name, RefusedError("it answered what was not asked"))
        return answer.pictures

    def layers(self) -> dict[str, str | None]:
        """Start a child: None for each layer of the sandbox that holds it, or why one does not.

        Raises:
            ConfigurationError: a layer that is demanded is not available.
        """
        child = self._new_child(engines_that_read(self._options))
        try:
            while (said := child.receive(_POLL_SECONDS)) is None:
                pass
        except (EOFError, RefusedError):
            raise _death(child, "nothing", self._limits) from None
        finally:
            child.end()
        if isinstance(said, Failed):
            raise said.error()
        return said.layers if isinstance(said, Layers) else {}

    def close(self) -> None:
        """Kill this thread's child, if it has one; the next document starts another."""
        child: Child | None = getattr(self._here, "child", None)
        if child is not None:
            child.end()
            self._here.child = None

    @property
    def _limits(self) -> Limits:
        return self._options.limits

    def _asked(self, task: ReadTask, report: PagesDone, take: Take | None = None) -> Output | Pictures:
        child = self._child(engines_that_read(task.options))
        try:
            answer = self._answer(child, task, report, Hearing(take, self._limits))
            child.folders.clear()
        except BaseException:
            self.close()  # whatever the child is doing now, nobody waits for it any more
            raise
        if self._has_served(child) or isinstance(answer, ReadingMemoryError | ReadingForbiddenError):
            self.close()
        if isinstance(answer, DocpipeError):
            raise answer
        return answer

    def _child(self, engines: _Engines) -> Child:
        """The sandbox lets a child reach its engines' files and no others, so other engines need another."""
        child: Child | None = getattr(self._here, "child", None)
        if child is None or not child.alive or self._here.engines != engines:
            self.close()
            child = self._here.child = self._new_child(engines)
            self._here.engines = engines
        return child

    def _new_child(self, engines: _Engines) -> Child:
        sandbox, folders = self._options.sandbox, Folders()
        programs = any(OCR_ENGINES[name].programs for name in engines if name in OCR_ENGINES)
        layers = tuple(name for name in sandbox.layers if not (programs and name == "programs"))
        rules = Rules(
            layers=layers,
            required=sandbox.mode == "require",
            memory=self._limits.max_memory_bytes,
            reachable=reachable(
                engines,
                document=folders.document,
                scratch=folders.scratch,
                further=sandbox.read,
                programs="programs" not in layers,
            ),
        )
        variables = environment(folders.scratch, sandbox.env) if "environment" in layers else None
        return Child(self._limits, folders, rules, variables)

    def _has_served(self, child: Child) -> bool:
        """Whether a fresh child should take its place: whatever leaks in libraries ends with it."""
        child.documents += 1
        return (
            child.documents >= self._options.sandbox.documents
            or child.memory() > _WORN * self._limits.max_memory_bytes
            or child.leaves_programs()
        )

    def _answer(
        self, child: Child, task: ReadTask, report: PagesDone, hearing: Hearing
    ) -> Output | Pictures | DocpipeError:
        """What the child says in the end; raises what it cannot say itself."""
        patience = self._patience(child)
        try:
            child.send(_pickled(replace(task, path=child.folders.put(task.path))), self._limits.max_seconds)
            while True:
                said = child.receive(_POLL_SECONDS)
                if isinstance(said, Output | Pictures):
                    return said
                if isinstance(said, Failed):
                    return said.error()
                if isinstance(said, Page):
                    report(said.page, said.of)
                if isinstance(said, Taken | Block):
                    hearing.hear(said)
                if said is not None:
                    patience = self._patience(child)
                self._check(child, task.name, patience)
        except EOFError:
            raise _death(child, task.name, self._limits) from None
        except RefusedError as error:
            raise _refused(task.name, error) from None

    def _patience(self, child: Child) -> _Patience:
        seconds = self._limits.max_seconds
        child.allow_processor(BUSY_FACTOR * seconds * (os.cpu_count() or 1))
        return _Patience(child, seconds)

    def _check(self, child: Child, name: str, patience: _Patience) -> None:
        if patience.is_over():
            raise _timeout(name, self._limits)
        if child.memory() > self._limits.max_memory_bytes:
            limit = self._limits.max_memory_bytes // 1_000_000
            raise ReadingMemoryError(f"Reading {name} took more than {limit:,} MB of memory.")
        if "limits" in self._options.sandbox.layers and (excess := child.excess()):
            raise ReadingForbiddenError(f"Reading {name} was stopped by the layer limits: {excess}.")


def _told_nobody(_page: int, _pages: int | None) -> None:
    pass


def _pickled(task: ReadTask) -> bytes:
    try:
        return pickle.dumps(task)
    except (pickle.PicklingError, TypeError, AttributeError) as error:
        raise ConfigurationError(
            f"The options cannot be sent to the process that reads documents: {error}."
            " Give engines by name and plain values, or set Options(isolate=False)."
        ) from error


def _refused(name: str, error: RefusedError) -> ReadingForbiddenError:
    return ReadingForbiddenError(f"Reading {name} was stopped: the answer was refused, {error}.")


def _timeout(name: str, limits: Limits) -> ReadingTimeoutError:
    return ReadingTimeoutError(f"Reading {name} made no progress for {limits.max_seconds:g} seconds.")


def _death(child: Child, name: str, limits: Limits) -> DocpipeError:
    code, last_words = child.last_words()
    error: DocpipeError
    if code == -signal.SIGKILL:
        error = WorkerLostError(f"The process that read {name} was killed, perhaps for want of memory.")
    elif code in (-signal.SIGALRM, -signal.SIGXCPU):
        error = _timeout(name, limits)
    elif code is None:
        error = ReadingCrashError(f"Reading {name} broke off: the process that read it no longer answers.")
    elif code < 0:
        error = ReadingCrashError(f"Reading {name} crashed: {signal.strsignal(-code) or -code}.")
    else:
        error = ReadingCrashError(f"Reading {name} ended the process that read it (exit code {code}).")
    if last_words:
        error.add_note(f"The last that the process wrote:\n{last_words}")
    return error
