"""All cases through two workers with the real engines, and what became of the workers meanwhile."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psutil

from docpipe import Pipeline
from docpipe.errors import DocpipeError
from docpipe.execution.options import Options
from docpipe.models.status import QUEUES, is_final
from tests.acceptance.conftest import FOLDER, Services
from tests.acceptance.hostile.cases import Case, End
from tests.acceptance.hostile.lookouts import Scales, resident, wait_quietly
from tests.workers import Worker, Workers

GOOD_EACH = 50
"""After so many hostile documents, a good one."""
_GOOD = b"Ann Miller of Acme Corp met Bob in Paris on 3 May 2024.\n"
_SCAN = FOLDER / "invoice.png"
_WARM_UP = 4
_WARM_UP_SECONDS = 300.0

_ENDS = """
select d.project_id, d.initial_processing_status, coalesce(e.error_code, ''), coalesce(e.error_message, ''),
       coalesce(d.raw_extracted_text, ''), coalesce(e.seconds, 0)
  from source_documents d
  left join (select document_uuid, max(error_code) as error_code, max(error_message) as error_message,
                    extract(epoch from sum(finished_at - started_at) filter (
                        where stage <> 'ocr' or not exists (
                            select from docpipe_pages p
                             where p.document_uuid = s.document_uuid and p.number > %s))) as seconds
               from stage_runs s group by 1) e using (document_uuid)
"""
"""The ocr stage of a document that is split does not count: its ranges wait for their turn."""


@dataclass
class Siege:
    """What is known when all documents are final."""

    ends: dict[str, End] = field(default_factory=dict)
    before: dict[int, int] = field(default_factory=dict)
    """Worker processes, by their ids, and the bytes they took when they had their models."""
    after: dict[int, int] = field(default_factory=dict)
    heaviest_reader: int = 0
    """The most bytes that a process which reads documents took."""


def lay_siege(
    services: Services, pipeline: Pipeline, cases: Sequence[Case], folder: Path, seconds: float
) -> Siege:
    """Every case through two workers on all queues; waits at most so long for the last to be final."""
    siege = Siege()
    queues = list(QUEUES.values())
    with Workers(folder, services.env) as workers:
        both = [workers.start(*queues), workers.start(*reversed(queues))]
        workers.wait_until_ready()
        _warm_up(services, pipeline)
        siege.before = _weights(both)
        with Scales(lambda: _readers(both, siege.before)) as scales:
            siege.ends |= _submitted(pipeline, cases)
            wait_quietly(lambda: _all_final(services), seconds)
        siege.heaviest_reader = scales.most
        siege.after = _weights(both)
    siege.ends |= _ends(services)
    _keep(siege, folder / "results.jsonl")
    return siege


def _warm_up(services: Services, pipeline: Pipeline) -> None:
    """Until either worker has done every stage: models are loaded, and need no growth any more."""
    submitted = 0

    def warm() -> bool:
        nonlocal submitted
        rows = services.query("select distinct stage, worker from stage_runs where state = 'complete'")
        if len(rows) < 2 * len(QUEUES) and _all_final(services):
            for number in range(submitted, submitted + _WARM_UP):
                pipeline.submit(_SCAN, project_id=f"warm-{number}")
            submitted += _WARM_UP
        return len(rows) == 2 * len(QUEUES)

    assert wait_quietly(warm, _WARM_UP_SECONDS), "not every worker came to do every stage"


def _submitted(pipeline: Pipeline, cases: Sequence[Case]) -> dict[str, End]:
    """Submits each case as a project of its own; how those ended that were refused at once."""
    refused = {}
    for number, case in enumerate(cases):
        try:
            pipeline.submit(case.path, project_id=case.name)
        except DocpipeError as error:
            refused[case.name] = End("refused", error.code, str(error))
        if number % GOOD_EACH == 0:
            pipeline.submit(_GOOD, name="good.txt", project_id=f"good-{number}")
    return refused


def _all_final(services: Services) -> bool:
    rows = services.query("select distinct initial_processing_status from source_documents")
    return all(is_final(status) for (status,) in rows)


def _ends(services: Services) -> dict[str, End]:
    split = Options().ocr_split_pages
    return {
        project: End(status, code, message, text, float(seconds))
        for project, status, code, message, text, seconds in services.query(_ENDS, split)
    }


def _own(worker: Worker) -> list[psutil.Process]:
    """Celery's main process and the one that does the tasks, without their readers."""
    main, *rest = worker.processes()
    return [main, *(process for process in rest if process.ppid() == main.pid)]


def _weights(workers: Iterable[Worker]) -> dict[int, int]:
    return {process.pid: resident(process) for worker in workers for process in _own(worker)}


def _readers(workers: Iterable[Worker], own: dict[int, int]) -> list[psutil.Process]:
    return [process for worker in workers for process in worker.processes() if process.pid not in own]


def _keep(siege: Siege, file: Path) -> None:
    """One JSON object for each document, for whoever looks at a long run."""
    lines = (json.dumps({"file": name, **asdict(end)}) for name, end in siege.ends.items())
    file.write_text("\n".join(lines), "utf-8")
