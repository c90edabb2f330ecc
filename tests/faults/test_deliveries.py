"""Deliveries that Celery makes more than once: in two processes at the same moment, and in any order."""

from __future__ import annotations

import multiprocessing
import os
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import psycopg
import pytest

from docpipe.execution.isolation.reader_process import ReaderProcess
from docpipe.execution.job import Job
from docpipe.execution.options import Options
from docpipe.execution.plan import BUILT_IN, OCR
from docpipe.execution.runner import NothingToDoError, Runtime, run_stage
from docpipe.execution.tools import Tools
from docpipe.models import Ref, StageOutput
from docpipe.sources import Sources
from docpipe.stores import open_store
from docpipe.stores.port import Store
from docpipe.stores.values import ALL_PARTS, NewDocument
from tests.engines import OPTIONS, doing
from tests.faults.armed import TEXT
from tests.workers import HANG_SECONDS

TRIALS = int(os.environ.get("TRIALS", "100"))
SEEDS = range(20)


def _registered(store: Store, sources: Sources, project: str) -> Ref:
    taken = sources.take_in(TEXT, "note.txt")
    document = NewDocument(
        document_uuid=f"{project}-uuid",
        project_id=project,
        name=taken.name,
        uri=taken.uri,
        digest=taken.digest,
        size=taken.size,
        metadata={},
        stages=[stage.planned for stage in BUILT_IN],
    )
    return store.register(document).ref


# --- at the same moment -------------------------------------------------------------------------


def _deliver_all(env: dict[str, str], uploads: Path, me: str, barrier: Barrier, results: Any) -> None:
    """One worker's side of all trials: meet the other at the barrier, deliver, say what came of it."""
    runtime = _runtime(env, uploads)

    def work(job: Job) -> StageOutput:
        return StageOutput(text=me, pages=())

    outcomes = []
    for trial in range(TRIALS):
        barrier.wait()
        try:
            run_stage(runtime, doing(OCR, work), Ref(f"trial-{trial}-uuid", 1), task_id="the same")
            outcomes.append("worked or found it done")
        except NothingToDoError as nothing:
            outcomes.append(nothing.outcome.value)
    results.put((me, outcomes))
    runtime.store.close()


def _runtime(env: dict[str, str], uploads: Path, options: Options = OPTIONS) -> Runtime:
    store = open_store("supabase", supabase_url=env["SUPABASE_URL"], supabase_key=env["SUPABASE_SECRET_KEY"])
    return Runtime(
        store=store,
        sources=Sources(uploads=uploads, keep_copies=True),
        tools=Tools(options),
        reader=ReaderProcess(options),
    )


def test_of_two_workers_with_the_same_message_one_does_the_work(
    supabase_env: dict[str, str], tmp_path: Path
) -> None:
    runtime = _runtime(supabase_env, tmp_path)
    for trial in range(TRIALS):
        _registered(runtime.store, runtime.sources, f"trial-{trial}")
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(2), context.Queue()
    workers = [
        context.Process(target=_deliver_all, args=(supabase_env, tmp_path, name, barrier, results))
        for name in ("one", "other")
    ]
    for worker in workers:
        worker.start()
    told = dict(results.get(timeout=HANG_SECONDS) for _ in workers)
    for worker in workers:
        worker.join()
    runtime.store.close()

    pairs = Counter(tuple(sorted(pair)) for pair in zip(told["one"], told["other"], strict=True))
    assert set(pairs) <= {
        ("busy", "worked or found it done"),
        ("worked or found it done", "worked or found it done"),  # the second came when the first had finished
    }
    with psycopg.connect(supabase_env["SUPABASE_DB_URL"]) as connection:
        runs = connection.execute(
            "select s.attempt, s.state, r.text in ('one', 'other'), count(*)"
            " from stage_runs s join docpipe_runs r using (document_uuid, run)"
            " where s.stage = 'ocr' group by 1, 2, 3"
        ).fetchall()
    assert runs == [(1, "complete", True, TRIALS)]


# --- in any order -------------------------------------------------------------------------------


@pytest.fixture(params=["sqlite", "supabase"])
def runtime(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Runtime]:
    if request.param == "sqlite":
        store = open_store(f"sqlite://{tmp_path / 'docpipe.db'}")
        runtime = Runtime(
            store=store,
            sources=Sources(uploads=tmp_path, keep_copies=True),
            tools=Tools(OPTIONS),
            reader=ReaderProcess(OPTIONS),
        )
    else:
        runtime = _runtime(request.getfixturevalue("supabase_env"), tmp_path)
    yield runtime
    runtime.store.close()


def _deliver(runtime: Runtime, ref: Ref, position: int) -> bool:
    """One delivery; whether it hands on to the next stage, as Celery's chain does then."""
    try:
        run_stage(runtime, BUILT_IN[position], ref, task_id="task")
    except NothingToDoError:
        return False
    return position + 1 < len(BUILT_IN)


def _once(runtime: Runtime, ref: Ref) -> None:
    for position in range(len(BUILT_IN)):
        _deliver(runtime, ref, position)


def _thrice_in_any_order(runtime: Runtime, ref: Ref, chance: random.Random) -> None:
    waiting = [position for position in range(len(BUILT_IN)) for _ in range(3)]
    while waiting:
        position = waiting.pop(chance.randrange(len(waiting)))
        if _deliver(runtime, ref, position):
            waiting.append(position + 1)


def _everything(store: Store, ref: Ref) -> tuple[Any, ...]:
    """All that the store knows of the document, but for its uuid, its project and all times."""
    status = store.status(ref.document_uuid)
    ledger = [(each.stage, each.state, each.attempt) for each in status.stages]
    history = [(word, graph) for _, word, graph in status.history]
    document = replace(store.load(ref, ALL_PARTS), document_uuid="", project_id=None)
    return status.status, ledger, history, document


def test_every_message_three_times_in_any_order_makes_the_same_database_as_once(runtime: Runtime) -> None:
    quiet = _registered(runtime.store, runtime.sources, "quiet")
    _once(runtime, quiet)
    expected = _everything(runtime.store, quiet)
    assert expected[0] == "completed"
    for seed in SEEDS:
        ref = _registered(runtime.store, runtime.sources, f"shuffled-{seed}")
        _thrice_in_any_order(runtime, ref, random.Random(seed))
        assert _everything(runtime.store, ref) == expected, f"seed {seed}"
