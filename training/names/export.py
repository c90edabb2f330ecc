"""Average trained weights and write them as the package's model: int8 ONNX, tokenizer, calibration.

    python -m training.names.export --corpus DIR --version 1.0.0 --out names/docpipe_names/model SEED …

The weights of the matrices become 8-bit integers with a scale for each output, those of the word embeddings
with a scale for each word. The calibration is fitted on the documents that training held back.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnxruntime.quantization import QuantType, quantize_dynamic
from safetensors.torch import load_file
from torch import Tensor, nn

from docpipe.engines.fingerprints import fingerprint
from docpipe.engines.ner.onnx_tagger import FORMAT, OnnxTagger
from docpipe.engines.ner.tags import TAGS
from training.names.encoder import Tagger
from training.names.text import read
from training.names.train import _LABELS, tokenizer, windows


class Exported(nn.Module):
    """The tagger as it runs: one window, word embeddings as integers with a scale for each word."""

    def __init__(self, model: Tagger) -> None:
        super().__init__()
        self.model = model
        weight = model.words.weight.detach()
        scale = weight.abs().amax(dim=1, keepdim=True) / 127
        self.register_buffer("scale", scale)
        self.register_buffer("words", (weight / scale).round().to(torch.int8))

    def forward(self, pieces: Tensor, shapes: Tensor, gaps: Tensor) -> Tensor:
        embedded = self.words[pieces].float() * self.scale[pieces]
        embedded = embedded + self.model.positions.weight[: pieces.shape[1]]
        return self.model.tagged(embedded, shapes, gaps, None).log_softmax(-1)


def averaged(paths: Sequence[Path]) -> Tagger:
    """A tagger with the mean of the weights."""
    states = [load_file(path) for path in paths]
    model = Tagger()
    model.load_state_dict({name: torch.stack([s[name] for s in states]).mean(0) for name in states[0]})
    return model.eval()


def write_onnx(model: Tagger, path: Path, *, reduced: bool) -> None:
    sample = (
        torch.full((1, 9), 5),
        torch.zeros((1, 9), dtype=torch.int64),
        torch.zeros((1, 9), dtype=torch.int64),
    )
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "plain.onnx"
        torch.onnx.export(
            Exported(model).eval(),
            sample,
            str(plain),
            input_names=["pieces", "shapes", "gaps"],
            output_names=["scores"],
            dynamic_axes={name: {1: "length"} for name in ("pieces", "shapes", "gaps", "scores")},
            opset_version=17,
            dynamo=False,
        )
        quantize_dynamic(
            plain, path, op_types_to_quantize=["MatMul"], per_channel=True, reduce_range=reduced,
            weight_type=QuantType.QInt8, extra_options={"MatMulConstBOnly": True},
        )  # fmt: skip
    made = onnx.load(path)
    made.producer_name, made.doc_string = "docpipe", ""
    onnx.save(made, path)


def calibration(engine: OnnxTagger, corpus: Path) -> tuple[float, float]:
    """Slope and shift of the log-odds of what the tagger says, fitted to how often it is right."""
    odds, right = [], []
    for document in read(corpus):
        if document.held_back:
            for line in windows(document):
                gold = {(s, e, _LABELS[label]) for s, e, label in line.spans}
                for span in next(engine.find([line.text])):
                    score = min(max(span.score, 1e-3), 1 - 1e-3)
                    odds.append(np.log(score / (1 - score)))
                    right.append((span.start, span.end, span.label) in gold)
    return _logistic(np.array(odds), np.array(right, float))


def _logistic(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float, float]:
    """The most likely slope and shift, by Newton's method."""
    at = np.array([1.0, 0.0])
    features = np.stack([x, np.ones_like(x)], axis=1)
    for _ in range(30):
        p = 1 / (1 + np.exp(-features @ at))
        at += np.linalg.solve(features.T @ (features * (p * (1 - p))[:, None]), features.T @ (y - p))
    return round(float(at[0]), 4), round(float(at[1]), 4)


def write_config(out: Path, version: str, slope: float, shift: float) -> None:
    config = {
        "format": FORMAT,
        "name": "names",
        "version": version,
        "tags": list(TAGS),
        "slope": slope,
        "shift": shift,
    }
    (out / "config.json").write_text(json.dumps(config, indent=1) + "\n", "utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("weights", nargs="+", type=Path)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--version", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--reduced", action="store_true", help="7 bits, for processors without VNNI")
    arguments = parser.parse_args()
    out = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    write_onnx(averaged(arguments.weights), out / "names.onnx", reduced=arguments.reduced)
    tokenizer().save(str(out / "tokenizer.json"), pretty=False)
    write_config(out, arguments.version, 1.0, 0.0)
    write_config(out, arguments.version, *calibration(OnnxTagger(str(out)), arguments.corpus))
    print(f"{(out / 'names.onnx').stat().st_size:,} bytes, fingerprint {fingerprint(out)}")


if __name__ == "__main__":
    main()
