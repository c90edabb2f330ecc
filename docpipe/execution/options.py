"""How the built-in stages work, and which pages an attempt reads: plain values, set by the host."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from docpipe.engines import OCR_ENGINES
from docpipe.errors import ConfigurationError
from docpipe.execution.layers import Sandbox
from docpipe.formats.base import Limits
from docpipe.models import PageRange
from docpipe.models.reading import ReadingOptions


@dataclass(frozen=True, slots=True)
class Options:
    """How the built-in stages work. Sizes in characters, resolution in dots per inch."""

    ocr_engine: str = "rapidocr"
    ocr_options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    ocr_dpi: int = 200
    ocr_min_confidence: float = 0.8
    """Pages recognised with less (0..1) are warned about, and read by the second engine if there is one."""
    ocr_second_engine: str | None = None
    ocr_second_options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    ocr_split_pages: int = 50
    """Workers read a document with more pages in ranges; 0: never."""
    ocr_range_pages: int = 10
    ner_engine: str = "docpipe"
    ner_options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """Hidden where options are shown: a key may be among them."""
    ner_models: Mapping[str, str] = field(default_factory=dict)
    """By the code of a language (ISO 639) the spaCy model that reads it, in place of the engine."""
    embed_engine: str | None = None
    """What turns text into vectors, for searches by meaning; None: no vectors are made."""
    embed_options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    gazetteer: str | None = None
    """A CSV file of names the project knows; see docs/how-to/choose-an-entity-engine.md."""
    chunk_max: int = 1500
    chunk_overlap: int = 0
    chunk_unit: Literal["characters", "tokens"] = "characters"
    co_occurrence: bool = False
    """Relate entities that merely share a sentence too, by `CO_OCCURS` with how often they do."""
    limits: Limits = field(default_factory=Limits)
    attachments: Literal["pages", "children"] = "pages"
    """What attachments of mails are: pages of the mail, or documents of their own. Files of an archive and
    mails of a mailbox always are documents of their own, where there is a place for their bytes."""
    isolate: bool = True
    """Read documents in a process of its own; without it a hostile file can take the worker along."""
    sandbox: Sandbox = field(default_factory=Sandbox)
    """What keeps that process inside."""

    def __post_init__(self) -> None:
        if self.sandbox.mode == "require" and not self.isolate:
            raise ConfigurationError(
                "DOCPIPE_SANDBOX=require demands layers around the process that reads, but DOCPIPE_ISOLATE is"
                " false: there is none. Set one of the two otherwise."
            )

    def for_document(self, reading: ReadingOptions) -> Options:
        """These options with what is said about one document.

        Its engine is one of docpipe's, or one of this pipeline's: who submits a document chooses among what
        is installed, and names no module to be imported.

        Raises:
            ConfigurationError: there is no such engine, or it is not told languages.
        """
        engine = self.ocr_engine if reading.engine is None else reading.engine
        options = dict(self._own_engines.get(engine, {}))
        if engine not in self._own_engines and engine not in OCR_ENGINES:
            raise ConfigurationError(
                f"There is no OCR engine {engine!r} here. Choose one of {', '.join(sorted(OCR_ENGINES))},"
                " or name it in the pipeline's options."
            )
        if reading.languages is not None:
            options["languages"] = _joined(engine, reading.languages)
        second = self.ocr_second_engine if engine != self.ocr_second_engine else None
        return replace(
            self,
            ocr_engine=engine,
            ocr_options=options,
            ocr_dpi=reading.dpi or self.ocr_dpi,
            ocr_second_engine=second,
        )

    @property
    def _own_engines(self) -> dict[str, Mapping[str, Any]]:
        own = {self.ocr_engine: self.ocr_options}
        if self.ocr_second_engine is not None:
            own.setdefault(self.ocr_second_engine, self.ocr_second_options)
        return own


def _joined(engine: str, languages: tuple[str, ...]) -> str:
    if engine in OCR_ENGINES and not OCR_ENGINES[engine].languages:
        told = " or ".join(name for name, each in OCR_ENGINES.items() if each.languages)
        raise ConfigurationError(
            f"The OCR engine {engine} has one model for all languages. Leave languages out, or choose"
            f" engine={told!r}."
        )
    return "+".join(languages)


@dataclass(frozen=True, slots=True)
class PageRequest:
    """What an attempt of a stage that reads pages is about."""

    pages: PageRange | None = None
    """Only these; None: all."""
    may_split: bool = False
    """Whether it may answer with `StageOutput.ranges`, for others to read a part each."""
    depth: int = 0
    """How many documents this one was found inside of."""
    apart: bool = False
    """Whether documents inside it are taken out of it."""
