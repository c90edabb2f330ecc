"""Recognition: how right and how fast, beside what one would use instead, on the same pages in one run.

    python -m benchmarks.ocr                        # on pages made here
    python -m benchmarks.ocr --corpus DIR --per-set 5

docpipe and Tesseract read in `--jobs` processes of one thread; RapidOCR and docling in one process as they
come; OCRmyPDF with `-j 2`. Models are loaded and one page is read before the clock starts. The contenders
take turns `--rounds` times; speeds are medians over the rounds, ratios medians of the ratios within each.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.contenders import CONTENDERS, Page
from benchmarks.crew import Crew, Result
from benchmarks.pages import Sample, generated, of_corpus
from benchmarks.report import machine, replace_section, scatter, table
from benchmarks.scores import Score, score, total

_ROOT = Path(__file__).parents[1]
_PAGE = _ROOT / "docs" / "benchmarks.md"
_PLOT = _ROOT / "docs" / "images" / "ocr-speed.svg"

Rounds = Mapping[str, Sequence[Result]]
"""The results of each contender, by round."""


def main() -> None:
    """Read the pages with every contender that is installed, and print the tables."""
    wanted = _arguments()
    with tempfile.TemporaryDirectory() as folder:
        samples = [as_picture(sample, Path(folder)) for sample in _samples(wanted, Path(folder))]
        rounds = _measure(_present(wanted.only), samples, wanted.jobs, wanted.rounds)
    text = "\n\n".join(_tables(samples, rounds, wanted.jobs))
    print(text)
    if wanted.write:
        replace_section(_PAGE, "ocr", text)
        points = [_point(name, samples, results) for name, results in rounds.items()]
        _PLOT.write_text(
            scatter("Speed and accuracy, two cores", points, "pages/s", "word F1"), encoding="utf-8"
        )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ocr", description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", type=Path, help="folder of sets with ground truth; without it, own pages")
    parser.add_argument("--sets", nargs="*", default=(), help="names of sets; all OCR sets if not given")
    parser.add_argument("--per-set", type=int, default=4, help="pages of each set, 0: all (default 4)")
    parser.add_argument("--jobs", type=int, default=2, help="processes (default 2)")
    parser.add_argument("--rounds", type=int, default=3, help="times each page is read (default 3)")
    parser.add_argument("--only", nargs="*", default=tuple(CONTENDERS), choices=tuple(CONTENDERS))
    parser.add_argument("--write", action="store_true", help="also put the results into docs/benchmarks.md")
    return parser.parse_args()


def _samples(wanted: argparse.Namespace, folder: Path) -> Iterator[Sample]:
    if wanted.corpus:
        return of_corpus(wanted.corpus, wanted.sets, wanted.per_set)
    return generated(folder, wanted.per_set or 12)


def as_picture(sample: Sample, folder: Path) -> Sample:
    """A PDF page is rendered: its text layer would be read instead."""
    if sample.path.suffix.lower() != ".pdf":
        return sample
    pymupdf: Any = import_module("pymupdf")
    picture = folder / f"{sample.set}-{sample.id}.png"
    with pymupdf.open(sample.path) as document:
        document[0].get_pixmap(dpi=sample.dpi).save(picture)
    return Sample(sample.set, sample.id, picture, sample.truth, sample.dpi)


def _present(names: Sequence[str]) -> list[str]:
    present = []
    for name in names:
        if CONTENDERS[name].found() is None:
            print(f"{CONTENDERS[name].title} is not installed and left out.", file=sys.stderr)
        else:
            present.append(name)
    return present


def _measure(names: Sequence[str], samples: Sequence[Sample], jobs: int, rounds: int) -> Rounds:
    pages: list[Page] = [(str(sample.path), sample.dpi) for sample in samples]
    crews = {name: Crew(name, jobs, pages[0]) for name in names}
    results: dict[str, list[Result]] = {name: [] for name in names}
    for number in range(rounds):
        for name, crew in crews.items():
            print(f"round {number + 1}: {name}", file=sys.stderr)
            results[name].append(crew.read(pages))
    for crew in crews.values():
        crew.close()
    return results


# --- what is printed --------------------------------------------------------------------------------


def _tables(samples: Sequence[Sample], rounds: Rounds, jobs: int) -> Iterator[str]:
    pages = f"{len(samples)} pages, {len(next(iter(rounds.values())))} rounds, {jobs} processes"
    versions = "; ".join(f"{CONTENDERS[name].title}: {CONTENDERS[name].found()}" for name in rounds)
    yield f"{machine()}. {pages}. {versions}."
    yield _speed_table(rounds)
    yield _accuracy_table(samples, rounds)


def _speed_table(rounds: Rounds) -> str:
    head = ["", "pages/s", "CPU s/page", "peak MB", "pages/s of docpipe by its", "its CPU s by docpipe's"]
    return table(head, [_speed_row(name, rounds) for name in rounds])


def _speed_row(name: str, rounds: Rounds) -> list[str]:
    results = rounds[name]
    ours = rounds.get("docpipe", ())
    faster = [a.pages_per_second / b.pages_per_second for a, b in zip(ours, results, strict=False)]
    cheaper = [b.cpu_per_page / a.cpu_per_page for a, b in zip(ours, results, strict=False)]
    return [
        CONTENDERS[name].title,
        f"{_speed(results):.2f}",
        f"{median(result.cpu_per_page for result in results):.2f}",
        f"{max(result.memory for result in results):.0f}",
        *(f"{median(ratios):.2f}" if ratios else "" for ratios in (faster, cheaper)),
    ]


def _speed(results: Sequence[Result]) -> float:
    return median(result.pages_per_second for result in results)


def _accuracy_table(samples: Sequence[Sample], rounds: Rounds) -> str:
    head = ["set", "pages", "engine", "word F1", "CER", "WER", "spaces kept"]
    rows = []
    for name in dict.fromkeys(sample.set for sample in samples):
        for contender, results in rounds.items():
            found = _scores(name, samples, results[0])
            rows.append([name, str(len(found)), CONTENDERS[contender].title, *_figures(total(found))])
    return table(head, rows)


def _point(name: str, samples: Sequence[Sample], results: Sequence[Result]) -> tuple[str, float, float]:
    read = zip(samples, results[0].texts, strict=True)
    accuracy = total([score(sample.truth, text) for sample, text in read]).word_f1
    return CONTENDERS[name].title, _speed(results), accuracy


def _scores(name: str, samples: Sequence[Sample], result: Result) -> list[Score]:
    read = zip(samples, result.texts, strict=True)
    return [score(sample.truth, text) for sample, text in read if sample.set == name]


def _figures(found: Score) -> list[str]:
    return [f"{value:.4f}" for value in (found.word_f1, found.cer, found.wer, found.space_recall)]


if __name__ == "__main__":
    main()
