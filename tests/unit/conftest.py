"""Pipelines without services: a SQLite file of the test's own, and engines that need no models."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from celery import Celery
from hypothesis import HealthCheck, settings
from kombu import Message

from docpipe import set_default_pipeline
from docpipe.cli import main
from docpipe.execution.options import Options
from docpipe.execution.plan import BUILT_IN, StageSpec
from docpipe.execution.policy import Policy
from docpipe.execution.progress import Progress
from docpipe.models.status import QUEUES
from docpipe.pipeline.pipeline import Pipeline
from docpipe.pipeline.telling import OnComplete
from docpipe.sources import Sources
from docpipe.stores.port import Store
from docpipe.stores.sqlite.store import SqliteStore
from docpipe.testing import memory_app
from tests.engines import OPTIONS
from tests.workers import HANG_SECONDS

# On a busy machine an example takes as long as it takes.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

ROOT = Path(__file__).parents[2]
NewPipeline = Callable[..., Pipeline]
Python = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def new_pipeline(tmp_path: Path) -> NewPipeline:
    """Makes pipelines, each with a store of its own unless given one; `app=None` makes an embedded one."""
    made: list[Pipeline] = []

    def new(
        app: Celery | None = None,
        stages: Sequence[StageSpec] = BUILT_IN,
        policy: Policy | None = None,
        progress: Progress | None = None,
        store: Store | None = None,
        options: Options = OPTIONS,
        on_complete: OnComplete | None = None,
    ) -> Pipeline:
        folder = tmp_path / f"pipeline-{len(made)}"
        pipeline = Pipeline(
            app,
            store=store or SqliteStore(folder / "docpipe.db"),
            sources=Sources(uploads=folder / "uploads"),
            stages=stages,
            options=options,
            policy=policy or Policy(backoff_seconds=0.001),
            progress=progress,
            on_complete=on_complete,
        )
        made.append(pipeline)
        return pipeline

    return new


@pytest.fixture
def new_eager(new_pipeline: NewPipeline) -> NewPipeline:
    """Makes pipelines whose `submit` runs all stages at once, through Celery."""

    def new(
        *stages: StageSpec, store: Store | None = None, on_complete: OnComplete | None = None, **conf: Any
    ) -> Pipeline:
        app = memory_app(task_always_eager=True, **conf)
        return new_pipeline(app, stages or BUILT_IN, store=store, on_complete=on_complete)

    return new


def sent(app: Celery, queue: str) -> list[Message]:
    """Takes the messages that wait in a queue of the broker in memory."""
    found = []
    with app.connection_for_read() as connection, connection.SimpleQueue(queue) as waiting:
        while len(waiting):
            message = waiting.get(block=False)
            message.ack()
            found.append(message)
    return found


def size_of(message: Message) -> int:
    """Bytes of a message with its headers, as the broker keeps it."""
    return len(message.body or "") + len(json.dumps([message.headers, message.properties]))


@pytest.fixture
def app() -> Iterator[Celery]:
    """A Celery app whose broker is in memory, and empty."""
    app = memory_app()
    queues = [*QUEUES.values()]
    for queue in queues:
        sent(app, queue)
    yield app
    for queue in queues:
        sent(app, queue)


@pytest.fixture
def note(tmp_path: Path) -> Path:
    """A text of one page that names two people."""
    path = tmp_path / "note.txt"
    path.write_text("Ann met Bob.")
    return path


@pytest.fixture
def python(tmp_path: Path) -> Python:
    """Runs Python in a process of its own, with the variables given and none of docpipe's or AWS's."""

    def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        foreign = ("DOCPIPE_", "SUPABASE_", "REDIS_", "CELERY_", "AWS_")
        clean = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        home = {"PYTHONPATH": str(ROOT), "XDG_DATA_HOME": str(tmp_path / "home")}
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=tmp_path,
            env=clean | home | variables,
            capture_output=True,
            text=True,
            timeout=HANG_SECONDS,
            check=False,
        )

    return run


@pytest.fixture
def examples() -> Path:
    """The documents the project made itself."""
    return ROOT / "examples" / "documents"


ENGINES = {
    "DOCPIPE_OCR_ENGINE": "tests.engines:OneLine",
    "DOCPIPE_NER_ENGINE": "tests.engines:Capitals",
    "DOCPIPE_ISOLATE": "false",
}


class Done(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def objects(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


Docpipe = Callable[..., Done]


@pytest.fixture
def docpipe(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Iterator[Docpipe]:
    """Runs the command in this process, in an empty folder, on a store of its own."""
    for name in os.environ:
        if name.startswith(("DOCPIPE_", "SUPABASE_", "REDIS_", "CELERY_")):
            monkeypatch.delenv(name)
    for name, value in ENGINES.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str | Path) -> Done:
        monkeypatch.setattr(sys, "argv", ["docpipe", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        shown = capsys.readouterr()
        return Done(int(ended.value.code or 0), shown.out, shown.err)

    set_default_pipeline(None)
    yield run
    set_default_pipeline(None)
