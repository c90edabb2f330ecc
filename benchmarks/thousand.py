"""A thousand workers on paper: which service is busy first, and what a fleet reads in an hour.

    python -m benchmarks.thousand --write docs/explanation/scale.md

What one document costs Postgres and Redis is measured here, on real ones; then a discrete simulation lets
many workers take their stages from one Redis and write to one Postgres. The queues are never empty.
"""

from __future__ import annotations

import argparse
import heapq
import random
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import redis

from benchmarks import report
from docpipe.execution.plan import BUILT_IN
from docpipe.models import Chunk, Method, Page, Ref, StageOutput
from docpipe.stores.ledger_terms import Claimant
from docpipe.stores.postgres.store import PostgresStore
from docpipe.stores.values import NewDocument
from tests.stack import Stack

TEXT = "Ann met Bob."
OUTPUTS = {
    "ocr": StageOutput(text=TEXT, pages=(Page(1, 0, len(TEXT), 612.0, 792.0, Method.TEXT),)),
    "chunk": StageOutput(chunks=(Chunk(0, 0, len(TEXT), 1, 1, TEXT),)),
    "entities": StageOutput(mentions=()),
    "graph": StageOutput(entities=(), relations=(), edges=()),
}
REDIS_READS = 16
"""Socket reads of Redis for each document, with 2.5 commands each, by `benchmarks.orchestration`."""
WORKER_SECONDS = 0.029
"""CPU of a worker for each document beside its work, straight to Postgres, by `benchmarks.orchestration`."""
FLEETS = (10, 100, 300, 1_000, 3_000)


@dataclass(frozen=True, slots=True)
class Costs:
    """CPU seconds of the services for one document."""

    postgres: float
    redis: float


@dataclass(frozen=True, slots=True)
class Load:
    """What the documents are. `seconds`: CPU of their work, all stages together."""

    name: str
    pages: int
    seconds: float


LOADS = (Load("letters, 2 pages of text", 2, 0.3), Load("scans, 10 pages", 10, 10.9))


def cpu_of_children(parent: psutil.Process) -> float:
    """Seconds that the processes below this one have used so far."""
    return sum(sum(child.cpu_times()[:2]) for child in parent.children())


def measure(stack: Stack, documents: int) -> Costs:
    """What a tiny document costs: nine calls of the store, and Redis by its own count of its CPU."""
    store = PostgresStore(stack.env["SUPABASE_DB_URL"])
    assert stack.postgres.pid is not None
    parent = psutil.Process(stack.postgres.pid)
    for number in range(-10, 0):
        _document(store, number)
    before = cpu_of_children(parent)
    for number in range(documents):
        _document(store, number)
    used = cpu_of_children(parent) - before
    store.close()
    return Costs(used / documents, REDIS_READS * _redis_read(stack, 4_000))


def _document(store: PostgresStore, number: int) -> None:
    own, digest = str(uuid.uuid4()), uuid.uuid4().hex * 2
    plan = [spec.planned for spec in BUILT_IN]
    new = NewDocument(own, f"p{number % 20}", "a.txt", f"file:///{own}", digest, 12, {}, plan)
    (known,) = store.register_many([new], [own])
    for spec in BUILT_IN:
        _stage(store, known.ref, spec.name)


def _stage(store: PostgresStore, ref: Ref, stage: str) -> None:
    taken = store.claim(ref, stage, Claimant(uuid.uuid4().hex, "t", "host:1", 60.0, 5))
    assert taken.token is not None
    store.finish(ref, stage, taken.token, OUTPUTS[stage])


def _redis_read(stack: Stack, reads: int) -> float:
    """CPU seconds of Redis for one socket read, with messages of the size of docpipe's."""

    def used() -> float:
        found = client.info("cpu")
        return float(found["used_cpu_user"]) + float(found["used_cpu_sys"])

    with redis.Redis.from_url(stack.env["REDIS_URL"]) as client:
        before = used()
        for number in range(reads):
            with client.pipeline(transaction=False) as pipe:
                pipe.lpush("thousand", b"x" * 3_500)
                pipe.rpop("thousand")
                if number % 2:
                    pipe.llen("thousand")
                pipe.execute()
        return (used() - before) / reads


# --- the simulation ----------------------------------------------------------------------------------


@dataclass
class Service:
    """Cores that take requests in the order in which they come."""

    cores: int
    busy: float = 0.0
    free: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.free = [0.0] * self.cores

    def ask(self, at: float, seconds: float) -> float:
        """When the answer is there."""
        begins = max(at, heapq.heappop(self.free))
        heapq.heappush(self.free, begins + seconds)
        self.busy += seconds
        return begins + seconds


@dataclass(frozen=True, slots=True)
class Outcome:
    documents_per_second: float
    postgres: float
    """Of its cores' time, so much is used."""
    redis: float
    waiting: float
    """Of the workers' time, so much passes before a service answers."""


def simulate(workers: int, load: Load, costs: Costs, cores: int, stages: int, seed: int = 1) -> Outcome:
    """Workers that take one stage after the other; times are spread exponentially around their means.

    Each service is asked in the order of time: a worker's next step is an event, and events wait in a heap.
    """
    chance = random.Random(seed)  # noqa: S311 - no secret
    postgres, broker = Service(cores), Service(1)
    work, each = (load.seconds + WORKER_SECONDS) / len(BUILT_IN), 1 / len(BUILT_IN)
    events = [(chance.random() * work, worker, _TAKE) for worker in range(workers)]
    heapq.heapify(events)
    done, waited, now = 0, 0.0, 0.0
    while done < stages:
        now, worker, step = heapq.heappop(events)
        if step == _TAKE:
            after = broker.ask(now, _spread(chance, costs.redis * each))
            answered, following = after, _CLAIM
        elif step == _CLAIM:
            answered = postgres.ask(now, _spread(chance, costs.postgres * each / 2))
            after, following = answered + _spread(chance, work), _FINISH
        else:
            after = answered = postgres.ask(now, _spread(chance, costs.postgres * each / 2))
            following, done = _TAKE, done + 1
        waited += answered - now
        heapq.heappush(events, (after, worker, following))
    end = max(now, *postgres.free, *broker.free)
    return Outcome(
        stages * each / end, postgres.busy / cores / end, broker.busy / end, waited / (workers * end)
    )


_TAKE, _CLAIM, _FINISH = range(3)


def _spread(chance: random.Random, mean: float) -> float:
    return chance.expovariate(1.0 / mean)


def rows(costs: Costs, cores: int) -> Iterator[list[str]]:
    for load in LOADS:
        for workers in FLEETS:
            found = simulate(workers, load, costs, cores, stages=max(20_000, 40 * workers))
            yield [
                f"{load.name}: {workers:,} workers",
                f"{found.documents_per_second:.1f}",
                f"{3_600 * load.pages * found.documents_per_second:,.0f}",
                f"{found.postgres:.0%}",
                f"{found.redis:.0%}",
                f"{found.waiting:.0%}",
            ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--documents", type=int, default=200, help="of which the costs are measured")
    parser.add_argument("--cores", type=int, default=8, help="that Postgres has")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the figures into this page")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Stack(Path(folder) / "stack") as stack:
        costs = measure(stack, args.documents)
    head = ["load", "documents/s", "pages an hour", "Postgres busy", "Redis busy", "workers wait"]
    text = (
        f"{report.machine()} One document costs Postgres {1000 * costs.postgres:.1f} ms of CPU and Redis"
        f" {1000 * costs.redis:.2f} ms; Postgres has {args.cores} cores, Redis one.\n\n"
        f"{report.table(head, list(rows(costs, args.cores)))}"
    )
    print(text)
    if args.write:
        report.replace_section(args.write, "thousand", text)


if __name__ == "__main__":
    main()
