"""What each operation of a store takes with a thousand documents, and with very many.

    python -m benchmarks.growth --documents 1000 100000 --write docs/benchmarks.md

Each number of documents has a Postgres database and a SQLite file of its own; the rows are made in SQL. Every
operation is called several times through the store; the median counts. What is measured is CPU time, of this
process and of the one that serves it in Postgres: seconds depend on what else the machine does.
--explain prints the plans of the statements in Postgres that take long, by its auto_explain.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg

from benchmarks import growth_rows, report
from docpipe.execution.plan import BUILT_IN
from docpipe.models import EntityName, Failure, Ref, StageOutput
from docpipe.stores.ledger_terms import Claimant
from docpipe.stores.port import Store
from docpipe.stores.postgres.store import PostgresStore
from docpipe.stores.sqlite.store import SqliteStore
from docpipe.stores.text_search import terms
from docpipe.stores.values import Look, NewDocument, Selection
from tests.stack import Stack

REPEATS = 7
TITLES = {"postgres": "Postgres", "sqlite": "SQLite"}
FACTOR, MILLISECONDS = 3.0, 50.0
"""What grows more, or takes longer, is to be mended, or explained."""


@dataclass
class Stopwatch:
    """Takes the CPU time of calls: of this process, and of those that serve it."""

    servers: Sequence[int] = ()
    """Their process ids."""
    here: bool = True
    """Whether this process counts."""

    def milliseconds(self, call: Callable[[], object]) -> float:
        started = self._nanoseconds()
        call()
        return (self._nanoseconds() - started) / 1e6

    def _nanoseconds(self) -> int:
        """Linux counts a process's time on a CPU to the nanosecond here, and in `times` to 10 ms."""
        counts = [Path(f"/proc/{each}/schedstat").read_text(encoding="ascii") for each in self.servers]
        served = sum(int(each.split()[0]) for each in counts)
        return served + (time.process_time_ns() if self.here else 0)


@dataclass
class Worker:
    """Documents of its own, on which the moves are made one after the other."""

    store: Store
    watch: Stopwatch

    def register(self) -> Ref:
        plan = [spec.planned for spec in BUILT_IN]
        own = str(uuid.uuid4())
        new = NewDocument(own, "large", "new.pdf", f"file:///{own}", own, 1000, {}, plan)
        return self.store.register(new).ref

    def moves(self) -> Iterator[tuple[str, float]]:
        """A document from its submit to its end, with the milliseconds of each move."""
        store, ref = self.store, Ref("", 1)

        def timed(name: str, move: Callable[[], object]) -> tuple[str, float]:
            return name, self.watch.milliseconds(move)

        def register() -> None:
            nonlocal ref
            ref = self.register()

        yield timed("register", register)
        yield timed("queue", lambda: store.queue(ref, "ocr", str(uuid.uuid4())))
        token = 0

        def claim() -> None:
            nonlocal token
            taken = store.claim(ref, "ocr", Claimant(uuid.uuid4().hex, "t", "host:1", 60.0, 5))
            assert taken.token is not None
            token = taken.token

        yield timed("claim", claim)
        yield timed("heartbeat", lambda: store.heartbeat(ref, "ocr", token, 60.0))
        failure = Failure("transient", "TransientError", "away")
        yield timed("retry", lambda: store.retry(ref, "ocr", token, failure, 0.0))
        claim()
        output = StageOutput(text="Ann met Bob.", pages=())
        yield timed("finish", lambda: store.finish(ref, "ocr", token, output))
        yield timed("status", lambda: store.status(ref.document_uuid))
        yield timed("cancel", lambda: store.cancel(ref.document_uuid))
        yield timed("resume", lambda: store.resume(ref.document_uuid, "again"))
        yield timed("delete", lambda: store.delete(ref.document_uuid))


def reads(store: Store, documents: int) -> Mapping[str, Callable[[], object]]:
    """What users and loops ask, by name. The head of the backlog is the message of its oldest document."""
    oldest = documents - documents % 100  # n % 100 = 0 waits
    head = Look("ocr", tuple(range(10)), ((Ref(f"d{oldest}", 1), f"t{oldest}"),), False)
    done = Ref("d10", 1)
    names = [EntityName(0, "PERSON ann 10", "ann 10", "PERSON", "ann 10", 1, ("PERSON ^ann ",))]
    return {
        "lost (reaper, behind the backlog)": lambda: store.lost([head], grace_seconds=30.0),
        "release (reaper)": store.release,
        "unlinked, one day (reaper)": lambda: store.unlinked(seconds=86_400.0),
        "statistics (monitor)": store.statistics,
        "the newest documents": store.documents,
        "documents of a small project": lambda: store.documents(Selection(project_id="p1")),
        "documents with an error of none": lambda: store.documents(Selection(error_code="bug")),
        "documents with a status": lambda: store.documents(Selection(status=("error_ocr",)), limit=50),
        "documents of a batch": lambda: store.batch("b1"),
        "first 100 names of the large project": lambda: store.keys("large"),
        "search of a name, no match": lambda: store.keys("large", text="nobody at all"),
        "search of a word, few matches": lambda: store.search_pages(terms("15")),
        "search of a word, all match": lambda: store.search_pages(terms("agreement")),
        "search of a phrase, one match": lambda: store.search_pages(terms(f'"agreement {documents - 85}"')),
        "search of any word of three": lambda: store.search_pages(terms("agreement ann 15"), any_term=True),
        "the documents by name": lambda: store.documents(Selection(sort="name"), limit=51),
        "link a name in the large project": lambda: store.link(done, names),
    }


def measured(store: Store, documents: int) -> dict[str, float]:
    """Median milliseconds of each operation."""
    found: dict[str, list[float]] = {}
    watch = Stopwatch(backends(store))
    worker = Worker(store, watch)
    for _ in range(REPEATS):
        for name, taken in worker.moves():
            found.setdefault(name, []).append(taken)
        for name, call in reads(store, documents).items():
            found.setdefault(name, []).append(watch.milliseconds(call))
    return {name: statistics.median(values) for name, values in found.items()}


def backends(store: Store) -> list[int]:
    """The process in Postgres that serves the calls of one thread."""
    if not isinstance(store, PostgresStore):
        return []
    with store._connected() as connection:
        return [connection.info.backend_pid]


@contextmanager
def postgres(stack: Stack, documents: int) -> Iterator[Store]:
    dsn = stack.env["SUPABASE_DB_URL"]
    stack.postgres.empty()
    with psycopg.connect(dsn, autocommit=True) as db:
        for statement in growth_rows.inserts(growth_rows.POSTGRES, documents):
            db.execute(statement.encode())
        db.execute(b"vacuum analyze")
    # what parallel workers do is not counted, so there are none
    store = PostgresStore(f"{dsn}?options={quote('-c max_parallel_workers_per_gather=0')}")
    yield store
    store.close()


_EXPLAIN = (
    "session_preload_libraries=auto_explain",
    "auto_explain.log_min_duration=10",
    "auto_explain.log_analyze=on",
    "auto_explain.log_nested_statements=on",
    "client_min_messages=log",
)


def explain(stack: Stack, documents: int, names: Iterable[str]) -> None:
    """Print the plans of what these operations ask Postgres, those of statements in functions too."""
    options = quote(" ".join(f"-c {each}" for each in _EXPLAIN))
    store = PostgresStore(f"{stack.env['SUPABASE_DB_URL']}?options={options}")
    with store._connected() as connection:  # the one that the calls below take from the pool
        connection.add_notice_handler(lambda notice: print(notice.message_primary))
    calls = reads(store, documents)
    for name in names:
        if name in calls:
            print(f"--- {name}")
            calls[name]()
    store.close()


@contextmanager
def sqlite(folder: Path, documents: int) -> Iterator[Store]:
    store = SqliteStore(folder / f"{documents}.db")
    with store._transaction() as db:
        for statement in growth_rows.inserts(growth_rows.SQLITE, documents):
            db.execute(statement)
    store._connection().execute("analyze")
    yield store
    store.close()


def table(sizes: list[int], results: Mapping[str, Mapping[int, Mapping[str, float]]]) -> str:
    """CPU by store and number of documents; what grows too much or takes too long is marked."""
    columns = (f"{TITLES[name]}, {size:,}" for name in results for size in sizes)
    head = ["milliseconds of CPU, median", *columns]
    names = list(next(iter(next(iter(results.values())).values())))
    rows = [
        [name, *(cell for by_size in results.values() for cell in _cells(name, sizes, by_size))]
        for name in names
    ]
    return report.table(head, rows)


def _cells(name: str, sizes: list[int], by_size: Mapping[int, Mapping[str, float]]) -> Iterator[str]:
    least = by_size[sizes[0]][name]
    for size in sizes:
        value = by_size[size][name]
        too_much = value > MILLISECONDS or (value > FACTOR * least and value > 5.0)
        yield f"**{value:.1f}**" if too_much and size > sizes[0] else f"{value:.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--documents", type=int, nargs="+", default=[1_000, 100_000])
    parser.add_argument("--store", choices=["postgres", "sqlite"], nargs="+", default=["postgres", "sqlite"])
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the figures into this page")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="write bars of the largest number, as SVG")
    parser.add_argument("--explain", action="store_true", help="print the plans of what takes long")
    args = parser.parse_args()
    results: dict[str, dict[int, dict[str, float]]] = {name: {} for name in args.store}
    with tempfile.TemporaryDirectory() as folder, Stack(Path(folder) / "stack") as stack:
        for name in args.store:
            for size in args.documents:
                opened = postgres(stack, size) if name == "postgres" else sqlite(Path(folder), size)
                with opened as store:
                    found = results[name][size] = measured(store, size)
                    if args.explain and name == "postgres":
                        explain(stack, size, (each for each in found if found[each] > MILLISECONDS))
    text = f"{report.machine()} Medians of {REPEATS} calls.\n\n{table(args.documents, results)}"
    print(text)
    if args.write:
        report.replace_section(args.write, "growth", text)
    if args.plot:
        largest = results[args.store[0]][args.documents[-1]]
        title = f"{TITLES[args.store[0]]}, {args.documents[-1]:,} documents: CPU"
        args.plot.write_text(report.bars(title, list(largest.items()), "ms"), encoding="utf-8")


if __name__ == "__main__":
    main()
