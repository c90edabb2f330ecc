"""The tools: one file per OCR, NER or embedding technology, loaded by name when a stage first needs one."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from docpipe.errors import ConfigurationError, MissingExtraError

if TYPE_CHECKING:
    from docpipe.engines.ports import EmbedEngine, NerEngine, OcrEngine


class _Entry(NamedTuple):
    module: str
    attribute: str
    extra: str
    programs: bool = False
    """Whether it starts other programs, and the sandbox must let it."""
    languages: bool = False
    """Whether it is told languages: the option `languages`, joined by `+`."""


OCR_ENGINES = {
    "rapidocr": _Entry("docpipe.engines.ocr.rapidocr", "RapidOcrEngine", "ocr"),
    "rapidocr-onnxruntime": _Entry(
        "docpipe.engines.ocr.rapidocr_onnxruntime", "RapidOcrOnnxRuntimeEngine", "ocr-legacy"
    ),
    "tesseract": _Entry(
        "docpipe.engines.ocr.tesseract", "TesseractEngine", "ocr", programs=True, languages=True
    ),
}
NER_ENGINES = {
    "spacy": _Entry("docpipe.engines.ner.spacy", "SpacyEngine", "spacy"),
    "docpipe": _Entry("docpipe.engines.ner.onnx_tagger", "OnnxTagger", "ner"),
    "openai": _Entry("docpipe.engines.ner.openai", "OpenAiEngine", "llm"),
    "gliner": _Entry("docpipe.engines.ner.gliner", "GlinerEngine", "gliner"),
    "fast-gliner": _Entry("docpipe.engines.ner.fast_gliner", "FastGlinerEngine", "fast-gliner"),
}
EMBED_ENGINES = {
    "docpipe": _Entry("docpipe.engines.embed.onnx_encoder", "OnnxEncoder", "embed"),
    "openai": _Entry("docpipe.engines.embed.openai", "OpenAiEncoder", "llm"),
}


def load_ocr(name: str = "rapidocr", **options: Any) -> OcrEngine:
    """Make the OCR engine called `name`, or the one at `package.module:attribute`.

    `options` go to the engine's constructor. Raises `ConfigurationError` for an unknown name or
    option and `MissingExtraError` when the engine's library is not installed.
    """
    return cast("OcrEngine", _load("OCR", OCR_ENGINES, name, options))


def check_ocr(name: str) -> None:
    """Raises `ConfigurationError` for a name that no OCR engine has; imports nothing."""
    if name not in OCR_ENGINES:
        _place("OCR", OCR_ENGINES, name)


def load_ner(name: str = "docpipe", **options: Any) -> NerEngine:
    """Make the NER engine called `name`; otherwise as `load_ocr`."""
    return cast("NerEngine", _load("NER", NER_ENGINES, name, options))


def load_embed(name: str = "docpipe", **options: Any) -> EmbedEngine:
    """Make the embedding engine called `name`; otherwise as `load_ocr`."""
    return cast("EmbedEngine", _load("embedding", EMBED_ENGINES, name, options))


def _load(kind: str, table: dict[str, _Entry], name: str, options: dict[str, Any]) -> object:
    entry = table.get(name)
    factory = _built_in(entry) if entry else _third_party(kind, table, name)
    try:
        return factory(**options)
    except TypeError as error:
        raise ConfigurationError(f"{kind} engine {name!r} does not accept these options: {error}.") from error


def _built_in(entry: _Entry) -> Callable[..., object]:
    try:
        module = importlib.import_module(entry.module)
    except ImportError as error:
        raise MissingExtraError.for_module(error.name or entry.module, entry.extra) from error
    return _attribute(module, entry.attribute)


def _place(kind: str, table: dict[str, _Entry], name: str) -> tuple[str, str]:
    module_name, colon, attribute = name.partition(":")
    if not (module_name and colon and attribute):
        known = ", ".join(sorted(table))
        raise ConfigurationError(
            f"There is no {kind} engine {name!r}. Choose one of {known}, or package.module:attribute."
        )
    return module_name, attribute


def _third_party(kind: str, table: dict[str, _Entry], name: str) -> Callable[..., object]:
    module_name, attribute = _place(kind, table, name)
    importlib.import_module("docpipe.engines.no_telemetry")
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise ConfigurationError(f"{kind} engine {name!r} cannot be imported: {error}.") from error
    return _attribute(module, attribute)


def _attribute(module: ModuleType, attribute: str) -> Callable[..., object]:
    found = getattr(module, attribute, None)
    if not callable(found):
        raise ConfigurationError(f"{module.__name__} has no class or function {attribute!r}.")
    return cast("Callable[..., object]", found)
