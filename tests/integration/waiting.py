"""An OCR engine that never ends: for workers that are stopped in mid-work."""

from __future__ import annotations

from threading import Event
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from docpipe.engines.ports import RecognisedLine


class Waiting:
    """Begins to read and goes on until its process is killed."""

    name = "waiting 1"

    def read(self, pixels: NDArray[np.uint8]) -> list[RecognisedLine]:
        Event().wait()
        return []

    def orientation(self, pixels: NDArray[np.uint8]) -> int:
        return 0
