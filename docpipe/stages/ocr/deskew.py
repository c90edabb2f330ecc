"""Making a crooked picture straight, and finding the way back. Needs Pillow (of the extra `[ocr]`)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from docpipe.engines.ports import Quad

_PAPER = 255


def straightened(pixels: NDArray[np.uint8], angle: float) -> NDArray[np.uint8]:
    """The picture with lines that slope by `angle` (radians, clockwise positive) level, on larger paper."""
    blue, green, red = (pixels[:, :, channel] for channel in range(3))
    if np.array_equal(blue, green) and np.array_equal(blue, red):  # most scans: a third of the work
        return np.stack([_rotated(blue, angle)] * 3, axis=2)
    return np.stack([_rotated(channel, angle) for channel in (blue, green, red)], axis=2)


def _rotated(channel: NDArray[np.uint8], angle: float) -> NDArray[np.uint8]:
    # One channel after the other: Pillow keeps four bytes for each pixel of three.
    level = Image.fromarray(channel).rotate(
        math.degrees(angle), Image.Resampling.BICUBIC, expand=True, fillcolor=_PAPER
    )
    return np.asarray(level, dtype=np.uint8)


def sloped_again(quad: Quad, angle: float, level: tuple[int, int], crooked: tuple[int, int]) -> Quad:
    """Where a quad of the straightened picture lies in the crooked one; sizes are width and height."""
    cos, sin = math.cos(angle), math.sin(angle)
    moved = [(x - level[0] / 2, y - level[1] / 2) for x, y in quad]
    width, height = crooked[0] / 2, crooked[1] / 2
    a, b, c, d = ((width + x * cos - y * sin, height + x * sin + y * cos) for x, y in moved)
    return a, b, c, d
