"""The pages that are read: of a corpus with ground truth, or made here.

A corpus is a folder of sets; each has `open.jsonl` with one row per page: `id`, `image` and `gt` (paths
below the set, of the picture or one-page PDF and of its text), and where they are known `dpi` and `lang`.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter, ImageFont

_WORDS = (
    "agreement amount annual approved between board contract court date delivery director dispute each "
    "evidence fees filed following governed hereby invoice law letter liability market measured meeting "
    "month notice number office order parties party payment period person price project property quarter "
    "received records registered report request result schedule section service shall signed statement "
    "supplier terms the the the of of to and and in is by on for that under until value with within year"
)
_A4 = (8.27, 11.69)
"""Inches."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One page with its truth."""

    set: str
    id: str
    path: Path
    truth: str
    dpi: int
    """Of the picture, or to render the PDF at."""


def of_corpus(folder: Path, sets: Sequence[str], per_set: int) -> Iterator[Sample]:
    """`per_set` pages of each set (all for 0), evenly spread over it. No sets: every OCR set there is."""
    for name in sets or sorted(path.parent.name for path in folder.glob("ocr_*/open.jsonl")):
        rows = [json.loads(line) for line in (folder / name / "open.jsonl").read_text().splitlines()]
        number = min(per_set or len(rows), len(rows))
        for row in (rows[index * len(rows) // number] for index in range(number)):
            home = folder / name
            truth = (home / row["gt"]).read_text(encoding="utf-8")
            yield Sample(name, row["id"], home / row["image"], truth, int(row.get("dpi") or 200))


def generated(folder: Path, number: int, seed: int = 1) -> Iterator[Sample]:
    """Scans of letters, drawn here: A4, upright, 200 dots per inch, a third of them blurred and noisy."""
    chance = random.Random(seed)  # noqa: S311 - nothing secret
    for index in range(number):
        lines = [_sentence(chance) for _ in range(chance.randint(25, 42))]
        path = folder / f"letter-{index:02d}.png"
        _drawn(lines, 200, noisy=index % 3 == 2).save(path, dpi=(200, 200))
        yield Sample("generated", path.stem, path, "\n".join(lines), 200)


def _sentence(chance: random.Random) -> str:
    words = chance.choices(_WORDS.split(), k=chance.randint(6, 11))
    if chance.random() < 0.3:
        words.insert(chance.randrange(len(words)), f"{chance.randint(10, 99_999) / 100:,.2f}")
    return " ".join(words).capitalize() + "."


def _drawn(lines: Sequence[str], dpi: int, *, noisy: bool) -> Image.Image:
    sheet = Image.new("L", (round(_A4[0] * dpi), round(_A4[1] * dpi)), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(11 * dpi / 72)
    for row, line in enumerate(lines):
        pen.text((0.9 * dpi, (0.9 + row * 0.24) * dpi), line, "black", font)
    if noisy:
        grain = Image.effect_noise(sheet.size, 40)
        sheet = Image.blend(sheet.filter(ImageFilter.GaussianBlur(0.8)), grain, 0.15)
    return sheet
