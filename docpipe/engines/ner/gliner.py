"""Names by GLiNER (Zaratiana et al., NAACL 2024, arXiv 2311.08526), with weights of the user's own."""

from __future__ import annotations

from docpipe.engines import no_telemetry  # noqa: F401 - before the libraries below

# isort: split
from typing import Any

from gliner import GLiNER

from docpipe.engines.ner.zero_shot import Found, ZeroShotEngine


class GlinerEngine(ZeroShotEngine):
    """GLiNER on PyTorch: any model of the library's; see `ZeroShotEngine`."""

    library = "gliner"

    def load(self, model: str) -> Any:
        return GLiNER.from_pretrained(model)

    def predict(self, model: Any, texts: list[str], labels: list[str]) -> list[list[Found]]:
        answers = model.inference(texts, labels, threshold=self.threshold, batch_size=len(texts))
        return [
            [Found(one["start"], one["end"], one["label"], one["score"]) for one in answer]
            for answer in answers
        ]
