"""Vectors by all-MiniLM-L6-v2, out of the package `docpipe-embeddings`, on ONNX Runtime."""

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
from tokenizers import Tokenizer

from docpipe.engines.fingerprints import fingerprint
from docpipe.errors import ConfigurationError, MissingExtraError

PACKAGE = "docpipe_embeddings"
REQUIREMENT = "docpipe-embeddings==1.0.0"
SHA256 = "fe74aecbf387e985684f79fb1a1de555d77dbf6027f2e4462ad9f84bbb64e420"
"""`fingerprint()` of the model's folder in the package."""

FORMAT = 1
"""Of the model's folder: encoder.onnx, tokenizer.json, config.json."""

_PIECES = 512
"""The most wordpieces that the model has places for."""


class _Model(NamedTuple):
    session: onnxruntime.InferenceSession
    tokenizer: Tokenizer


class OnnxEncoder:
    """Turns English texts into vectors of length 1; texts that mean alike have a large inner product.

    Every text is read alone, so the same text gives the same vector on the same processor. The model is
    loaded at the first text, once in every process.

    Args:
        model: a folder with a model of your own, of the format that `training/embeddings` writes; None for
            that of the package, whose hash is checked.
        threads: of ONNX Runtime for one text.

    Raises:
        ConfigurationError: there is no such model, or the package's is not the one docpipe pins.
        MissingExtraError: the package is not installed.
    """

    max_characters = 500
    """It was trained on 128 wordpieces, about as many as 500 characters of English have."""

    def __init__(self, model: str | None = None, threads: int = 1) -> None:
        self._folder = Path(model) if model else _packaged()
        config = _config(self._folder)
        self.name = f"docpipe:{config['name']}@{config['version']}"
        self._threads = threads
        self._lock = Lock()
        self._pid = 0
        self._model: _Model | None = None

    def embed(self, texts: Sequence[str]) -> Iterator[list[float]]:
        """The vector of each text, in the order of the texts."""
        model = self._loaded()
        for text in texts:
            pieces = np.array(model.tokenizer.encode(text).ids, np.int64)
            (vector,) = model.session.run(["vector"], {"pieces": pieces})
            yield [float(value) for value in vector]

    def _loaded(self) -> _Model:
        with self._lock:
            if self._model is None or self._pid != os.getpid():
                self._model, self._pid = _load(self._folder, self._threads), os.getpid()
            return self._model


def _packaged() -> Path:
    try:
        folder = Path(str(files(PACKAGE))) / "model"
    except ImportError as error:
        raise MissingExtraError.for_module(PACKAGE, "embed") from error
    if fingerprint(folder) != SHA256:
        raise ConfigurationError(
            f"The model of meaning in {folder} is not the one docpipe was tested with. "
            f"Run: pip install --force-reinstall {REQUIREMENT}"
        )
    return folder


def _config(folder: Path) -> dict[str, Any]:
    try:
        config: dict[str, Any] = json.loads((folder / "config.json").read_text("utf-8"))
        if config["format"] == FORMAT:
            return {key: config[key] for key in ("name", "version")}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(
            f"{folder} does not hold a model of meaning ({error!r}). Name a folder with encoder.onnx,"
            " tokenizer.json and config.json, or unset DOCPIPE_EMBED_MODEL."
        ) from error
    raise ConfigurationError(f"The model of meaning in {folder} is of a format this docpipe does not read.")


def _load(folder: Path, threads: int) -> _Model:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    try:
        session = onnxruntime.InferenceSession(
            str(folder / "encoder.onnx"), options, providers=["CPUExecutionProvider"]
        )
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        tokenizer.enable_truncation(_PIECES)
        tokenizer.no_padding()
    except Exception as error:  # both libraries raise classes of their own, without a base
        raise ConfigurationError(f"The model of meaning in {folder} cannot be loaded: {error}") from error
    return _Model(session, tokenizer)
