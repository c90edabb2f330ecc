"""Write all-MiniLM-L6-v2 as the package's model: int8 ONNX and tokenizer. Needs no PyTorch.

    python -m training.embeddings.export --out embeddings/docpipe_embeddings/model

The weights of the matrices become 8-bit integers with a scale for each output, those of the word embeddings
with a scale for each word. The graph reads one text and answers one vector: the mean over its wordpieces,
of length 1.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic
from safetensors.numpy import load_file

from docpipe.engines.embed.onnx_encoder import FORMAT
from docpipe.engines.fingerprints import fingerprint
from training.minilm import HEADS, LAYERS, WIDTH, encoder_folder

Weights = dict[str, NDArray[Any]]


class Graph:
    """Nodes and weights in the order in which they are added; a value is known by its name."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def add(self, op: str, *inputs: str, **attributes: Any) -> str:
        name = f"{op}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [name], name=name, **attributes))
        return name

    def weight(self, name: str, value: NDArray[Any]) -> str:
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def number(self, value: float) -> str:
        return self.weight(f"number_{len(self.weights)}", np.array(value, np.float32))

    def shape(self, *sizes: int) -> str:
        return self.weight(f"shape_{len(self.weights)}", np.array(sizes, np.int64))

    def linear(self, x: str, name: str, weights: Weights) -> str:
        product = self.add("MatMul", x, self.weight(f"{name}.weight", weights[f"{name}.weight"].T))
        return self.add("Add", product, self.weight(f"{name}.bias", weights[f"{name}.bias"]))

    def norm(self, x: str, name: str, weights: Weights) -> str:
        both = [self.weight(f"{name}.{kind}", weights[f"{name}.{kind}"]) for kind in ("weight", "bias")]
        return self.add("LayerNormalization", x, *both, epsilon=1e-12)

    def heads(self, x: str, order: tuple[int, int, int]) -> str:
        """(pieces, width) to one matrix a head."""
        return self.add(
            "Transpose", self.add("Reshape", x, self.shape(-1, HEADS, WIDTH // HEADS)), perm=order
        )


def embedded(graph: Graph, weights: Weights) -> str:
    """The wordpieces as vectors, with their places."""
    words = weights["embeddings.word_embeddings.weight"]
    scale = np.abs(words).max(axis=1, keepdims=True) / 127
    whole = graph.weight("words", np.round(words / scale).astype(np.int8))
    pieces = graph.add("Cast", graph.add("Gather", whole, "pieces"), to=TensorProto.FLOAT)
    pieces = graph.add(
        "Mul", pieces, graph.add("Gather", graph.weight("scale", scale.astype(np.float32)), "pieces")
    )
    kind = weights["embeddings.token_type_embeddings.weight"][0]
    places = graph.weight("places", weights["embeddings.position_embeddings.weight"] + kind)
    placed = graph.add("Slice", places, graph.shape(0), graph.add("Shape", "pieces"))
    return graph.norm(graph.add("Add", pieces, placed), "embeddings.LayerNorm", weights)


def layer(graph: Graph, x: str, name: str, weights: Weights) -> str:
    """BERT's: attention, then two linear layers, each added to its input and normalised."""
    attention = f"{name}.attention"
    q, k, v = (graph.linear(x, f"{attention}.self.{part}", weights) for part in ("query", "key", "value"))
    scores = graph.add("MatMul", graph.heads(q, (1, 0, 2)), graph.heads(k, (1, 2, 0)))
    scores = graph.add("Mul", scores, graph.number((WIDTH // HEADS) ** -0.5))
    mixed = graph.add("MatMul", graph.add("Softmax", scores, axis=-1), graph.heads(v, (1, 0, 2)))
    joined = graph.add("Reshape", graph.add("Transpose", mixed, perm=(1, 0, 2)), graph.shape(-1, WIDTH))
    out = graph.linear(joined, f"{attention}.output.dense", weights)
    x = graph.norm(graph.add("Add", x, out), f"{attention}.output.LayerNorm", weights)
    up = gelu(graph, graph.linear(x, f"{name}.intermediate.dense", weights))
    down = graph.linear(up, f"{name}.output.dense", weights)
    return graph.norm(graph.add("Add", x, down), f"{name}.output.LayerNorm", weights)


def gelu(graph: Graph, x: str) -> str:
    part = graph.add("Erf", graph.add("Div", x, graph.number(2**0.5)))
    whole = graph.add("Mul", x, graph.add("Add", part, graph.number(1.0)))
    return graph.add("Mul", whole, graph.number(0.5))


def encoder(weights: Weights) -> onnx.ModelProto:
    graph = Graph()
    x = embedded(graph, weights)
    for number in range(LAYERS):
        x = layer(graph, x, f"encoder.layer.{number}", weights)
    mean = graph.add("ReduceMean", x, axes=[0], keepdims=0)
    length = graph.add("ReduceL2", mean, axes=[0], keepdims=1)
    graph.nodes.append(helper.make_node("Div", [mean, length], ["vector"], name="vector"))
    made = helper.make_graph(
        graph.nodes,
        "encoder",
        [helper.make_tensor_value_info("pieces", TensorProto.INT64, ["length"])],
        [helper.make_tensor_value_info("vector", TensorProto.FLOAT, [WIDTH])],
        graph.weights,
    )
    return helper.make_model(
        made, producer_name="docpipe", opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    )


def write(weights: Weights, path: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "plain.onnx"
        onnx.save(encoder(weights), plain)
        quantize_dynamic(
            plain, path, op_types_to_quantize=["MatMul"], per_channel=True, weight_type=QuantType.QInt8,
            extra_options={"MatMulConstBOnly": True},
        )  # fmt: skip
    made = onnx.load(path)
    made.producer_name, made.doc_string = "docpipe", ""
    onnx.save(made, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    out: Path = parser.parse_args().out
    folder = encoder_folder()
    out.mkdir(parents=True, exist_ok=True)
    write(load_file(folder / "model.safetensors"), out / "encoder.onnx")
    shutil.copyfile(folder / "tokenizer.json", out / "tokenizer.json")
    config = {"format": FORMAT, "name": "all-MiniLM-L6-v2-int8", "version": "1.0.0", "dimensions": WIDTH}
    (out / "config.json").write_text(json.dumps(config, indent=1) + "\n", "utf-8")
    print(f"{(out / 'encoder.onnx').stat().st_size:,} bytes, fingerprint {fingerprint(out)}")


if __name__ == "__main__":
    main()
