"""What engines have in common whose models look for labels given in words: GLiNER and its kin."""

from __future__ import annotations

import os
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

from docpipe.engines.ports import Span
from docpipe.errors import ConfigurationError

LABELS = {"person": "PERSON", "organization": "ORG", "location": "LOCATION"}
"""What the model is asked for, and the label its answer gets; patterns find dates and amounts."""

_WORD = re.compile(r"\w++(?:-\w++)*+|\S")
"""What these models count as a word."""

_SENTENCE_ENDS = ".!?;"


class Found(NamedTuple):
    """One finding of a model in its text, in characters; `label` is one of those it was asked for."""

    start: int
    end: int
    label: str
    score: float


class ZeroShotEngine(ABC):
    """Finds the labels it is given in words, each text in pieces that the model reads to their end.

    The model is loaded at the first text, once in every process.

    Args:
        model: a folder with the model, or its name on the model hub, from where it is then fetched.
        labels: what to look for, to the label it gets.
        threshold: findings with a lower score, 0..1, do not count.
        max_words: most words, punctuation counted too, that the model gets at once; it would leave out
            what lies beyond its own limit (384 for most) in silence.
        batch_size: pieces given to the model at once.
    """

    library: str

    def __init__(
        self,
        model: str | None = None,
        labels: Mapping[str, str] = LABELS,
        threshold: float = 0.5,
        max_words: int = 200,
        batch_size: int = 8,
    ) -> None:
        if not model or not labels:
            raise ConfigurationError(
                f"The {self.library} engine needs a model and labels. Set DOCPIPE_NER_MODEL to a folder with"
                " the weights, or to their name on the model hub."
            )
        self.name = f"{self.library}:{Path(model).name}"
        self._source = model
        self._labels = dict(labels)
        self.threshold = threshold
        self._max_words = max_words
        self._batch_size = batch_size
        self._lock = Lock()
        self._pid = 0
        self._model: Any = None

    def find(self, texts: Sequence[str]) -> Iterator[list[Span]]:
        """The spans of each text, in the order of the texts.

        Raises:
            ConfigurationError: the model cannot be loaded.
        """
        model = self._loaded()
        for text in texts:
            yield list(self._spans(model, text))

    @abstractmethod
    def load(self, model: str) -> Any:
        """The model. Raises `OSError`, `ValueError` or `RuntimeError` where it cannot be loaded."""

    @abstractmethod
    def predict(self, model: Any, texts: list[str], labels: list[str]) -> list[list[Found]]:
        """What the model finds in each text; none of them is blank."""

    def _loaded(self) -> Any:
        with self._lock:
            if self._model is None or self._pid != os.getpid():
                try:
                    self._model, self._pid = self.load(self._source), os.getpid()
                except (OSError, ValueError, RuntimeError) as error:
                    raise ConfigurationError(
                        f"The {self.library} model {self._source!r} cannot be loaded: {error}"
                    ) from error
            return self._model

    def _spans(self, model: Any, text: str) -> Iterator[Span]:
        rest = pieces(text, self._max_words)
        while batch := list(islice(rest, self._batch_size)):
            parts = [text[start:end] for start, end in batch]
            answers = self.predict(model, parts, list(self._labels))
            for (offset, _), answer in zip(batch, answers, strict=True):
                for one in answer:
                    if one.score >= self.threshold:
                        label = self._labels[one.label]
                        yield Span(offset + one.start, offset + one.end, label, min(1.0, one.score))


def pieces(text: str, most: int) -> Iterator[tuple[int, int]]:
    """Cut `text` into pieces of at most `most` words that hold them all, where it can after a sentence."""
    words = [match.span() for match in _WORD.finditer(text)]
    first = 0
    while first < len(words):
        last = min(first + most, len(words))
        if last < len(words):
            ends = (i + 1 for i in range(last - 1, first + most // 2, -1) if _ends_sentence(text, words[i]))
            last = next(ends, last)
        yield words[first][0], words[last - 1][1]
        first = last


def _ends_sentence(text: str, word: tuple[int, int]) -> bool:
    return text[word[0]] in _SENTENCE_ENDS and text[word[1] : word[1] + 1].isspace()
