"""How documents come in: their rows are written first, then their messages are published."""

from __future__ import annotations

import json
import re
import uuid
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal
from itertools import islice
from os import PathLike
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, TypedDict

from docpipe.errors import ConfigurationError, DocpipeError, TransientError
from docpipe.execution.logs import get_logger
from docpipe.execution.options import Options
from docpipe.execution.trace_context import current
from docpipe.models.reading import AS_OTHERS, HIGHEST_DPI, LOWEST_DPI, ReadingOptions
from docpipe.models.status import PENDING
from docpipe.pipeline.submission import Submission
from docpipe.sources import SourceLike, Sources, TakenIn
from docpipe.stores.ids import may_be_stored
from docpipe.stores.port import Store
from docpipe.stores.values import PRIORITIES, NewDocument, PlannedStage, Registered

if TYPE_CHECKING:
    from docpipe.delivery.dispatch import Dispatch

log = get_logger(__name__)

LONGEST_KEY = 255
AT_ONCE = 500
"""Documents that are registered by one call of the store."""
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
"""U+0000 as JSON writes it."""


class SubmitArguments(TypedDict, total=False):
    """What `Pipeline.submit` is told about a document, by name."""

    name: str | PathLike[str] | None
    project_id: str | uuid.UUID | None
    metadata: Mapping[str, Any] | None
    priority: int | None
    reprocess: bool
    dpi: int | None
    languages: Sequence[str] | None
    engine: str | None
    idempotency_key: str | None


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds for the documents of one submit.

    Raises:
        ConfigurationError: one of the values is wrong.
    """

    project_id: str | uuid.UUID | None = None
    metadata: Mapping[str, Any] | None = None
    priority: int = 0
    reprocess: bool = False
    batch: str | None = None
    reading: ReadingOptions = AS_OTHERS
    idempotency_key: str | None = None

    def __post_init__(self) -> None:
        if isinstance(self.project_id, uuid.UUID):
            object.__setattr__(self, "project_id", str(self.project_id))
        if not isinstance(self.priority, int) or self.priority not in PRIORITIES:
            raise ConfigurationError(f"priority is {self.priority}; it must be 0 (first) to 9 (last).")
        texts = {"project_id": self.project_id, "batch": self.batch, "idempotency_key": self.idempotency_key}
        for name, value in texts.items():
            if not isinstance(value, str | None):
                raise ConfigurationError(f"{name} is a {type(value).__name__}; it must be a string.")
            if not may_be_stored(value or ""):
                raise ConfigurationError(f"{name}={value!a} holds NUL or an unpaired surrogate.")
        if self.batch == "":
            raise ConfigurationError("A batch needs a name.")
        if self.idempotency_key is not None and not 0 < len(self.idempotency_key) <= LONGEST_KEY:
            raise ConfigurationError(f"An idempotency_key has 1 to {LONGEST_KEY} characters.")
        object.__setattr__(self, "metadata", _as_json(self.metadata))

    @property
    def project(self) -> str | None:
        """The project's id as the store has it."""
        return None if self.project_id is None else str(self.project_id)


def _as_json(metadata: Mapping[str, Any] | None) -> dict[str, Any]:
    """As every store gives it back: dates, UUIDs and paths as their text, tuples as lists.

    Raises:
        ConfigurationError: it is no JSON object, or holds what a store refuses.
    """
    if not isinstance(metadata, Mapping | None):
        raise ConfigurationError(f"metadata must be a JSON object, and is a {type(metadata).__name__}.")
    try:
        told = json.dumps(dict(metadata or {}), ensure_ascii=False, allow_nan=False, default=_text_of)
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigurationError(f"metadata must be a JSON object: {error}.") from None
    if not may_be_stored(told) or _NUL.search(told):
        raise ConfigurationError("metadata holds NUL or an unpaired surrogate, which no store accepts.")
    found: dict[str, Any] = json.loads(told)
    return found


def _text_of(value: object) -> str:
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, uuid.UUID | Decimal | PurePath):
        return str(value)
    raise TypeError(f"a {type(value).__name__} is no JSON")


_LANGUAGE = re.compile(r"[A-Za-z]\w{1,31}(?:/[A-Za-z]\w{1,31})?", re.ASCII)


def reading_options(
    options: Options, dpi: int | None, languages: Sequence[str] | None, engine: str | None
) -> ReadingOptions:
    """What a submit says about reading its documents.

    Raises:
        ConfigurationError: one of the values is wrong, or not what the engine of these options can be told.
    """
    if dpi is not None and (not isinstance(dpi, int) or not LOWEST_DPI <= dpi <= HIGHEST_DPI):
        raise ConfigurationError(f"dpi is {dpi!r}; it must be {LOWEST_DPI} to {HIGHEST_DPI}.")
    if not isinstance(engine, str | None):
        raise ConfigurationError(f"engine is a {type(engine).__name__}; it must be an OCR engine's name.")
    reading = ReadingOptions(dpi, None if languages is None else _languages(languages), engine)
    options.for_document(reading)
    return reading


def _languages(languages: Sequence[str]) -> tuple[str, ...]:
    if isinstance(languages, str | bytes) or not isinstance(languages, Sequence) or not languages:
        raise ConfigurationError(f"languages is {languages!r}; it must be a list of names: ['eng', 'deu'].")
    for each in languages:
        if not isinstance(each, str) or not _LANGUAGE.fullmatch(each):
            raise ConfigurationError(f"languages names {each!r}; a language is named as in ['eng', 'deu'].")
    return tuple(languages)


class Asked(Iterator[Submission | DocpipeError]):
    """The results of a batch, which is submitted as they are asked for; who asks for none is warned."""

    def __init__(self, results: Iterator[Submission | DocpipeError]) -> None:
        self._results, self._begun = results, False

    def __next__(self) -> Submission | DocpipeError:
        self._begun = True
        return next(self._results)

    def __del__(self) -> None:
        if not self._begun:
            told = (
                "submit_many() submitted nothing: nobody asked for its results. Write list(submit_many(…))."
            )
            warnings.warn(told, RuntimeWarning, stacklevel=2)


@dataclass(frozen=True, slots=True)
class Submitter:
    """What `Pipeline.submit` and `submit_many` do; they say what each promises."""

    store: Store
    sources: Sources
    stages: Sequence[PlannedStage]

    def register(self, taken: TakenIn, terms: Terms) -> Registered:
        registered = self.store.register(self._document(taken, terms))
        _say(registered, taken)
        return registered

    def submit(self, taken: TakenIn, terms: Terms, dispatch: Dispatch) -> Submission:
        """Registered and queued by one call of the store: of equal submits at once, one sends the message."""
        (sent,) = self._send([taken], terms, dispatch)
        if isinstance(sent, DocpipeError):
            raise sent
        return sent

    def submit_many(
        self,
        sources: Iterable[SourceLike],
        name: str | PathLike[str] | None,
        terms: Terms,
        dispatch: Dispatch,
    ) -> Iterator[Submission | DocpipeError]:
        left = iter(sources)
        while some := list(islice(left, AT_ONCE)):
            taken = [self._taken(source, name) for source in some]
            good = [each for each in taken if not isinstance(each, DocpipeError)]
            sent = iter(self._send(good, terms, dispatch))
            yield from (each if isinstance(each, DocpipeError) else next(sent) for each in taken)

    def _taken(self, source: SourceLike, name: str | PathLike[str] | None) -> TakenIn | DocpipeError:
        try:
            return self.sources.take_in(source, name)
        except DocpipeError as error:
            return error

    def _send(
        self, taken: Sequence[TakenIn], terms: Terms, dispatch: Dispatch
    ) -> list[Submission | DocpipeError]:
        task_ids = [str(uuid.uuid4()) for _ in taken]
        try:
            found = self.store.register_many([self._document(each, terms) for each in taken], task_ids)
        except DocpipeError as error:
            if isinstance(error, TransientError) or len(taken) == 1:
                return [error] * len(taken)
            # one of them is refused: find out which
            return [sent for each in taken for sent in self._send([each], terms, dispatch)]
        for registered, each in zip(found, taken, strict=True):
            _say(registered, each)
        due = [(each.ref, str(each.task_id)) for each in found if each.queued]
        task_ids_of = dict(zip([ref for ref, _ in due], dispatch.begin_all(due, terms.priority), strict=True))
        if any(each.status == PENDING and not each.queued for each in found):  # they wait for their share
            task_ids_of |= dispatch.admit()
        return [
            Submission(
                each.ref.document_uuid, task_ids_of.get(each.ref, each.task_id), each.created, self.store
            )
            for each in found
        ]

    def _document(self, taken: TakenIn, terms: Terms) -> NewDocument:
        return NewDocument(
            document_uuid=str(uuid.uuid4()),
            project_id=terms.project,
            name=taken.name,
            uri=taken.uri,
            digest=taken.digest,
            size=taken.size,
            copied=taken.copied,
            metadata=dict(terms.metadata or {}),
            stages=self.stages,
            priority=terms.priority,
            reprocess=terms.reprocess,
            batch=terms.batch,
            trace_parent=None if (span := current()) is None else str(span),
            reading=terms.reading,
            idempotency_key=terms.idempotency_key,
        )


def _say(registered: Registered, taken: TakenIn) -> None:
    log.info(
        "document_registered",
        document=registered.ref.document_uuid,
        run=registered.ref.run,
        new=registered.created,  # `created` and `name` are attributes of every log record
        source=taken.name,
    )
