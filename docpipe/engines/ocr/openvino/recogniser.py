"""PP-OCR's recogniser, its last layer taken apart.

The last layer scores 18,710 letters at each step of a line, nearly all of them Chinese, and takes three
tenths of the time. Here the common letters are scored at every step, and all of them only where none
of the common ones is sure: at one step in fifty of English and French scans. What is read is the same.

Where there are layers in 8 bits too (`eight_bits.py`), these read each line first. A line in which they are
not sure of every letter, or find one that is not common, is read again by the layers in floats.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from openvino import Model, Node, Type  # type: ignore[import-untyped]
from openvino import opset13 as ops

from docpipe.engines.ocr import ctc
from docpipe.engines.ocr.detect_and_read import Pixels
from docpipe.engines.ocr.openvino.runtime import compiled, infer, taking_pictures
from docpipe.errors import ConfigurationError

Scores = NDArray[np.float32]
"""Of letters at steps, before the softmax: steps x letters. The first is the blank, the last the space."""

_COMMON = frozenset(
    chain(
        range(0x250), range(0x370, 0x400), range(0x2010, 0x2070), range(0x20A0, 0x20D0), range(0x2100, 0x2150)
    )
)
"""Code points of Latin and Greek letters, of their punctuation, of currencies and letter-like signs."""
_SURE = 18.0
"""A common letter or blank with this score is the likeliest of all. Measured on Chinese, Japanese and mixed
lines: where another letter is the likeliest, the best common score is 15 at most (but at one step of 1,568).
In 1,220 lines of scans no other letter was the likeliest at any of 126,000 steps with such a score."""
_CLEAR = 2.0
"""By how much the score of a letter read in 8 bits must lie above all others, at one of its steps. Measured
on lines of scans: docs/measurements.md, "Lines in 8 bits"."""
_ROWS = 16
"""All letters are scored at so many steps at a time, or a multiple: every number of rows is prepared anew."""


class Recogniser:
    """Reads lines.

    Args:
        model: PP-OCR's recogniser as RapidOCR has it, with its letters in its metadata.
        threads: on the CPU.
        eight_bits: the same without its last layer, in 8 bits.

    Raises:
        ConfigurationError: the model ends in another kind of layer.
    """

    def __init__(self, model: Model, threads: int, eight_bits: Model | None = None) -> None:
        self._letters = ["", *model.get_rt_info(["framework", "character"]).value.splitlines(), " "]
        common = [place for place, letter in enumerate(self._letters) if _is_common(letter)]
        self._common_letters = [self._letters[place] for place in common]
        self._others = np.setdiff1d(np.arange(len(self._letters)), common)
        layer = last_layer(model)
        features = ops.parameter([-1, len(layer.weights)], Type.f32)
        self._all = compiled(Model([layer.of(features)], [features]), threads)
        self._floats = _scoring(model, layer.features, layer, common, threads)
        self._eight_bits = eight_bits and _scoring(
            eight_bits, eight_bits.output(0).get_node().input_value(0), layer, common, threads
        )

    def read(self, line: Pixels) -> ctc.Line:
        """One line, 48 pixels high."""
        if self._eight_bits is not None:
            scores, features = _seen(self._eight_bits, line)
            if is_clear(scores) and (rest := self._rest(scores, features)) is not None:
                return _line(scores, self._common_letters, rest)
        scores, features = _seen(self._floats, line)
        rest = self._rest(scores, features)
        if rest is None:
            return _line(self._scores_of_all(features), self._letters)
        return _line(scores, self._common_letters, rest)

    def _rest(self, scores: Scores, features: Scores) -> Scores | None:
        """What the letters that are not common add to each step's softmax, where the best common one counts
        as 1; None where one of them is the likeliest."""
        best = scores.max(axis=1)
        unsure = np.flatnonzero(best < _SURE)
        above = self._scores_of_all(features[unsure])[:, self._others] - best[unsure, np.newaxis]
        if (above > 0).any():
            return None
        rest: Scores = np.zeros_like(best)
        rest[unsure] = np.exp(above).sum(axis=1)
        return rest

    def _scores_of_all(self, features: Scores) -> Scores:
        """Of all letters, from the features of some steps."""
        steps = len(features)
        if not steps:
            return np.empty((0, len(self._letters)), np.float32)
        filled = np.pad(features, ((0, -steps % _ROWS), (0, 0)))
        scores: Scores = infer(self._all, filled)[0][:steps]
        return scores


class _LastLayer(NamedTuple):
    """What makes of a step's features one score a letter."""

    features: Any
    """The model's output before it: 1 x steps x features."""
    weights: NDArray[np.float32]
    """Features x letters."""
    bias: NDArray[np.float32]

    def of(self, features: Any, letters: Sequence[int] | slice = slice(None)) -> Any:
        """The output of such a layer for some letters, over other features."""
        product = ops.matmul(features, ops.constant(self.weights[:, letters]), False, False)
        return ops.add(product, ops.constant(self.bias[letters])).output(0)


def _scoring(model: Model, features: Any, layer: _LastLayer, letters: Sequence[int], threads: int) -> Any:
    """The model, ready to make of a line the scores of the letters, and the features."""
    outputs = [layer.of(features, letters), features]
    return compiled(taking_pictures(Model(outputs, model.get_parameters())), threads)


def _seen(scoring: Any, line: Pixels) -> tuple[Scores, Scores]:
    scores, features = (output[0] for output in infer(scoring, line[np.newaxis]))
    return scores, features


def is_clear(scores: Scores) -> bool:
    """Whether each letter is by far the likeliest at one step at least.

    So must be the blank between two equal letters, without which they would be one. Others may be thin.
    """
    best = scores.argmax(axis=1)
    begins = np.flatnonzero(np.diff(best, prepend=-1))
    margins = np.maximum.reduceat(_leads(scores, best), begins)
    read = best[begins]
    beside = np.pad(read, 1)
    decides = (read != ctc.BLANK) | (beside[:-2] == beside[2:])
    return bool((margins[decides] >= _CLEAR).all())


def _leads(scores: Scores, best: NDArray[np.intp]) -> NDArray[np.float32]:
    """By how much the best score of each step lies above all others."""
    steps = np.arange(len(best))
    others = scores.copy()
    others[steps, best] = -np.inf
    leads: NDArray[np.float32] = scores[steps, best] - others.max(axis=1)
    return leads


def last_layer(model: Model) -> _LastLayer:
    """The one before the softmax."""
    found = [model.get_results()[0]]
    for kind in ("Softmax", "Add", "MatMul"):
        found.append(_source(found[-1], 0))
        if found[-1].get_type_name() != kind:
            raise ConfigurationError(
                "RapidOCR's recogniser is of an unexpected kind. Install an earlier version."
            )
    *_, added, product = found
    weights, bias = _source(product, 1).data, _source(added, 1).data
    return _LastLayer(product.input_value(0), weights.astype(np.float32), bias.astype(np.float32).reshape(-1))


def _source(node: Node, place: int) -> Node:
    """What an input of the node comes from."""
    source = node.input_value(place).get_node()
    return _source(source, 0) if source.get_type_name() in ("Identity", "Convert") else source


def _is_common(letter: str) -> bool:
    return not letter or ord(letter[0]) in _COMMON


def _line(scores: Scores, letters: Sequence[str], rest: NDArray[np.float32] | None = None) -> ctc.Line:
    """The line; `rest` is what a step's softmax adds up beside `scores`,
    where the highest score counts as 1."""
    best = scores.argmax(axis=1)
    begins = ctc.letters(best)
    if not begins.any():
        return ctc.Line("", 0.0)
    space = scores[:, -1] - scores[np.arange(len(best)), best]
    seen = scores[begins]
    total = np.exp(seen - seen.max(axis=1, keepdims=True)).sum(axis=1)
    if rest is not None:
        total += rest[begins]
    return ctc.line(best, space, letters[1:], float(np.mean(1.0 / total))).within(len(best))
