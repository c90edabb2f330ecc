"""A host application whose tools fail as they are told: what the worker of test_failures runs.

The file named by TROUBLE says which stage fails, with which error and how often:
`{"stage": "chunk", "error": "PermanentError", "times": 2}`; `times` counts down in the file. The engines
fail through docpipe's engine port, the stages without an engine through a `work` of their own.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from docpipe import errors
from docpipe.engines.ports import RecognisedLine, Span
from docpipe.execution.job import Job
from docpipe.execution.layers import Sandbox
from docpipe.execution.options import Options
from docpipe.execution.plan import CHUNK, ENTITIES, GRAPH, OCR, StageSpec
from docpipe.models import StageOutput
from docpipe.pipeline.factory import new_app
from docpipe.pipeline.pipeline import Pipeline
from docpipe.pipeline.settings import read_settings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MESSAGE = "the tests asked for this"
NOT_OURS = {"ValueError": ValueError}


def trouble(stage: str) -> None:
    """Fail if it is this stage's turn."""
    file = Path(os.environ["TROUBLE"])
    plan = json.loads(file.read_text())
    if plan["stage"] == stage and plan["times"] > 0:
        file.write_text(json.dumps(plan | {"times": plan["times"] - 1}))
        error = NOT_OURS.get(plan["error"]) or getattr(errors, plan["error"])
        raise error(MESSAGE)


class FailingOcr:
    """Reads the same line on every picture."""

    name = "failing-ocr"

    def read(self, pixels: NDArray[np.uint8]) -> list[RecognisedLine]:
        trouble("ocr")
        corners = ((10.0, 10.0), (290.0, 10.0), (290.0, 40.0), (10.0, 40.0))
        return [RecognisedLine("Maria Delgado met Thomas Whitfield.", corners, 0.99)]

    def orientation(self, pixels: NDArray[np.uint8]) -> int:
        return 0


class FailingNer:
    """Takes two words with capitals for a person."""

    name = "failing-ner"

    def find(self, texts: Sequence[str]) -> Iterator[list[Span]]:
        trouble("entities")
        for text in texts:
            yield [Span(*match.span(), "PERSON") for match in re.finditer(r"[A-Z][a-z]+ [A-Z][a-z]+", text)]


def failing(stage: StageSpec) -> StageSpec:
    """The stage with work that may fail before it begins."""
    work: Callable[[Job], StageOutput] = stage.load()

    def work_or_fail(job: Job) -> StageOutput:
        trouble(stage.name)
        return work(job)

    return replace(stage, work=work_or_fail)


def new_pipeline() -> Pipeline:
    """The stand-alone pipeline, but for the tools."""
    settings = read_settings()
    return Pipeline(
        new_app(settings),
        store=settings.open_store(),
        sources=settings.sources(),
        stages=(OCR, failing(CHUNK), ENTITIES, failing(GRAPH)),
        options=Options(
            sandbox=Sandbox(waive=frozenset({"environment", "files"})),  # the trouble is told in a file
            ocr_engine="tests.acceptance.failing:FailingOcr",
            ner_engine="tests.acceptance.failing:FailingNer",
        ),
        policy=settings.policy(),
    )
