"""The two contenders of `benchmarks.orchestration`: docpipe with stages that do nothing, and a bare Celery
chain of four tasks that do nothing, on the same queues and with the same settings.

A worker of either is `celery -A benchmarks.noop:docpipe worker`, or `:bare`.
"""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from celery import Celery, Signature, chain

from docpipe.execution.job import Job
from docpipe.execution.plan import CHUNK, ENTITIES, GRAPH, OCR
from docpipe.models import Chunk, Method, Page, StageOutput
from docpipe.pipeline.factory import new_app
from docpipe.pipeline.pipeline import Pipeline
from docpipe.pipeline.settings import read_settings

TEXT = "Ann met Bob."
QUEUES = ("ocr", "text", "entity", "graph")
CALLS = "BENCHMARK_CALLS"
"""The variable with the file that grows by a byte with each call of the store."""
TIMES = "BENCHMARK_TIMES"
"""The variable with the file in which the bare chain writes its times, a line of seconds for a document."""


def _read(_: Job) -> StageOutput:
    page = Page(1, 0, len(TEXT), 612.0, 792.0, Method.TEXT)
    return StageOutput(text=TEXT, pages=(page,), file_type="text/plain")


def _split(_: Job) -> StageOutput:
    return StageOutput(chunks=(Chunk(0, 0, len(TEXT), 1, 1, TEXT),))


def _find(_: Job) -> StageOutput:
    return StageOutput(mentions=())


def _build(_: Job) -> StageOutput:
    return StageOutput(entities=(), relations=(), edges=())


STAGES = tuple(
    replace(spec, work=work)
    for spec, work in ((OCR, _read), (CHUNK, _split), (ENTITIES, _find), (GRAPH, _build))
)


def new_docpipe() -> Pipeline:
    """The pipeline that the environment names."""
    settings = read_settings()
    store = settings.open_store()
    if CALLS in os.environ:
        _count(store, Path(os.environ[CALLS]))
    return Pipeline(
        new_app(settings),
        store=store,
        sources=settings.sources(),
        stages=STAGES,
        options=replace(settings.options(), isolate=False),
        policy=settings.policy(),
    )


def _count(store: Any, calls: Path) -> None:
    """Note each call that travels to the database, and each query."""
    for name in ("_call", "_fetch"):
        travel = getattr(store, name)

        def counted(*args: Any, travel: Any = travel) -> Any:
            with calls.open("ab") as file:
                file.write(b".")
            return travel(*args)

        setattr(store, name, counted)


def new_bare() -> Celery:
    """Four tasks, each of which hands its message on."""
    app = new_app(read_settings())
    for name in QUEUES:
        app.task(name=f"bare.{name}", ignore_result=True, acks_late=True, shared=False)(_step)
    app.task(name="bare.on_error", ignore_result=True, shared=False)(_failed)
    return app


def _step(message: dict[str, Any]) -> dict[str, Any]:
    times = [*message["times"], time.time()]
    if len(times) == 1 + len(QUEUES):
        with Path(os.environ[TIMES]).open("a", encoding="utf-8") as file:
            file.write(" ".join(map(repr, times)) + "\n")
    return {**message, "times": times}


def _failed(message: dict[str, Any]) -> None:
    raise AssertionError(message)


def bare_chain(app: Celery, document: str) -> Signature[Any]:
    """The chain of one document, with an errback as docpipe's has one."""
    message = {"document_uuid": document, "run": 1, "times": [time.time()]}
    errback = app.signature("bare.on_error", args=(message,), immutable=True)
    tasks = [
        app.signature(f"bare.{name}", args=() if number else (message,)).set(queue=name)
        for number, name in enumerate(QUEUES)
    ]
    whole: Signature[Any] = chain(*(task.on_error(errback.set(queue="graph")) for task in tasks), app=app)
    return whole


def __getattr__(name: str) -> Celery:
    """The apps, made when a worker asks for one."""
    if name == "bare":
        return new_bare()
    if name == "docpipe":
        app = new_docpipe().app
        assert app is not None
        return app
    raise AttributeError(name)
