"""Which stages a pipeline has: for each its queue, its words, what it needs and the work it does.

This is the list to read (and to change, for a host with a stage of its own); `canvas` turns it into a
Celery chain, `runner` runs one stage of it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from threading import Lock
from typing import Any, Literal, TypeVar

from docpipe.engines import load_ner, load_ocr
from docpipe.engines.gazetteer import read_gazetteer
from docpipe.errors import ConfigurationError, MissingExtraError
from docpipe.formats.base import Limits
from docpipe.isolation import ReaderProcess
from docpipe.models import Document, PageRange, StageOutput
from docpipe.stages.gazetteer import Gazetteer
from docpipe.stages.ports import NerEngine, OcrEngine
from docpipe.stages.second_opinion import SecondOpinion
from docpipe.status import QUEUES, WORDS, Stage, StageWords, custom_words
from docpipe.stores.port import ALL_PARTS, Part, PlannedStage

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Options:
    """How the built-in stages work. Sizes in characters, resolution in dots per inch."""

    ocr_engine: str = "rapidocr"
    ocr_options: Mapping[str, Any] = field(default_factory=dict)
    ocr_dpi: int = 200
    ocr_min_confidence: float = 0.8
    """Pages recognised with less (0..1) are warned about, and read by the second engine if there is one."""
    ocr_second_engine: str | None = None
    ocr_second_options: Mapping[str, Any] = field(default_factory=dict)
    ocr_split_pages: int = 50
    """Workers read a document with more pages in ranges; 0: never."""
    ocr_range_pages: int = 10
    ner_engine: str = "docpipe"
    ner_options: Mapping[str, Any] = field(default_factory=dict)
    gazetteer: str | None = None
    """A CSV file of names the project knows; see docs/how-to/choose-an-entity-engine.md."""
    chunk_max: int = 1500
    chunk_overlap: int = 0
    chunk_unit: Literal["characters", "tokens"] = "characters"
    co_occurrence: bool = False
    """Relate entities that merely share a sentence too, by `CO_OCCURS` with how often they do."""
    limits: Limits = field(default_factory=Limits)
    isolate: bool = True
    """Read documents in a process of its own; without it a hostile file can take the worker along."""


class Tools:
    """The engines of one process, loaded when a stage first asks for them."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self._loading = Lock()
        self._loaded: dict[str, Any] = {}

    @property
    def reader(self) -> ReaderProcess:
        return self._once("reader", lambda: ReaderProcess(self.options))

    @property
    def ocr(self) -> OcrEngine:
        return self._once("ocr", self._load_ocr)

    @property
    def ner(self) -> NerEngine:
        return self._once("ner", lambda: load_ner(self.options.ner_engine, **self.options.ner_options))

    def _load_ocr(self) -> OcrEngine:
        options = self.options
        first = load_ocr(options.ocr_engine, **options.ocr_options)
        if options.ocr_second_engine is None:
            return first
        second = load_ocr(options.ocr_second_engine, **options.ocr_second_options)
        return SecondOpinion(first, second, min_confidence=options.ocr_min_confidence)

    @property
    def gazetteer(self) -> Gazetteer | None:
        path = self.options.gazetteer
        return self._once("gazetteer", lambda: read_gazetteer(Path(path))) if path else None

    def _once(self, name: str, load: Callable[[], T]) -> T:
        """What was loaded, also where several threads ask at the same moment: models are large."""
        with self._loading:
            if name not in self._loaded:
                self._loaded[name] = load()
            tool: T = self._loaded[name]
            return tool


@dataclass(frozen=True, slots=True)
class Wish:
    """Which pages an attempt of a stage that reads pages is about."""

    pages: PageRange | None = None
    """Only these; None: all."""
    may_split: bool = False
    """Whether it may answer with `StageOutput.ranges`, for others to read a part each."""


@dataclass(frozen=True, slots=True)
class Job:
    """What one attempt of a stage is given."""

    document: Document
    tools: Tools
    fetch: Callable[[], AbstractContextManager[Path]]
    """Opens the document's bytes as a file, for the time of the `with` block."""
    report: Callable[[int], None]
    """Tell how many units (pages) are done; raises when the attempt should stop."""
    wish: Wish = Wish()


Work = Callable[[Job], StageOutput]


@dataclass(frozen=True, slots=True)
class StageSpec:
    """One stage of a pipeline.

    `work` is the function, or where it stands (`module:name`) when importing it costs much: a process
    that only submits never loads it.
    """

    name: str
    queue: str
    words: StageWords
    needs: frozenset[Part]
    work: Work | str

    @property
    def task_name(self) -> str:
        return f"docpipe.{self.name}"

    @property
    def planned(self) -> PlannedStage:
        return PlannedStage(self.name, self.queue, self.words)

    def load(self) -> Work:
        """The function that does the work. Raises `MissingExtraError` when its libraries are missing."""
        if not isinstance(self.work, str):
            return self.work
        module, _, name = self.work.partition(":")
        try:
            work: Work = getattr(import_module(module), name)
        except ModuleNotFoundError as error:
            raise MissingExtraError.for_module(error.name or module, "worker") from error
        return work


def _built_in(stage: Stage, *needs: Part) -> StageSpec:
    return StageSpec(stage.value, QUEUES[stage], WORDS[stage], frozenset(needs), f"docpipe.work:{stage}")


OCR = _built_in(Stage.OCR)
CHUNK = _built_in(Stage.CHUNK, Part.TEXT, Part.PAGES)
ENTITIES = _built_in(Stage.ENTITIES, Part.TEXT, Part.PAGES, Part.CHUNKS)
GRAPH = _built_in(Stage.GRAPH, Part.TEXT, Part.PAGES, Part.CHUNKS, Part.MENTIONS)

BUILT_IN: tuple[StageSpec, ...] = (OCR, CHUNK, ENTITIES, GRAPH)


def own_stage(
    name: str,
    function: Callable[[Document], Mapping[str, Any] | None],
    *,
    queue: str | None = None,
    needs: Collection[Part] = ALL_PARTS,
) -> StageSpec:
    """A host's own stage, to be put among the built-in ones: `Pipeline(app, stages=(OCR, …))`.

    Args:
        name: lower-case word; it names the task (`docpipe.<name>`) and the statuses (`<name>_queued`,
            `<name>_processing`, `<name>_complete`, `error_<name>`).
        function: is given the document as it stands, and returns a JSON object (or None), which is kept
            in `Document.extras[name]`. Raise a `docpipe.errors` class to fail: `TransientError` is tried
            again, `PermanentError` is not.
        queue: its Celery queue; the stage's name if not given.
        needs: which parts of the document to load for it.

    Raises:
        ConfigurationError: the name is a built-in stage's, not a lower-case word, or too long.
    """
    if (
        not name.isidentifier()
        or name != name.lower()
        or name in {*Stage, "pages", "on_error", "reap", "canary"}
    ):
        raise ConfigurationError(f"{name!r} cannot name a stage: use a lower-case word of your own.")

    def work(job: Job) -> StageOutput:
        return StageOutput(extra=dict(function(job.document) or {}))

    try:
        words = custom_words(name)
    except ValueError as error:
        raise ConfigurationError(str(error)) from None
    if any(words.queued == built_in.queued for built_in in WORDS.values()):
        raise ConfigurationError(
            f"{name!r} cannot name a stage: its status words would be those of a built-in stage."
        )
    return StageSpec(name, queue or name, words, frozenset(needs), work)


def checked(stages: Sequence[StageSpec]) -> tuple[StageSpec, ...]:
    """The stages, if they make a pipeline. Raises `ConfigurationError` saying why not."""
    names = [stage.name for stage in stages]
    if len(set(names)) != len(names):
        raise ConfigurationError(f"Each stage may stand once in a pipeline, not: {', '.join(names)}.")
    order = [name for name in names if name in set(Stage)]
    if order != [*Stage][: len(order)] or names[:1] != [Stage.OCR]:
        raise ConfigurationError(
            f"A pipeline starts with ocr and keeps the order {', '.join(Stage)}; not: {', '.join(names)}."
        )
    return tuple(stages)
