"""A GLiNER model of a few words, in ONNX format: it knows names by a table, one label each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import DTypeLike
from onnx import TensorProto, ValueInfoProto, helper, numpy_helper

_SPECIAL = ("[UNK]", "[CLS]", "[SEP]", "[PAD]", "<<ENT>>", "<<SEP>>")
_LOGIT = 5.0
"""Of a name for its label; score 0.993."""


def save(folder: Path, names: Mapping[str, int], labels: int) -> Path:
    """Write a model that finds each of `names`, words alone, as the label of that number."""
    (folder / "onnx").mkdir(parents=True)
    words = [*_SPECIAL, *names]
    (folder / "tokenizer.json").write_text(json.dumps(_tokenizer(words)), encoding="utf-8")
    config = {"max_width": 1, "max_len": 384, "span_mode": "markerV0", "model_type": "gliner"}
    (folder / "gliner_config.json").write_text(json.dumps(config), encoding="utf-8")
    table = np.full((len(words), labels), -_LOGIT, np.float32)
    for name, label in names.items():
        table[words.index(name), label] = _LOGIT
    onnx.save(_model(table), folder / "onnx" / "model.onnx")
    return folder


def _tokenizer(words: list[str]) -> dict[str, object]:
    cls, sep = ({"SpecialToken": {"id": word, "type_id": 0}} for word in ("[CLS]", "[SEP]"))
    special = {w: {"id": w, "ids": [words.index(w)], "tokens": [w]} for w in ("[CLS]", "[SEP]")}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": None,
        "pre_tokenizer": {"type": "WhitespaceSplit"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [cls, {"Sequence": {"id": "A", "type_id": 0}}, sep],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": special,
        },
        "decoder": None,
        "model": {
            "type": "WordLevel",
            "vocab": {word: index for index, word in enumerate(words)},
            "unk_token": "[UNK]",
        },
    }


def _model(table: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> onnx.ModelProto:
    """Scores of each token from the table, gathered by the number that `words_mask` gives its word."""
    steps: tuple[tuple[str, list[str], str, dict[str, Any]], ...] = (
        ("Gather", ["table", "input_ids"], "scores", {}),
        ("ReduceMax", ["words_mask"], "most", {"keepdims": 0}),
        ("Add", ["most", "one"], "depth", {}),
        ("OneHot", ["words_mask", "depth", "values"], "hot", {}),
        ("Transpose", ["hot"], "words", {"perm": [0, 2, 1]}),
        ("MatMul", ["words", "scores"], "numbered", {}),
        ("Slice", ["numbered", "one", "end", "one"], "named", {}),
        ("Unsqueeze", ["named", "two"], "logits", {}),
    )
    nodes = [helper.make_node(kind, given, [made], **how) for kind, given, made, how in steps]
    constants = [
        numpy_helper.from_array(table, "table"),
        _constant("one", [1], np.int64),
        _constant("two", [2], np.int64),
        _constant("end", [10**6], np.int64),
        _constant("values", [0, 1], np.float32),
    ]
    masks = [_input(name, "B", "T") for name in ("input_ids", "attention_mask", "words_mask")]
    spans = [_input("text_lengths", "B", 1), _input("span_idx", "B", "S", 2)]
    mask = helper.make_tensor_value_info("span_mask", TensorProto.BOOL, ("B", "S"))
    out = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ("B", "W", 1, table.shape[1]))
    graph = helper.make_graph(nodes, "tiny", [*masks, *spans, mask], [out], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def _constant(name: str, values: list[int], kind: DTypeLike) -> onnx.TensorProto:
    return numpy_helper.from_array(np.array(values, kind), name)


def _input(name: str, *shape: str | int) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.INT64, shape)
