"""What docpipe costs beside the work: four stages that do nothing, next to a bare Celery chain of four tasks.

    python -m benchmarks.orchestration --documents 100 --write docs/benchmarks.md

Each contender gets one worker with one process, an empty Redis database and, but for the bare chain, an empty
Postgres. Documents are first submitted all at once (what they cost, how many a second), then one at a time
(how long each takes). Seconds depend on what else the machine does; counts do not.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice, pairwise
from pathlib import Path

import psycopg
import redis

from benchmarks import report
from benchmarks.noop import CALLS, QUEUES, TEXT, TIMES, bare_chain, new_bare, new_docpipe
from tests.stack import Stack
from tests.workers import Worker, Workers, clean_environment, wait_until

TITLES = {
    "bare": "bare chain",
    "supabase": "Supabase API",
    "supabase in place": "the same, in place",
    "postgres": "straight to Postgres",
    "postgres in place": "the same, in place",
}
"""The contenders; docpipe goes on in place where it is said."""

WARM, BATCH = 500, 1500
"""Documents of one `submit_many`: so many before, and so many that are measured."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Everything that only grows, at one moment."""

    seconds: float
    worker_cpu: float
    client_cpu: float
    store_calls: int
    redis_commands: int
    redis_reads: int
    transactions: int
    rows_written: int
    wal_bytes: int

    def since(self, before: Counts, documents: int) -> Counts:
        """What was added, for each document."""
        values = (
            (getattr(self, name) - getattr(before, name)) / documents for name in self.__dataclass_fields__
        )
        return Counts(*values)


@dataclass(frozen=True, slots=True)
class Result:
    name: str
    each: Counts
    submit_seconds: float
    submit_cpu: float
    batch_seconds: float
    batch_cpu: float
    handovers: list[float]
    latencies: list[float]


class Contender:
    """One of them, with its worker and the counters of the services."""

    def __init__(self, name: str, stack: Stack, folder: Path, database: int) -> None:
        self.name, self.stack, self.folder = name, stack, folder
        self.redis_url = stack.redis.database_url(database)
        self.redis = redis.Redis.from_url(self.redis_url)
        self.times, self.calls = folder / f"{name}.times", folder / f"{name}.calls"
        self.times.touch()
        self.calls.touch()
        self.asked = 0
        self.env = {**stack.env, "REDIS_URL": self.redis_url, TIMES: str(self.times)}
        self.env |= {"DOCPIPE_STORE": "supabase" if name == "bare" else name.split()[0]}
        self.env |= {"DOCPIPE_IN_PLACE_CHARACTERS": "1000" if name.endswith("in place") else "0"}
        self.env |= {"DOCPIPE_UPLOADS": str(folder / "uploads"), "DOCPIPE_ISOLATE": "false"}

    @property
    def app(self) -> str:
        return "bare" if self.name == "bare" else "docpipe"

    @property
    def worker_env(self) -> dict[str, str]:
        return {**self.env, CALLS: str(self.calls)}

    def counts(self, worker: Worker) -> Counts:
        info, commands = self.redis.info("stats"), self.redis.info("commandstats")
        with psycopg.connect(self.stack.postgres.url, autocommit=True) as connection:
            connection.execute("select pg_stat_force_next_flush()")
            found = connection.execute(
                "select xact_commit + xact_rollback, tup_inserted + tup_updated + tup_deleted,"
                " pg_current_wal_lsn() - '0/0' from pg_stat_database where datname = current_database()"
            ).fetchone()
        assert found is not None
        times = [process.cpu_times() for process in worker.processes()]
        return Counts(
            time.perf_counter(),
            sum(each.user + each.system for each in times),
            time.process_time(),
            self.calls.stat().st_size,
            sum(each["calls"] for each in commands.values()),
            int(info["total_reads_processed"]),
            int(found[0]) - self.asked,
            int(found[1]),
            int(found[2]),
        )

    def settled(self, documents: int) -> bool:
        """Whether so many documents are done, and nothing waits or is held."""
        return self.done() >= documents and not self.redis.hlen("docpipe:unacked")

    def done(self) -> int:
        if self.name == "bare":
            return len(self.times.read_text().splitlines())
        self.asked += 1
        with psycopg.connect(self.stack.postgres.url) as connection:
            found = connection.execute(
                "select count(*) from docpipe_runs where state = 'completed'"
            ).fetchone()
        return int(found[0]) if found else 0

    def paths(self, last: int) -> list[list[float]]:
        """Of the last documents: when each was submitted, and when each of its stages began."""
        if self.name == "bare":
            return [list(map(float, line.split())) for line in self.times.read_text().splitlines()[-last:]]
        with psycopg.connect(self.stack.postgres.url) as connection:
            found = connection.execute(
                "select extract(epoch from r.created_at)::float8,"
                " array_agg(extract(epoch from s.started_at)::float8 order by s.position)"
                " from docpipe_runs r join stage_runs s using (document_uuid, run)"
                " group by r.document_uuid, r.run, r.created_at order by r.created_at desc limit %s",
                (last,),
            ).fetchall()
        return [[submitted, *begun] for submitted, begun in found]


@contextmanager
def environment(values: dict[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(clean_environment(values))
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def measured(contender: Contender, documents: int, singly: int) -> Result:
    """One contender, from an empty store to its figures."""
    contender.stack.postgres.empty()
    with environment(contender.env):
        app = f"benchmarks.noop:{contender.app}"
        with Workers(contender.folder, contender.worker_env, app=app) as workers:
            worker = workers.start(*QUEUES)
            workers.wait_until_ready()
            submit = _submitter(contender)
            for number in range(5):  # imports, connections, the first pages of each table
                submit(number)
            wait_until(lambda: contender.settled(5), "the first are done")
            before = contender.counts(worker)
            for number in range(documents):
                submit(1_000 + number)
            sent = contender.counts(worker)
            wait_until(lambda: contender.settled(5 + documents), "all are done")
            each = contender.counts(worker).since(before, documents)
            for number in range(singly):
                submit(1_000_000 + number)
                wait_until(partial(contender.settled, 6 + documents + number), "one is done")
            paths = contender.paths(singly)
        batch = _batch(contender)
    sending = sent.since(before, documents)
    return Result(
        contender.name,
        each,
        sending.seconds,
        sending.client_cpu,
        *batch,
        [later - earlier for path in paths for earlier, later in pairwise(path[1:])],
        [path[-1] - path[0] for path in paths],
    )


def _submitter(contender: Contender) -> Callable[[int], object]:
    if contender.name == "bare":
        app = new_bare()
        return lambda _: bare_chain(app, str(uuid.uuid4())).apply_async()
    pipeline = new_docpipe()
    return lambda number: pipeline.submit(f"{TEXT} {number}".encode(), name=f"{number}.txt")


def _batch(contender: Contender) -> tuple[float, float]:
    """Seconds and CPU seconds of this process for each document of one call of `submit_many`."""
    texts = (f"{TEXT} batch {number}".encode() for number in range(WARM + BATCH))
    sent: Iterator[object]
    if contender.name == "bare":
        app = new_bare()
        sent = (bare_chain(app, str(uuid.uuid4())).apply_async() for _ in texts)
    else:
        sent = new_docpipe().submit_many(texts, name="a.txt")
    for _ in islice(sent, WARM):
        pass
    started, cpu = time.perf_counter(), time.process_time()
    for _ in sent:
        pass
    return (time.perf_counter() - started) / BATCH, (time.process_time() - cpu) / BATCH


def tables(results: list[Result]) -> str:
    """The figures, in Markdown; the bare chain is the measure of the others."""
    bare = results[0]
    rows = [
        ["worker CPU, ms", *(f"{1000 * each.each.worker_cpu:.1f}" for each in results)],
        ["the same, beside the bare chain", *(_ratio(each, bare) for each in results)],
        ["calls of the store", *(f"{each.each.store_calls:.1f}" for each in results)],
        ["client CPU per submit, ms", *(f"{1000 * each.submit_cpu:.1f}" for each in results)],
        ["submits per second", *(f"{1 / each.submit_seconds:.0f}" for each in results)],
        ["submit_many, client CPU, ms", *(f"{1000 * each.batch_cpu:.1f}" for each in results)],
        ["submit_many, documents per second", *(f"{1 / each.batch_seconds:.0f}" for each in results)],
        ["Redis commands", *(f"{each.each.redis_commands:.0f}" for each in results)],
        ["Redis socket reads", *(f"{each.each.redis_reads:.1f}" for each in results)],
        ["transactions in Postgres", *(f"{each.each.transactions:.0f}" for each in results)],
        ["rows written", *(f"{each.each.rows_written:.0f}" for each in results)],
        ["WAL, kB", *(f"{each.each.wal_bytes / 1000:.0f}" for each in results)],
        ["documents per second", *(f"{1 / each.each.seconds:.2f}" for each in results)],
        ["one stage's start to the next's, p50 / p95 ms", *(_quantiles(each.handovers) for each in results)],
        ["submit to the last stage's start, p50 / p95 ms", *(_quantiles(each.latencies) for each in results)],
    ]
    return report.table(["per document", *(TITLES[each.name] for each in results)], rows)


def _ratio(result: Result, bare: Result) -> str:
    return f"{result.each.worker_cpu / bare.each.worker_cpu:.1f}"


def _quantiles(seconds: list[float]) -> str:
    cuts = statistics.quantiles(seconds, n=20)
    return f"{1000 * statistics.median(seconds):.0f} / {1000 * cuts[18]:.0f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--documents", type=int, default=100, help="submitted at once, to each contender")
    parser.add_argument("--singly", type=int, default=20, help="then one at a time")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the figures into this page")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Stack(Path(folder) / "stack") as stack:
        results = [
            measured(Contender(name, stack, Path(folder), 1 + number), args.documents, args.singly)
            for number, name in enumerate(TITLES)
        ]
    text = (
        f"{report.machine()} {args.documents} documents at once, {args.singly} singly.\n\n{tables(results)}"
    )
    print(text)
    if args.write:
        report.replace_section(args.write, "orchestration", text)


if __name__ == "__main__":
    main()
