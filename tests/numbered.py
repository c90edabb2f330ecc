"""Pages that carry a number as a picture, and an engine that reads it: slow, failing or deadly where told.

The engine keeps a folder, PAGES_FOLDER: it adds a line to `begun-N` whenever it begins page N, and then
looks for files. `hold-N`: it waits until the file is gone. `fail-N`: the page is corrupt. `crash-N`: the
process that reads it ends.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import pymupdf

from docpipe.engines.ports import RecognisedLine
from docpipe.errors import CorruptDocumentError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_BITS = 12
_SIDE = 16
"""Points of a bit's square, and pixels at 72 dpi."""


def scan(path: Path, numbers: Iterable[int]) -> Path:
    """A PDF with one picture, and no text, on each page: its number in squares, a set bit black."""
    with pymupdf.open() as document:  # type: ignore[no-untyped-call]
        for number in numbers:
            page = document.new_page(width=(_BITS + 2) * _SIDE, height=3 * _SIDE)
            page.insert_image(page.rect, pixmap=_picture(number))
        document.save(path)
    return path


def _picture(number: int) -> pymupdf.Pixmap:
    frame = pymupdf.IRect(0, 0, (_BITS + 2) * _SIDE, 3 * _SIDE)  # type: ignore[no-untyped-call]
    picture = pymupdf.Pixmap(pymupdf.csGRAY, frame)  # type: ignore[no-untyped-call]
    picture.clear_with(255)  # type: ignore[no-untyped-call]
    for bit in (bit for bit in range(_BITS) if number >> bit & 1):
        square = pymupdf.IRect((bit + 1) * _SIDE, _SIDE, (bit + 2) * _SIDE, 2 * _SIDE)  # type: ignore[no-untyped-call]
        picture.set_rect(square, (0,))  # type: ignore[no-untyped-call]
    return picture


class Numbered:
    """Reads the number."""

    name = "numbered 1"

    def read(self, pixels: NDArray[np.uint8]) -> list[RecognisedLine]:
        side = pixels.shape[1] / (_BITS + 2)
        middles = [pixels[pixels.shape[0] // 2, int((bit + 1.5) * side), 0] for bit in range(_BITS)]
        number = sum(1 << bit for bit, grey in enumerate(middles) if grey < 128)
        _obey(Path(os.environ["PAGES_FOLDER"]), number)
        height, width = map(float, pixels.shape[:2])
        corners = ((0.0, 0.0), (width, 0.0), (width, height), (0.0, height))
        return [RecognisedLine(f"On page {number} Ann Archer met Bob Butler.", corners, 0.9)]

    def orientation(self, pixels: NDArray[np.uint8]) -> int:
        return 0


def _obey(folder: Path, number: int) -> None:
    with (folder / f"begun-{number}").open("a") as begun:
        begun.write(f"{os.getpid()}\n")
    while (folder / f"hold-{number}").exists():
        time.sleep(0.02)
    if (folder / f"crash-{number}").exists():
        os._exit(3)
    if (folder / f"fail-{number}").exists():
        raise CorruptDocumentError("The picture is torn.")


class Pages:
    """The folder, from the tests' side."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def clear(self) -> None:
        for file in self.folder.iterdir():
            file.unlink()

    def tell(self, what: str, *numbers: int) -> None:
        for number in numbers:
            (self.folder / f"{what}-{number}").touch()

    def untell(self, what: str, *numbers: int) -> None:
        for number in numbers:
            (self.folder / f"{what}-{number}").unlink()

    def readers(self, number: int) -> list[int]:
        """The processes that began the page, in their order."""
        file = self.folder / f"begun-{number}"
        return [int(line) for line in file.read_text().splitlines()] if file.exists() else []

    def begun(self, *numbers: int) -> bool:
        return all(self.readers(number) for number in numbers)

    def repeated(self, numbers: Iterable[int]) -> dict[int, int]:
        """How often pages were begun that were not begun exactly once."""
        counts = {number: len(self.readers(number)) for number in numbers}
        return {number: count for number, count in counts.items() if count != 1}
