"""The soak: many small documents while everything around them dies, compared with a quiet run."""

from __future__ import annotations

import statistics
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path

import psycopg

from docpipe.errors import DocpipeError
from docpipe.execution.plan import BUILT_IN
from docpipe.models import Document, Ref
from docpipe.models.status import COMPLETED, is_final
from docpipe.pipeline.pipeline import Pipeline
from docpipe.sources import Sources
from docpipe.stores.sqlite.store import SqliteStore
from docpipe.stores.values import ALL_PARTS
from tests.engines import OPTIONS
from tests.faults.field import leftovers
from tests.faults.watcher import Watcher
from tests.soak.chaos import Chaos
from tests.stack import Stack

_CALM_SECONDS = 300.0
_READERS = 4
_TIMES = """
select d.document_uuid, d.initial_processing_status, extract(epoch from max(h.at) - min(h.at)),
       count(*) filter (where h.status = 'completed')
  from source_documents d join docpipe_history h using (document_uuid) group by 1, 2
"""
_PAUSE = """
select coalesce(extract(epoch from max(pause)), 0)
  from (select at - lag(at) over (order by at) as pause
          from (select at from docpipe_history where at >= %(since)s
                union all select %(since)s::timestamptz) steps) pauses
"""
_BEYOND = """
select (select count(*) from source_documents) + (select count(*) from neo4j_documents)
     + (select count(*) from docpipe_runs) - 3 * %(count)s
     + abs((select count(*) from stage_runs) - %(stages)s * %(count)s)
"""


@dataclass
class Report:
    """What the soak found."""

    documents: int
    final: Counter[str] = field(default_factory=Counter)
    lost: int = 0
    duplicated: int = 0
    differing: list[str] = field(default_factory=list)
    leftovers: dict[str, int] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    calm_seconds: float = 0.0
    longest_pause: float = 0.0
    """Seconds in the calm in which no document took a step, though some were not final: the last ones may
    wait for a lease to lapse, for the reaper to see it, and for workers to start."""
    struck: Counter[str] = field(default_factory=Counter)
    resubmitted: int = 0
    attempts: Counter[int] = field(default_factory=Counter)

    @property
    def good(self) -> bool:
        return (
            self.final == Counter({COMPLETED: self.documents})
            and not self.lost
            and not self.duplicated
            and not self.differing
            and not self.leftovers
        )

    def lines(self) -> list[str]:
        """For the reader."""
        faults = ", ".join(f"{count} x {name}" for name, count in self.struck.most_common())
        ends = ", ".join(f"{count} {status}" for status, count in self.final.most_common())
        attempts = ", ".join(f"{count} x {number}" for number, count in sorted(self.attempts.items()))
        return [
            f"faults: {sum(self.struck.values())} ({faults})",
            f"{sum(self.final.values())} of {self.documents} final ({ends}), {self.lost} lost,"
            f" {self.duplicated} duplicated, {len(self.differing)} differing",
            f"attempts of a stage: {attempts}; submissions tried again by the host: {self.resubmitted}",
            f"time to final: longest {max(self.seconds):.1f} s,"
            f" median {statistics.median(self.seconds):.1f} s;"
            f" the last one {self.calm_seconds:.1f} s after all was well again",
            f"longest pause in the calm: {self.longest_pause:.1f} s",
            f"left in broker and ledger: {self.leftovers or 'nothing'}",
        ]


def quiet_run(documents: Sequence[bytes], folder: Path) -> list[Document]:
    """The documents in this process, one after the other, in SQLite."""
    store = SqliteStore(folder / "quiet.db")
    pipeline = Pipeline(
        store=store, sources=Sources(uploads=folder / "quiet", keep_copies=True), options=OPTIONS
    )
    found = [pipeline.process(text, name="note.txt") for text in documents]
    store.close()
    return [_value(document) for document in found]


@dataclass(frozen=True)
class Plan:
    """What is put in, and how long it is under fire."""

    documents: Sequence[bytes]
    quiet: Sequence[Document]
    """What the documents must become."""
    seconds: float
    outage: float
    """Of the API, once, in the middle."""
    priorities: Sequence[int] = (0,)
    """Of the documents, in turn."""


def soak(plan: Plan, stack: Stack, pipeline: Pipeline, chaos: Chaos, redis_url: str) -> Report:
    """Submit while the chaos rages, wait in the calm, and compare."""
    report = Report(len(plan.documents))
    uuids: list[str] = []
    submitting = threading.Thread(target=_submit_all, args=(pipeline, plan, uuids, report))
    submitting.start()
    chaos.rage(plan.seconds / 2)
    if plan.outage:
        chaos.take_the_api_down(plan.outage)
    chaos.rage(plan.seconds / 2)
    stack.mend()
    submitting.join()
    report.struck = chaos.struck
    calm = datetime.now(UTC)
    report.calm_seconds = _wait_in_the_calm(stack.postgres.url, report.documents)
    report.longest_pause = _longest_pause(stack.postgres.url, calm)
    _look_at_the_tables(stack.postgres.url, report)
    report.differing = _differing(pipeline, uuids, plan.quiet)
    report.leftovers = _leftovers(redis_url, stack.postgres.url)
    return report


def _submit_all(pipeline: Pipeline, plan: Plan, uuids: list[str], report: Report) -> None:
    """As a host does that tries again when submit raises; evenly over the time."""
    begin, apart = time.monotonic(), plan.seconds / len(plan.documents)
    for number, (text, priority) in enumerate(zip(plan.documents, cycle(plan.priorities), strict=False)):
        time.sleep(max(0.0, begin + number * apart - time.monotonic()))
        while True:
            try:
                uuids.append(pipeline.submit(text, name="note.txt", priority=priority).document_uuid)
                break
            except DocpipeError:
                report.resubmitted += 1
                time.sleep(1.0)


def _wait_in_the_calm(dsn: str, count: int) -> float:
    """Seconds until all documents are final; gives up when for five minutes no further one is.

    A machine busy with other things takes longer, and nothing is lost by that.
    """
    begin = last = time.monotonic()
    with Watcher(dsn) as watcher:
        final = watcher.final
        while watcher.final < count and time.monotonic() < last + _CALM_SECONDS:
            time.sleep(0.2)
            if watcher.final > final:
                final, last = watcher.final, time.monotonic()
    return time.monotonic() - begin


def _longest_pause(dsn: str, since: datetime) -> float:
    with psycopg.connect(dsn, autocommit=True) as connection:
        ((seconds,),) = connection.execute(_PAUSE.encode(), {"since": since}).fetchall()
    return float(seconds)


def _look_at_the_tables(dsn: str, report: Report) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        for _, status, seconds, completions in connection.execute(_TIMES.encode()).fetchall():
            report.final[status] += is_final(status)
            report.seconds.append(float(seconds))
            report.duplicated += max(0, completions - 1)
        report.lost = report.documents - sum(report.final.values())
        numbers = {"count": report.documents, "stages": len(BUILT_IN)}
        ((beyond,),) = connection.execute(_BEYOND.encode(), numbers).fetchall()
        report.duplicated += max(0, beyond)
        query = "select attempt, count(*) from stage_runs group by attempt"
        report.attempts = Counter(dict(connection.execute(query.encode()).fetchall()))


def _differing(pipeline: Pipeline, uuids: Sequence[str], quiet: Sequence[Document]) -> list[str]:
    """The documents that differ from the quiet run's in anything but identity."""

    def load(uuid: str) -> Document:
        return _value(pipeline.store.load(Ref(uuid, 1), ALL_PARTS))

    with ThreadPoolExecutor(_READERS) as pool:
        found = pool.map(load, uuids)
        return [uuid for uuid, one, other in zip(uuids, found, quiet, strict=True) if one != other]


def _value(document: Document) -> Document:
    return replace(document, document_uuid="")


def _leftovers(redis_url: str, dsn: str) -> dict[str, int]:
    """What stays in broker and ledger; messages that dead workers held come back once more, and go."""
    begin = time.monotonic()
    while (left := leftovers(redis_url, dsn)) and time.monotonic() < begin + _CALM_SECONDS:
        time.sleep(1.0)
    return left
