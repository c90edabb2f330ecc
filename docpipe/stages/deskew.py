"""Making a crooked picture straight, and finding the way back. Needs Pillow (of the extra `[ocr]`)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from docpipe.stages.ports import Quad

_PAPER = (255, 255, 255)


def straightened(pixels: NDArray[np.uint8], angle: float) -> NDArray[np.uint8]:
    """The picture with lines that slope by `angle` (radians, clockwise positive) level, on larger paper."""
    picture = Image.fromarray(pixels)
    level = picture.rotate(math.degrees(angle), Image.Resampling.BICUBIC, expand=True, fillcolor=_PAPER)
    return np.ascontiguousarray(np.asarray(level, dtype=np.uint8))


def sloped_again(quad: Quad, angle: float, level: tuple[int, int], crooked: tuple[int, int]) -> Quad:
    """Where a quad of the straightened picture lies in the crooked one; sizes are width and height."""
    cos, sin = math.cos(angle), math.sin(angle)
    moved = [(x - level[0] / 2, y - level[1] / 2) for x, y in quad]
    width, height = crooked[0] / 2, crooked[1] / 2
    a, b, c, d = ((width + x * cos - y * sin, height + x * sin + y * cos) for x, y in moved)
    return a, b, c, d
