"""How documents in flight are shared between projects, by real workers.

    python -m benchmarks.shares --write docs/benchmarks.md --plot docs/images/shares.svg

A cap holds for what is in flight. First a thousand documents of one project wait, and one of another is
submitted. Then three projects of different weights have as many documents each: whose are the first that end.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import accumulate
from pathlib import Path

import psycopg

from benchmarks import report
from benchmarks.noop import QUEUES, TEXT, new_docpipe
from benchmarks.orchestration import environment
from docpipe.pipeline.pipeline import Pipeline
from docpipe.stores.share_port import Limit
from tests.stack import Stack
from tests.workers import Workers, wait_until

WEIGHTS = {"a": 3.0, "b": 2.0, "c": 1.0}
COLOURS = ("#1967d2", "#c5621c", "#2e7d32")
HANG_SECONDS = 1800.0


class Run:
    """Workers that do nothing but move documents, and a cap on those in flight."""

    def __init__(self, stack: Stack, pipeline: Pipeline) -> None:
        self.stack, self.pipeline = stack, pipeline
        self.most_in_flight = 0

    def submit(self, project: str, count: int) -> None:
        texts = (f"{TEXT} {project} {uuid.uuid4()}".encode() for _ in range(count))
        for _ in self.pipeline.submit_many(texts, name="a.txt", project_id=project):
            pass

    def seconds_of_one(self, project: str) -> float:
        """From the submit of one document of the project to its end."""
        done = self.completed().count(project) + 1
        started = time.perf_counter()
        self.submit(project, 1)
        self.wait(project, done)
        return time.perf_counter() - started

    def wait(self, project: str, count: int) -> None:
        """Until so many documents of the project have completed."""
        wait_until(partial(self._have_completed, project, count), "they are done", HANG_SECONDS)

    def _have_completed(self, project: str, count: int) -> bool:
        in_flight = sum(each.in_flight for each in self.pipeline.shares())
        self.most_in_flight = max(self.most_in_flight, in_flight)
        return self.completed().count(project) >= count

    def completed(self) -> list[str]:
        """The projects of the documents that have, in the order of their ends."""
        with psycopg.connect(self.stack.postgres.url) as db:
            found = db.execute(
                "select d.project_id::text from docpipe_runs r join source_documents d using (document_uuid)"
                " where r.state = 'completed' order by r.finished_at"
            )
            return [project for (project,) in found]


@contextmanager
def running(stack: Stack, folder: Path, cap: int, workers: int) -> Iterator[Run]:
    stack.postgres.empty()
    env = {**stack.env, "DOCPIPE_STORE": "postgres", "DOCPIPE_UPLOADS": str(folder / "uploads")}
    with environment(env), Workers(folder, env, app="benchmarks.noop:docpipe") as crew:
        pipeline = new_docpipe()
        pipeline.limit(Limit(in_flight=cap))
        for _ in range(workers):
            crew.start(*QUEUES)
        crew.wait_until_ready()
        yield Run(stack, pipeline)


def beside(run: Run, documents: int) -> str:
    """One document of a project beside very many of another."""
    run.seconds_of_one("small")  # imports, connections
    idle = statistics.median(run.seconds_of_one("small") for _ in range(5))
    run.submit("large", documents)
    before = run.completed().count("large")
    seconds = run.seconds_of_one("small")
    after = run.completed().count("large")
    run.wait("large", documents)
    rows = [
        ["alone, ms", f"{1000 * idle:.0f}"],
        [f"beside {documents:,} of another project, ms", f"{1000 * seconds:.0f}"],
        ["of those ended while it was under way", str(after - before)],
        ["most in flight", str(run.most_in_flight)],
    ]
    return report.table(["one document", ""], rows)


def weighted(run: Run, documents: int, cap: int) -> list[str]:
    """The projects of the documents that end, in their order, while every project has some that wait."""
    for project, weight in WEIGHTS.items():
        run.pipeline.limit(Limit(project, weight=weight))
    run.pipeline.limit(Limit(in_flight=1))  # until all are there
    for project in WEIGHTS:
        run.submit(project, documents)
    before = len(run.completed())
    run.pipeline.limit(Limit(in_flight=cap))
    for project in WEIGHTS:
        run.wait(project, documents)
    order = run.completed()[before:]
    heaviest = max(WEIGHTS, key=WEIGHTS.__getitem__)
    last = max(place for place, each in enumerate(order) if each == heaviest)
    return order[: last + 1 - cap]


def parts(order: Sequence[str], step: int) -> str:
    """Whose the first of them are, in percent, beside what the weights say."""
    whole = sum(WEIGHTS.values())
    rows = [["by weight", *(f"{100 * weight / whole:.0f} %" for weight in WEIGHTS.values())]]
    for count in range(step, len(order) + 1, step):
        first = order[:count]
        rows.append([f"the first {count}", *(f"{100 * first.count(each) / count:.0f} %" for each in WEIGHTS)])
    return report.table(["ended", *(f"weight {weight:.0f}" for weight in WEIGHTS.values())], rows)


def plot(order: Sequence[str]) -> str:
    """Documents ended of each project against those of all, beside the straight lines of the weights."""
    whole, many = sum(WEIGHTS.values()), len(order)
    top = many * max(WEIGHTS.values()) / whole * 1.1

    def at(x: float, y: float) -> str:
        return f"{50 + 540 * x / many:.1f},{290 - 250 * y / top:.1f}"

    size = 'viewBox="0 0 720 320" font-family="sans-serif" font-size="12"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size}>',
        '<rect width="720" height="320" fill="white"/>',
        '<text x="50" y="24" font-size="15">Documents ended, of each project and of all</text>',
        f'<polyline points="{at(0, top)} {at(0, 0)} {at(many, 0)}" fill="none" stroke="#888"/>',
        f'<text x="590" y="306" text-anchor="end">{many}</text>',
    ]
    for (project, weight), colour in zip(WEIGHTS.items(), COLOURS, strict=True):
        counts = list(accumulate((each == project for each in order), initial=0))
        curve = " ".join(at(x, y) for x, y in enumerate(counts))
        fair = f"{at(0, 0)} {at(many, many * weight / whole)}"
        x, y = at(many, counts[-1]).split(",")
        lines += [
            f'<polyline points="{fair}" stroke="#bbb" stroke-dasharray="4"/>',
            f'<polyline points="{curve}" fill="none" stroke="{colour}" stroke-width="2"/>',
            f'<text x="{x}" y="{y}" dx="6" dy="4" fill="{colour}">{counts[-1]} (weight {weight:.0f})</text>',
        ]
    return "\n".join([*lines, "</svg>\n"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--documents", type=int, default=1000, help="of the large project")
    parser.add_argument("--weighted", type=int, default=300, help="of each of the three projects")
    parser.add_argument("--cap", type=int, default=50, help="documents in flight")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the figures into this page")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="write the curves of the weights, as SVG")
    args = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        Stack(Path(folder) / "stack") as stack,
        running(stack, Path(folder), args.cap, args.workers) as run,
    ):
        one = beside(run, args.documents)
        order = weighted(run, args.weighted, args.cap)
    told = (
        f"{report.machine()} {args.workers} workers of one process, at most {args.cap} documents in flight."
    )
    text = f"{told}\n\n{one}\n\n{parts(order, 100)}"
    print(text)
    if args.write:
        report.replace_section(args.write, "shares", text)
    if args.plot:
        args.plot.write_text(plot(order), encoding="utf-8")


if __name__ == "__main__":
    main()
