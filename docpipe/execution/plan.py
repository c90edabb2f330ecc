"""Which stages a pipeline has: for each its queue, its statuses, what it needs and the work it does.

This is the list to read (and to change, for a host with a stage of its own); `delivery.canvas` turns it
into a Celery chain, `runner` runs one stage of it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from docpipe.errors import ConfigurationError, MissingExtraError
from docpipe.execution.job import Job, Work
from docpipe.models import Document, StageOutput
from docpipe.models.status import QUEUES, WORDS, Stage, StageWords, custom_words
from docpipe.stores.values import ALL_PARTS, Part, PlannedStage


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
    return StageSpec(
        stage.value, QUEUES[stage], WORDS[stage], frozenset(needs), f"docpipe.execution.work:{stage}"
    )


OCR = _built_in(Stage.OCR)
CHUNK = _built_in(Stage.CHUNK, Part.TEXT, Part.PAGES)
ENTITIES = _built_in(Stage.ENTITIES, Part.TEXT, Part.PAGES, Part.CHUNKS)
GRAPH = _built_in(Stage.GRAPH, Part.TEXT, Part.PAGES, Part.CHUNKS, Part.MENTIONS)

BUILT_IN: tuple[StageSpec, ...] = (OCR, CHUNK, ENTITIES, GRAPH)

EMBED = StageSpec(
    "embed",
    QUEUES[Stage.CHUNK],
    custom_words("embed"),
    frozenset({Part.PAGES, Part.CHUNKS}),
    "docpipe.execution.work:embed",
)
"""Optional: vectors of the chunks, for searches by meaning. Its messages wait in the queue of `CHUNK`, which
the workers that are there serve."""
WITH_EMBED: tuple[StageSpec, ...] = (*BUILT_IN, EMBED)
"""It stands last: results of documents that were read before it was set need nothing but this stage, and an
engine that is away keeps no document from its graph."""


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
            in `Document.extras[name]`. Raise a `docpipe.errors` class to fail: `TransientError` is
            retried, `PermanentError` is not.
        queue: its Celery queue; the stage's name if not given.
        needs: which parts of the document to load for it.

    Raises:
        ConfigurationError: the name is a built-in stage's, not a lower-case word, or too long.
    """
    if (
        not name.isidentifier()
        or name != name.lower()
        or name in {*Stage, EMBED.name, "pages", "on_error", "reap", "canary"}
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
            f"{name!r} cannot name a stage: its statuses would be those of a built-in stage."
        )
    return StageSpec(name, queue or name, words, frozenset(needs), work)


def checked(stages: Sequence[StageSpec]) -> tuple[StageSpec, ...]:
    """The stages, if they make a pipeline. Raises `ConfigurationError` saying why not."""
    names = [stage.name for stage in stages]
    if len(set(names)) != len(names):
        raise ConfigurationError(f"Each stage may stand once in a pipeline, not: {', '.join(names)}.")
    if EMBED.name in names and CHUNK.name not in names[: names.index(EMBED.name)]:
        raise ConfigurationError(
            f"The stage embed reads chunks: it stands after chunk, not: {', '.join(names)}."
        )
    order = [name for name in names if name in set(Stage)]
    if order != [*Stage][: len(order)] or names[:1] != [Stage.OCR]:
        raise ConfigurationError(
            f"A pipeline starts with ocr and keeps the order {', '.join(Stage)}; not: {', '.join(names)}."
        )
    return tuple(stages)
