"""Names by GLiNER models in ONNX format, read by fast-gliner, without PyTorch."""

from __future__ import annotations

from docpipe.engines import no_telemetry  # noqa: F401 - before the libraries below

# isort: split
from typing import Any

from fast_gliner import FastGLiNER

from docpipe.engines.ner.zero_shot import Found, ZeroShotEngine


class FastGlinerEngine(ZeroShotEngine):
    """GLiNER in ONNX format: a folder with `tokenizer.json`, `gliner_config.json` and the model.

    fast-gliner itself leaves out what scores less than 0.5, whatever the threshold.
    """

    library = "fast-gliner"

    def load(self, model: str) -> Any:
        return FastGLiNER.from_pretrained(model)

    def predict(self, model: Any, texts: list[str], labels: list[str]) -> list[list[Found]]:
        answers = model.predict_entities(texts, labels)
        return [
            [_in_characters(text.encode(), one) for one in answer]
            for text, answer in zip(texts, answers, strict=True)
        ]


def _in_characters(text: bytes, found: dict[str, Any]) -> Found:
    """The finding, whose offsets fast-gliner counts in bytes of UTF-8."""
    start, end = (len(text[: found[side]].decode()) for side in ("start", "end"))
    return Found(start, end, found["label"], found["score"])
