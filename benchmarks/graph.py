"""The graph stage on long documents: CPU seconds (the least of three runs) and peak memory by pages.

    python -m benchmarks.graph [--plot docs/images/graph.svg]

The documents are made up: 40 mentions a page, ten new names on each page, and on every tenth page a
sentence that lists 60 names. The garbage collector looks through all that is kept as it grows; what the
stage itself does is measured without it too. Memory is what Python allocates while the stage runs
(tracemalloc), the document itself not counted.
"""

from __future__ import annotations

import argparse
import gc
import random
import time
import tracemalloc
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from docpipe.models import Chunk, Mention, Method, Page
from docpipe.stages.graph.build import build_graph

PAGES = (125, 250, 500, 1000)
_GIVEN = (
    "Ann",
    "Bert",
    "Cora",
    "Dan",
    "Eva",
    "Fred",
    "Gina",
    "Hugo",
    "Ida",
    "Jan",
    "Kim",
    "Leo",
    "Mia",
    "Ned",
)
_SYLLABLES = (
    "bar",
    "den",
    "fel",
    "gor",
    "hin",
    "kal",
    "lom",
    "mur",
    "nor",
    "pel",
    "ras",
    "sel",
    "tor",
    "vin",
)


class Made(NamedTuple):
    text: str
    pages: list[Page]
    chunks: list[Chunk]
    mentions: list[Mention]


class Measured(NamedTuple):
    pages: int
    mentions: int
    relations: int
    seconds: float
    uncollected: float
    """CPU seconds without the garbage collector."""
    megabytes: float


def document(pages: int) -> Made:
    """A document of so many pages, the same at every call."""
    rng = random.Random(pages)  # noqa: S311
    made = Made("", [], [], [])
    pieces: list[str] = []
    names: list[tuple[str, str]] = []
    length = 0
    for number in range(1, pages + 1):
        names += [_new_name(rng) for _ in range(10)]
        start = length
        for piece, label in _page(rng, names, listed=number % 10 == 0):
            if label:
                end = length + len(piece)
                index = len(made.mentions)
                made.mentions.append(
                    Mention(index, piece, label, length, end, number, None, 1.0, "made", number - 1)
                )
            pieces.append(piece)
            length += len(piece)
        made.pages.append(Page(number, start, length, None, None, Method.TEXT))
        made.chunks.append(Chunk(number - 1, start, length, number, number))
    return made._replace(text="".join(pieces))


def _new_name(rng: random.Random) -> tuple[str, str]:
    word = "".join(rng.choices(_SYLLABLES, k=3)).capitalize()
    return rng.choice(
        (
            (f"{rng.choice(_GIVEN)} {word}", "PERSON"),
            (f"{word} Works Ltd.", "ORG"),
            (f"{word}ville", "LOCATION"),
        )
    )


def _page(rng: random.Random, names: Sequence[tuple[str, str]], *, listed: bool) -> Iterator[tuple[str, str]]:
    recent = names[-60:]
    for _ in range(20):
        one, other = rng.choice(recent), rng.choice(names)
        yield one
        yield rng.choice((", chairman of ", " was born in ", " in ", " paid ", " and ")), ""
        yield other
        yield " in the matter that the parties have laid before the court in writing. ", ""
    for name in recent if listed else ():
        yield name
        yield ", ", ""
    yield "\n\n", ""


def measure(pages: int) -> Measured:
    made = document(pages)
    seconds = min(_seconds(made) for _ in range(3))
    gc.disable()
    uncollected = min(_seconds(made) for _ in range(3))
    gc.enable()
    tracemalloc.start()
    output = build_graph(*made)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return Measured(pages, len(made.mentions), len(output.relations or ()), seconds, uncollected, peak / 1e6)


def _seconds(made: Made) -> float:
    began = time.process_time()
    build_graph(*made)
    return time.process_time() - began


def plot(figures: Sequence[Measured]) -> str:
    """The two curves as SVG, each beside the straight line through its first point."""
    panels = [
        _panel(40, "CPU seconds", [(one.pages, one.seconds) for one in figures]),
        _panel(400, "Peak memory, MB", [(one.pages, one.megabytes) for one in figures]),
    ]
    size = 'viewBox="0 0 720 300" font-family="sans-serif" font-size="12"'
    paper = '<rect width="720" height="300" fill="white"/>'
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" {size}>', paper, *panels, "</svg>\n"])


def _panel(left: int, title: str, points: Sequence[tuple[int, float]]) -> str:
    most = points[-1][0]
    slope = points[0][1] / points[0][0]
    top = max(slope * most, *(value for _, value in points)) * 1.1

    def at(x: float, y: float) -> str:
        return f"{left + 270 * x / most:.1f},{260 - 210 * y / top:.1f}"

    line = " ".join(at(*point) for point in points)
    labels = [
        f'<text x="{at(x, 0).split(",")[0]}" y="276" text-anchor="middle">{x}</text>' for x, _ in points
    ]
    dots = [_dot(at(x, y), f"{y:.3g}") for x, y in points]
    return "\n".join(
        [
            f'<text x="{left}" y="24" font-size="15">{title} by pages</text>',
            f'<polyline points="{at(0, top)} {at(0, 0)} {at(most, 0)}" fill="none" stroke="#888"/>',
            f'<polyline points="{at(0, 0)} {at(most, slope * most)}" stroke="#bbb" stroke-dasharray="4"/>',
            f'<polyline points="{line}" fill="none" stroke="#1967d2" stroke-width="2"/>',
            *labels,
            *dots,
        ]
    )


def _dot(point: str, value: str) -> str:
    x, y = point.split(",")
    dot = f'<circle cx="{x}" cy="{y}" r="3" fill="#1967d2"/>'
    return f'{dot}<text x="{x}" y="{y}" dy="-8" text-anchor="end">{value}</text>'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--plot", type=Path, help="write the curves to this SVG file")
    arguments = parser.parse_args()
    measure(PAGES[0])  # the first call pays for compiling and caches
    figures = [measure(pages) for pages in PAGES]
    print("| Pages | Mentions | Relations | CPU s | ms a page | without gc | Peak MB | kB a page |")
    print("|--:|--:|--:|--:|--:|--:|--:|--:|")
    for one in figures:
        each = [1e3 * figure / one.pages for figure in (one.seconds, one.uncollected, one.megabytes)]
        print(
            f"| {one.pages} | {one.mentions} | {one.relations} | {one.seconds:.2f} | {each[0]:.2f} "
            f"| {each[1]:.2f} | {one.megabytes:.1f} | {each[2]:.1f} |"
        )
    if arguments.plot:
        arguments.plot.write_text(plot(figures), encoding="utf-8")


if __name__ == "__main__":
    main()
