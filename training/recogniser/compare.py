"""Read the same lines in 8 bits and in floats, in turns, and print where they differ.

python -m training.recogniser.compare                              # on lines drawn here, of another seed
python -m training.recogniser.compare --corpus DIR --per-set 4
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from benchmarks.ocr import as_picture
from benchmarks.pages import of_corpus
from benchmarks.report import machine, table
from docpipe.engines.ocr.detect_and_read import Pixels, line_crop
from docpipe.engines.ocr.line_widths import in_bucket
from docpipe.engines.ocr.openvino.eight_bits import layers_of
from docpipe.engines.ocr.openvino.recogniser import Recogniser
from docpipe.engines.ocr.openvino.runtime import read_file
from docpipe.engines.ocr.rapidocr import RapidOcrEngine
from training.recogniser import FLOATS

_SEED = 2
_DRAWN = 100


@dataclass(slots=True)
class Reading:
    """One line, read both ways."""

    set: str
    floats: str
    eight_bits: str
    cpu_floats: float
    cpu_eight_bits: float


def main() -> None:
    """Print a row for each set, and the lines that differ."""
    parser = argparse.ArgumentParser(prog="python -m training.recogniser.compare")
    parser.add_argument("--corpus", type=Path, help="folder of sets with ground truth; else drawn lines")
    parser.add_argument("--sets", nargs="*", default=(), help="names of sets; all OCR sets if not given")
    parser.add_argument("--per-set", type=int, default=4, help="pages of each set, 0: all (default 4)")
    wanted = parser.parse_args()
    lines = _of_corpus(wanted.corpus, wanted.sets, wanted.per_set) if wanted.corpus else _drawn()
    readings = list(_both_ways(lines))
    names = dict.fromkeys(reading.set for reading in readings)
    rows = [_row(name, [each for each in readings if each.set == name]) for name in names]
    print(machine())
    print(table(["set", "lines", "the same", "CPU time"], [*rows, _row("all", readings)]))
    for each in readings:
        if each.floats != each.eight_bits:
            print(f"{each.set}\n  floats: {each.floats}\n  8 bits: {each.eight_bits}")


def _both_ways(lines: Iterator[tuple[str, Pixels]]) -> Iterator[Reading]:
    floats = Recogniser(read_file(FLOATS), 1)
    eight_bits = Recogniser(read_file(FLOATS), 1, layers_of(FLOATS))
    prepared = set()
    for name, line in lines:
        if line.shape not in prepared:  # a new width takes as long as a line
            prepared.add(line.shape)
            floats.read(line), eight_bits.read(line)
        (text, cpu), (other, less) = _timed(floats, line), _timed(eight_bits, line)
        yield Reading(name, text, other, cpu, less)


def _timed(recogniser: Recogniser, line: Pixels) -> tuple[str, float]:
    began = time.process_time()
    text = recogniser.read(line).text
    return text, time.process_time() - began


def _row(name: str, readings: list[Reading]) -> list[str]:
    same = np.mean([each.floats == each.eight_bits for each in readings])
    spent = sum(each.cpu_eight_bits for each in readings) / sum(each.cpu_floats for each in readings)
    return [name, str(len(readings)), f"{same:.3f}", f"{spent:.2f}"]


def _drawn() -> Iterator[tuple[str, Pixels]]:
    from training.recogniser.drawn import lines  # its fonts are needed for nothing else

    return (("drawn", line) for line in lines(_DRAWN, _SEED))


def _of_corpus(corpus: Path, sets: list[str], per_set: int) -> Iterator[tuple[str, Pixels]]:
    engine = RapidOcrEngine(precision="float")
    with tempfile.TemporaryDirectory() as folder:
        for sample in of_corpus(corpus, sets, per_set):
            path = as_picture(sample, Path(folder)).path
            pixels = np.asarray(cv2.imread(str(path), cv2.IMREAD_COLOR), np.uint8)
            quads = np.array(engine.find_lines(pixels), np.float32)
            yield from ((sample.set, in_bucket(line_crop(pixels, quad))) for quad in quads)


if __name__ == "__main__":
    main()
