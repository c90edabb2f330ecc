"""Lines as PP-OCR's recogniser sees them: of one height, and of few widths."""

from __future__ import annotations

import math

import cv2
import numpy as np

from docpipe.engines.ocr.detect_and_read import Pixels

LINE_HEIGHT = 48
"""Pixels; the recogniser sees every line at this height."""
GREY = 127
"""What RapidOCR fills up a line with, as near as a byte comes to it."""


def in_bucket(crop: Pixels) -> Pixels:
    """The line at the recogniser's height, filled up with grey on the right to one of few widths.

    An inference engine prepares itself anew for every width it meets, which takes as long as reading
    the line, and keeps what it prepared.
    """
    height, width = crop.shape[:2]
    seen = max(1, math.ceil(LINE_HEIGHT * width / height))
    step = 64 if seen <= 640 else 128
    return filled_up(cv2.resize(crop, (seen, LINE_HEIGHT)), seen + -seen % step)


def filled_up(line: cv2.typing.MatLike, width: int) -> Pixels:
    """The line on the left of grey of that width."""
    spare = width - line.shape[1]
    filled = cv2.copyMakeBorder(line, 0, 0, 0, spare, cv2.BORDER_CONSTANT, value=(GREY, GREY, GREY))
    return np.asarray(filled, np.uint8)
