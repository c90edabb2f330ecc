"""What a very long document asks of the store: each of its calls, and the heartbeats beside them.

    python -m benchmarks.long --write docs/benchmarks.md

5,000 pages of 40 lines and 40,000 mentions, made up, are saved stage by stage and loaded again. CPU time is
that of the process and of the one that serves it in Postgres; of the calls of the database that a move makes,
the longest is shown by itself. Heartbeats go over another connection all the while.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import report
from benchmarks.growth import Stopwatch, backends
from docpipe.execution.plan import BUILT_IN
from docpipe.models import Chunk, Entity, Line, Mention, Method, Page, StageOutput
from docpipe.stores.functions.calls import Call
from docpipe.stores.ledger_terms import Claimant
from docpipe.stores.port import Store
from docpipe.stores.postgres.store import PostgresStore
from docpipe.stores.sqlite.store import SqliteStore
from docpipe.stores.values import ALL_PARTS, NewDocument
from tests.stack import Stack

LINES, CHUNKS, MENTIONS = 40, 4, 8
"""Of each page."""
WIDTH = 60
"""Characters of a line, its end included."""
BEAT_SECONDS = 0.05


def outputs(pages: int) -> Mapping[str, StageOutput]:
    """What the stages find."""
    line = "The agreement of Ann Lee with Example Ltd of 4 May 2021 ends".ljust(WIDTH - 1)[: WIDTH - 1]
    text = "\n".join([line] * (LINES * pages))
    size = LINES * WIDTH
    box = (72.0, 72.0, 300.0, 84.0)

    def page(number: int) -> Page:
        starts = [(number * LINES + row) * WIDTH for row in range(LINES)]
        lines = tuple(Line(start, start + WIDTH - 1, box, 1.0) for start in starts)
        return Page(number + 1, starts[0], starts[-1] + WIDTH - 1, 612.0, 792.0, Method.TEXT, lines)

    def chunk(number: int) -> Chunk:
        start, of_page = number * size // CHUNKS, number // CHUNKS + 1
        end = start + size // CHUNKS - 1
        return Chunk(number, start, end, of_page, of_page, text[start:end])

    def mention(number: int) -> Mention:
        start = number * size // MENTIONS + 17
        of_page = number // MENTIONS + 1
        return Mention(
            number,
            text[start : start + 7],
            "PERSON",
            start,
            start + 7,
            of_page,
            box,
            1.0,
            "x",
            number * CHUNKS // MENTIONS,
        )

    many = pages * MENTIONS
    entities = (
        Entity(n, f"Ann Lee {n}", "PERSON", tuple(range(n * 10, n * 10 + 10))) for n in range(many // 10)
    )
    return {
        "ocr": StageOutput(text=text, pages=tuple(map(page, range(pages))), file_type="application/pdf"),
        "chunk": StageOutput(chunks=tuple(map(chunk, range(pages * CHUNKS)))),
        "entities": StageOutput(mentions=tuple(map(mention, range(many)))),
        "graph": StageOutput(entities=tuple(entities), relations=(), edges=()),
    }


class Beats:
    """Heartbeats of a stage by another thread, with what each took of the clock."""

    def __init__(self, beat: Callable[[], object]) -> None:
        self.seconds: list[float] = []
        self._beat, self._over = beat, threading.Event()

    @contextmanager
    def beating(self) -> Iterator[None]:
        thread = threading.Thread(target=self._run)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()

    def _run(self) -> None:
        while not self._over.wait(BEAT_SECONDS):
            started = time.perf_counter()
            self._beat()
            self.seconds.append(time.perf_counter() - started)


class Watched(PostgresStore):
    """A store that notes what its longest call of the database took of Postgres."""

    longest = 0.0

    def _call(self, call: Call) -> Any:
        with self._connected() as connection:
            watch = Stopwatch([connection.info.backend_pid], here=False)
        found: list[Any] = []
        taken = watch.milliseconds(lambda: found.append(super(Watched, self)._call(call)))
        self.longest = max(self.longest, taken)
        return found[0]

    def _piped(self, calls: Sequence[Call]) -> None:
        for call in calls:
            self._call(call)


def measured(store: Store, beside: Store, found: Mapping[str, StageOutput]) -> Iterator[list[str]]:
    """Rows: each move, its CPU, that of its longest call of the database, and the heartbeats beside it."""
    own = str(uuid.uuid4())
    new = NewDocument(
        own, None, "long.pdf", f"file:///{own}", own, 1, {}, [spec.planned for spec in BUILT_IN]
    )
    ref = store.register(new).ref
    servers = backends(store)
    for stage, output in found.items():
        token = store.claim(ref, stage, Claimant(uuid.uuid4().hex, "t", "host:1", 600.0, 5)).token
        assert token is not None
        finish: Callable[[], object] = partial(store.finish, ref, stage, token, output)
        if output.entities is not None:  # as after the last stage
            finish = partial(store.finish_on, ref, stage, token, output, ())
        beats = Beats(partial(beside.heartbeat, ref, stage, token, 600.0))
        with beats.beating():
            yield row(f"finish of {stage}", store, servers, finish, beats)
    yield row("load of all", store, servers, partial(store.load, ref, ALL_PARTS), None)


def row(
    name: str, store: Store, servers: Sequence[int], move: Callable[[], object], beats: Beats | None
) -> list[str]:
    if isinstance(store, Watched):
        store.longest = 0.0
    taken = Stopwatch(servers).milliseconds(move)
    longest = f"{store.longest:,.0f}" if isinstance(store, Watched) and store.longest else "–"
    told = "–"
    if beats is not None and beats.seconds:
        told = f"{1000 * statistics.median(beats.seconds):.0f} / {1000 * max(beats.seconds):.0f}"
    return [name, f"{taken:,.0f}", longest, told]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--pages", type=int, default=5000)
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the figures into this page")
    args = parser.parse_args()
    found = outputs(args.pages)
    with tempfile.TemporaryDirectory() as folder, Stack(Path(folder) / "stack") as stack:
        dsn, file = stack.env["SUPABASE_DB_URL"], Path(folder) / "docpipe.db"
        stores: dict[str, tuple[Store, Store]] = {
            "Postgres": (Watched(dsn), PostgresStore(dsn)),
            "SQLite": (SqliteStore(file), SqliteStore(file)),
        }
        rows = [
            [f"{title}, {name}", *cells]
            for title, (store, beside) in stores.items()
            for name, *cells in measured(store, beside, found)
        ]
        for one, other in stores.values():
            one.close()
            other.close()
    head = [
        "milliseconds",
        "CPU",
        "longest call, CPU of Postgres",
        "heartbeats beside it, p50 / longest, clock",
    ]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    size = f"{args.pages:,} pages, {args.pages * MENTIONS:,} mentions; this process held {peak:,} MB."
    text = f"{report.machine()} {size}\n\n{report.table(head, rows)}"
    print(text)
    if args.write:
        report.replace_section(args.write, "long", text)


if __name__ == "__main__":
    main()
