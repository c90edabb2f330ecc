"""Born-digital PDFs: pages per second, beside a bare loop over PyMuPDF's text.

    python -m benchmarks.text                       # on pages made here
    python -m benchmarks.text --corpus DIR          # on the PDFs below DIR

The pages are put into one file, over and over until there are enough. Pages that docpipe would recognise are
left out. The bare loop calls `page.get_text("dict")` and drops what it gets. All take turns `--rounds` times
in one run; speeds are medians over the rounds, ratios medians of the ratios within each.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any

from docpipe.execution.isolation.reader_process import ReaderProcess
from docpipe.execution.options import Options
from docpipe.execution.reading import read
from docpipe.execution.tools import Tools
from docpipe.formats import open_document
from docpipe.models import Method
from docpipe.stages.ocr.method import OcrOptions, choose_method

pymupdf: Any = import_module("pymupdf")

_WORDS = ("the", "committee", "met", "to", "consider", "whether", "accounts", "had", "been", "kept", "well")


@dataclass(frozen=True, slots=True)
class Took:
    """Of one round, seconds."""

    wall: float
    cpu: float
    """Of this process; what its children took is not in it."""


def main() -> None:
    """Read the pages in each way, and print the table."""
    wanted = _arguments()
    with tempfile.TemporaryDirectory() as folder:
        path, pages = _put_together(wanted.corpus, wanted.pages, Path(folder) / "born.pdf")
        print(_table(_measure(path, wanted.rounds), pages, wanted.rounds))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.text", description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", type=Path, help="folder of PDFs; without it, own pages")
    parser.add_argument("--pages", type=int, default=240, help="pages to read at least (default 240)")
    parser.add_argument("--rounds", type=int, default=5, help="times each is run (default 5)")
    return parser.parse_args()


# --- the pages --------------------------------------------------------------------------------------


def _put_together(corpus: Path | None, least: int, path: Path) -> tuple[Path, int]:
    once = pymupdf.open()
    for data in _documents(corpus):
        with pymupdf.open(stream=data) as source:
            for number in _with_text(data):
                once.insert_pdf(source, from_page=number, to_page=number)
    if not once.page_count:
        sys.exit(f"No page below {corpus} has a text layer to read.")
    whole = pymupdf.open()
    while whole.page_count < least:
        whole.insert_pdf(once)
    whole.save(path, garbage=3, deflate=True)
    return path, whole.page_count


def _documents(corpus: Path | None) -> Iterator[bytes]:
    if corpus is None:
        yield from (_made(columns) for columns in (1, 1, 2))
    else:
        yield from (path.read_bytes() for path in sorted(corpus.rglob("*.pdf")))


def _with_text(data: bytes) -> list[int]:
    """Indexes of the pages that docpipe takes from their text layer alone."""
    reader = open_document(data, "page.pdf")
    options = OcrOptions()
    kept = [i for i, page in enumerate(reader.pages()) if choose_method(page, options)[0] is Method.TEXT]
    reader.close()
    return kept


def _made(columns: int) -> bytes:
    document = pymupdf.open()
    page = document.new_page()
    width = 480 // columns
    for column in range(columns):
        for row in range(50):
            words = [_WORDS[(row * 7 + i) % len(_WORDS)] for i in range(14 // columns)]
            page.insert_text((57 + column * (width + 12), 60 + 14 * row), " ".join(words), fontsize=10)
    data: bytes = document.tobytes()
    return data


# --- the ways to read them --------------------------------------------------------------------------


def _measure(path: Path, rounds: int) -> dict[str, list[Took]]:
    own = Tools(Options(isolate=False))
    child = ReaderProcess(Options())
    ways: dict[str, Callable[[], object]] = {
        'bare `get_text("dict")` loop': lambda: _bare(path),
        "docpipe, ocr stage": lambda: read(path, path.name, own, lambda *_: None),
        "docpipe, ocr stage in its child process": lambda: child.read(path, path.name, lambda *_: None),
    }
    for way in ways.values():
        way()  # imports, and the start of the child
    took: dict[str, list[Took]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            took[name].append(_timed(way))
    child.close()
    return took


def _bare(path: Path) -> None:
    with pymupdf.open(path) as document:
        for page in document:
            page.get_text("dict")


def _timed(way: Callable[[], object]) -> Took:
    wall, cpu = time.perf_counter(), time.process_time()
    way()
    return Took(time.perf_counter() - wall, time.process_time() - cpu)


def _table(took: dict[str, list[Took]], pages: int, rounds: int) -> str:
    bare = next(iter(took.values()))
    rows = [
        f"{pages} pages, {rounds} rounds, PyMuPDF {pymupdf.VersionBind}.",
        "",
        "| | pages/s | ms/page | CPU ms/page | speed by the bare loop's |",
        "|---|--:|--:|--:|--:|",
    ]
    for name, times in took.items():
        wall = median(time.wall for time in times)
        cpu = 1000 * median(time.cpu for time in times) / pages
        ratio = median(first.wall / time.wall for first, time in zip(bare, times, strict=True))
        shown_cpu = "" if "child" in name else f"{cpu:.2f}"
        rows.append(
            f"| {name} | {pages / wall:.0f} | {1000 * wall / pages:.2f} | {shown_cpu} | {ratio:.2f} |"
        )
    return "\n".join(rows)


if __name__ == "__main__":
    main()
