"""Engines and stages for tests in which models are not the point: tiny, deterministic, public ports only.

Options(ocr_engine="tests.engines:OneLine", ner_engine="tests.engines:Capitals")
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from docpipe.engines.ports import RecognisedLine, Span
from docpipe.execution.job import Job
from docpipe.execution.options import Options
from docpipe.execution.plan import StageSpec
from docpipe.models import StageOutput

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

OPTIONS = Options(ocr_engine="tests.engines:OneLine", ner_engine="tests.engines:Capitals", isolate=False)


class OneLine:
    """Reads the same line from every picture."""

    name = "one-line 1"

    def read(self, pixels: NDArray[np.uint8]) -> list[RecognisedLine]:
        height, width = float(pixels.shape[0]), float(pixels.shape[1])
        return [RecognisedLine("Ann met Bob.", ((0, 0), (width, 0), (width, height), (0, height)), 0.9)]

    def orientation(self, pixels: NDArray[np.uint8]) -> int:
        return 0


class Unsure(OneLine):
    """Reads another line, and doubts it."""

    name = "unsure 1"

    def read(self, pixels: NDArray[np.uint8]) -> list[RecognisedLine]:
        return [replace(line, text="Anm rnet 8ob.", confidence=0.3) for line in super().read(pixels)]


class Capitals:
    """Every word with a capital letter is a person."""

    name = "capitals 1"

    def find(self, texts: Sequence[str]) -> Iterator[list[Span]]:
        for text in texts:
            yield [Span(*match.span(), "PERSON") for match in re.finditer(r"[A-Z][a-z]+", text)]


class Gated(Capitals):
    """Waits for a file before it finds anything."""

    name = "gated 1"

    def __init__(self, *, gate: str) -> None:
        self._gate = Path(gate)

    def find(self, texts: Sequence[str]) -> Iterator[list[Span]]:
        while not self._gate.exists():
            time.sleep(0.05)
        yield from super().find(texts)


def failing(stage: StageSpec, *errors: BaseException) -> StageSpec:
    """`stage`, which raises one of `errors` at each of its first attempts and then works."""
    waiting = list(errors)

    def work(job: Job) -> StageOutput:
        if waiting:
            raise waiting.pop(0)
        return stage.load()(job)

    return doing(stage, work)


def doing(stage: StageSpec, work: Callable[[Job], StageOutput]) -> StageSpec:
    """`stage` with other work."""
    return StageSpec(stage.name, stage.queue, stage.words, stage.needs, work)


class Vowels:
    """Texts are near that have the same vowels."""

    name = "vowels@1"
    max_characters = 500

    def embed(self, texts: Sequence[str]) -> Iterator[list[float]]:
        for text in texts:
            yield [float(text.lower().count(vowel)) for vowel in "aeiou"]
