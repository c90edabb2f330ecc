"""Pictures whose file ends before they do: what was decoded, and how much that is.

Pillow would do it by a switch for the whole process, which is the host's too.
"""

from __future__ import annotations

from typing import BinaryIO

import numpy as np
from PIL import Image

_END_OF_JPEG = b"\xff\xd9"
_GREY = 128
"""What the JPEG decoder puts where it has nothing."""


def is_cut(error: OSError) -> bool:
    """Whether Pillow says that the file ends too early."""
    return "truncated" in str(error)


def ended(file: BinaryIO) -> bytes:
    """A JPEG with the mark of its end, at which the decoder gives what it has."""
    file.seek(0)
    return file.read() + _END_OF_JPEG


def load_what_is_there(picture: Image.Image) -> None:
    """Have the picture as far as it was decoded."""
    try:
        picture.load()
    except OSError as error:
        if not is_cut(error):
            raise
        picture.tile = []  # type: ignore[attr-defined]  # nothing is left to decode
        picture.load()


def missing(picture: Image.Image) -> float:
    """The part of the rows that the decoder left as they were."""
    rows = np.asarray(picture).reshape(picture.height, -1).astype(np.int16)
    left = abs(rows - _GREY) <= 1 if picture.format == "JPEG" else rows == 0
    return float(left.all(axis=1).mean())
