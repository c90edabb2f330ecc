"""Lines of print as scans show them, drawn with free fonts: what the 8-bit layers are calibrated on."""

from __future__ import annotations

import io
import random
from collections.abc import Sequence
from functools import partial
from typing import Any

import cv2
import numpy as np
import pymupdf
import pymupdf_fonts
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from docpipe.engines.ocr.line_widths import in_bucket

Pixels = NDArray[np.uint8]

_WORDS = (
    "agreement amount annual approved between board contract court date delivery director dispute each "
    "evidence fees filed following governed hereby invoice law letter liability market measured meeting "
    "month notice number office order parties party payment period person price project property quarter "
    "received records registered report request result schedule section service shall signed statement "
    "supplier terms the of to and in is by on for that under until value with within year Größe für über "
    "Straße façade élève où naïve señor año coração État Müller Œuvre"
)
_GREEK = "η συμφωνία του μηνός με τον λόγο και το ποσό στην Αθήνα οδός αριθμός"
_EAST_ASIAN = (
    "本合同由甲乙双方签订的时间地点和金额如下所示请按照规定办理日期年月公司有限责任第一二三四五六七八九十条"
    "東京都新宿区株式会社のにをはがでとテストカタカナひらがな報告書"
)
_SIGNS = (
    "§ 12(b)",
    "No. 417/88",
    "12/05/1994",
    "$1,250",
    "(see p. 3)",
    "A. B. Smith,",
    "U.S.C.",
    "&",
    "50%",
    '"as is"',
    "tel. (212) 555-0199",
)
_BASE = "helv heit hebo hebi cour coit cobo cobi tiro tiit tibo tibi"
"""The fonts that every PDF reader has, as PyMuPDF names them."""


def lines(number: int, seed: int = 1) -> list[Pixels]:
    """So many lines, each as the recogniser is shown it."""
    chance = random.Random(seed)
    fonts = [_font(name) for name in (*_BASE.split(), *sorted(pymupdf_fonts.fontbuffers))]
    of_all_scripts = _font("china-s")
    return [in_bucket(_line(chance, fonts, of_all_scripts)) for _ in range(number)]


def _font(name: str) -> bytes:
    buffer: bytes = pymupdf.Font(name).buffer  # type: ignore[no-untyped-call]
    return buffer


def _line(chance: random.Random, fonts: Sequence[bytes], of_all_scripts: bytes) -> Pixels:
    script = chance.random()
    size = chance.randint(14, 64)
    if script < 0.08:
        text, font = "".join(chance.choices(_EAST_ASIAN, k=chance.randint(4, 24))), of_all_scripts
    elif script < 0.12:
        text, font = " ".join(chance.choices(_GREEK.split(), k=chance.randint(3, 8))), of_all_scripts
    else:
        text, font = _sentence(chance), chance.choice(fonts)
    return _worn(chance, _printed(chance, text, ImageFont.truetype(io.BytesIO(font), size)))


def _sentence(chance: random.Random) -> str:
    case = chance.random()
    words = chance.choices(_WORDS.split(), k=chance.randint(2, 12))
    if chance.random() < 0.35:
        words.insert(chance.randrange(len(words)), f"{chance.randint(10, 9_999_999) / 100:,.2f}")
    if chance.random() < 0.2:
        words.insert(chance.randrange(len(words)), chance.choice(_SIGNS))
    text = " ".join(words)
    if case < 0.12:
        return text.upper()
    return text.title() if case < 0.2 else text.capitalize() + chance.choice(".;:, ")


def _printed(chance: random.Random, text: str, font: ImageFont.FreeTypeFont) -> Image.Image:
    """Ink on paper, some of it askew or out of focus."""
    left, top, right, bottom = font.getbbox(text)
    margin = chance.uniform(0.05, 0.35) * font.size
    paper, ink = chance.randint(200, 255), chance.randint(0, 110)
    size = (int(right - left + 2 * margin) + 1, int(bottom - top + 1.2 * margin) + 2)
    sheet = Image.new("L", size, paper)
    ImageDraw.Draw(sheet).text((margin - left, 0.6 * margin - top), text, ink, font)
    if chance.random() < 0.25:
        sheet = sheet.rotate(chance.uniform(-1, 1), Image.Resampling.BICUBIC, fillcolor=paper)
    if chance.random() < 0.5:
        sheet = sheet.filter(ImageFilter.GaussianBlur(chance.uniform(0.3, font.size / 22)))
    return sheet


def _worn(chance: random.Random, sheet: Image.Image) -> Pixels:
    """With grain, in black and white, of low resolution, or on coloured paper."""
    grain = np.random.default_rng(chance.randrange(1 << 30))
    grey: Any = np.asarray(sheet, np.float32)
    if chance.random() < 0.6:
        grey = grey + grain.normal(0, chance.uniform(2, 28), grey.shape)
    if chance.random() < 0.3:
        grey = np.where(grey < chance.randint(110, 190), 0.0, 255.0)
        specks = grain.random(grey.shape) < chance.uniform(0, 0.03)
        grey[specks] = 255 - grey[specks]
    seen = np.clip(grey, 0, 255).astype(np.uint8)
    if chance.random() < 0.3:
        seen = _coarse(seen, chance.uniform(0.4, 0.9))
    coloured = cv2.cvtColor(seen, cv2.COLOR_GRAY2BGR)
    if chance.random() < 0.2:
        coloured = np.clip(coloured * [chance.uniform(0.8, 1) for _ in "bgr"], 0, 255).astype(np.uint8)
    return np.asarray(coloured, np.uint8)


def _coarse(seen: Pixels, part: float) -> Pixels:
    resized = partial(cv2.resize, interpolation=cv2.INTER_AREA)
    small = resized(seen, None, fx=part, fy=part)
    return np.asarray(cv2.resize(small, (seen.shape[1], seen.shape[0])), np.uint8)
