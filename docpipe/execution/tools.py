"""The engines of one process, built from the options."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

from docpipe.engines import check_ocr, load_embed, load_ner, load_ocr
from docpipe.engines.ports import EmbedEngine, NerEngine, OcrEngine, WhenNeeded
from docpipe.errors import ConfigurationError
from docpipe.execution.gazetteer_file import read_gazetteer
from docpipe.execution.options import Options
from docpipe.stages.entities.gazetteer import Gazetteer
from docpipe.stages.ocr.second_opinion import SecondOpinion

T = TypeVar("T")


def engines_that_read(options: Options) -> dict[str, dict[str, object]]:
    """The OCR engines by name, the first one first, and their options."""
    engines = {options.ocr_engine: dict(options.ocr_options)}
    if options.ocr_second_engine is not None:
        engines[options.ocr_second_engine] = dict(options.ocr_second_options)
    return engines


class Tools:
    """The engines of one process, loaded when a stage first asks for them."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self._loading = Lock()
        self._loaded: dict[str, Any] = {}

    def with_options(self, options: Options) -> Tools:
        """Those of other options; an OCR engine that is the same stays loaded once. Only for reading."""
        if options == self.options:
            return self
        others = Tools(options)
        others._loading, others._loaded = self._loading, self._loaded
        return others

    @property
    def ocr(self) -> OcrEngine:
        return self._once(f"ocr {engines_that_read(self.options)}", self._load_ocr)

    @property
    def ocr_when_needed(self) -> WhenNeeded:
        """Raises `ConfigurationError` at once for an engine that does not exist."""
        check_ocr(self.options.ocr_engine)
        if self.options.ocr_second_engine is not None:
            check_ocr(self.options.ocr_second_engine)
        return WhenNeeded(lambda: self.ocr)

    @property
    def ner(self) -> NerEngine:
        return self._once("ner", lambda: load_ner(self.options.ner_engine, **self.options.ner_options))

    @property
    def embed(self) -> EmbedEngine:
        """Raises `ConfigurationError` where none is set."""
        engine = self.options.embed_engine
        if engine is None:
            raise ConfigurationError(
                "No engine is set that turns text into vectors. Set DOCPIPE_EMBED_ENGINE=docpipe, or"
                ' Options(embed_engine="docpipe").'
            )
        return self._once("embed", lambda: load_embed(engine, **self.options.embed_options))

    @property
    def ner_by_language(self) -> dict[str, Callable[[], NerEngine]]:
        """What makes the engine of each language that has a model of its own, the same one every time."""
        return {language: partial(self._model, model) for language, model in self.options.ner_models.items()}

    def _model(self, model: str) -> NerEngine:
        return self._once(f"ner {model}", lambda: load_ner("spacy", model=model))

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
