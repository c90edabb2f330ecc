"""Tesseract, by its command: light, good at clean print, weak at forms, tables and shadows.

It is no part of any extra: the command comes from the system (`apt install tesseract-ocr`), and so do its
languages.
"""

from __future__ import annotations

import csv
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from itertools import groupby

import cv2
import numpy as np
from numpy.typing import NDArray

from docpipe.engines.ports import RecognisedLine
from docpipe.errors import ConfigurationError, MemoryExhaustedError, PermanentError

_WORD = "5"
"""The level of words in Tesseract's table; 1 to 4 are page, block, paragraph and line."""
_SECONDS = 120
"""A page that takes longer is given up."""
_MIN_SCRIPT_CONFIDENCE = 1.0
"""Tesseract's own measure, without unit; below it the orientation is a guess."""

Row = dict[str, str]


class TesseractEngine:
    """The `tesseract` command, version 4.1 or newer.

    Args:
        languages: as Tesseract names them, joined by `+`: `eng`, `deu+fra`.
        min_score: words it is less sure of than this (0..1) are left out.

    Raises:
        ConfigurationError: the command, or one of the languages, is not installed.
    """

    def __init__(self, *, languages: str = "eng", min_score: float = 0.0) -> None:
        self._command = shutil.which("tesseract") or ""
        if not self._command:
            raise ConfigurationError("The command tesseract is not installed. Run: apt install tesseract-ocr")
        self.name = " ".join(self._run("--version").decode().split()[:2])
        self._languages = languages
        self._min_score = min_score
        self._check_languages()

    def read(self, pixels: NDArray[np.uint8]) -> list[RecognisedLine]:
        """Recognise an upright picture of shape (height, width, 3), uint8, blue-green-red.

        Raises `PermanentError` when Tesseract refuses the picture or takes more than two minutes,
        `MemoryExhaustedError`.
        """
        table = self._run("stdin", "stdout", "-l", self._languages, "tsv", picture=pixels).decode()
        rows = csv.DictReader(table.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE)
        words = (row for row in rows if row["level"] == _WORD and row["text"].strip())
        return list(_lines(row for row in words if float(row["conf"]) >= 100 * self._min_score))

    def orientation(self, pixels: NDArray[np.uint8]) -> int:
        """Degrees counter-clockwise that bring the picture upright; 0 where Tesseract cannot determine it."""
        try:
            said = self._run("stdin", "stdout", "--psm", "0", "-l", "osd", picture=pixels).decode()
        except PermanentError:  # too few characters to judge by, or no data to judge with
            return 0
        found = dict(line.split(": ", 1) for line in said.splitlines() if ": " in line)
        sure = float(found.get("Orientation confidence", "0")) >= _MIN_SCRIPT_CONFIDENCE
        return int(found.get("Orientation in degrees", "0")) if sure else 0

    def _check_languages(self) -> None:
        installed = self._run("--list-langs").decode().split()
        if missing := set(self._languages.split("+")) - set(installed):
            raise ConfigurationError(
                f"Tesseract lacks the language {', '.join(sorted(missing))}. "
                f"Run: apt install tesseract-ocr-{min(missing)}"
            )

    def _run(self, *arguments: str, picture: NDArray[np.uint8] | None = None) -> bytes:
        try:
            done = subprocess.run(  # noqa: S603 - a list, no shell
                # one thread: with one worker process per core, more only wait for each other
                ["/usr/bin/env", "OMP_THREAD_LIMIT=1", self._command, *arguments],
                input=b"" if picture is None else _as_bmp(picture),
                capture_output=True,
                timeout=_SECONDS,
                check=True,
            )
        except subprocess.TimeoutExpired as error:
            raise PermanentError(f"Tesseract took more than {_SECONDS} seconds for a page.") from error
        except subprocess.CalledProcessError as error:
            raise _failure(error.stderr.decode(errors="replace")) from error
        return done.stdout


def _failure(said: str) -> MemoryExhaustedError | PermanentError:
    if "alloc" in said.lower():
        return MemoryExhaustedError()
    last = (said.strip().splitlines() or ["it does not say why"])[-1]
    return PermanentError(f"Tesseract cannot read this picture: {last}")


def _as_bmp(pixels: NDArray[np.uint8]) -> bytes:
    """Not PNG: packing and unpacking it takes longer than handing it over as it is."""
    return cv2.imencode(".bmp", pixels)[1].tobytes()


def _lines(words: Iterable[Row]) -> Iterator[RecognisedLine]:
    for _, group in groupby(words, key=lambda word: (word["block_num"], word["par_num"], word["line_num"])):
        yield _line(list(group))


def _line(words: list[Row]) -> RecognisedLine:
    boxes = [_box(word) for word in words]
    left, top = min(box[0] for box in boxes), min(box[1] for box in boxes)
    right, bottom = max(box[2] for box in boxes), max(box[3] for box in boxes)
    scores = [float(word["conf"]) / 100 for word in words]
    return RecognisedLine(
        " ".join(word["text"] for word in words),
        ((left, top), (right, top), (right, bottom), (left, bottom)),
        sum(scores) / len(scores),
        words=tuple((side - left) / max(1.0, right - left) for box in boxes for side in (box[0], box[2])),
    )


def _box(word: Row) -> tuple[float, float, float, float]:
    left, top = float(word["left"]), float(word["top"])
    return left, top, left + float(word["width"]), top + float(word["height"])
