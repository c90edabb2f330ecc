"""Pictures that kill the process which reads them: the engine that looks at one steps on its mine.

A picture's first pixel is the number of its mine in `MINES`; all else is the same in every picture.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from io import BytesIO
from typing import TYPE_CHECKING

from PIL import Image

from docpipe.formats.base import Limits
from tests.engines import OPTIONS, OneLine
from tests.faults import bombs
from tests.hostile_engines import ACTS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from docpipe.engines.ports import RecognisedLine

LIMITS = Limits(max_seconds=6.0, max_memory_bytes=500_000_000)
ISOLATED = replace(OPTIONS, isolate=True, ocr_engine="tests.faults.mined:MineFinder", limits=LIMITS)
HARMLESS = 255


@dataclass(frozen=True, slots=True)
class Mine:
    """What happens in the process that reads, at how many of the first attempts."""

    act: str
    """A key of `hostile_engines.ACTS`, or `hold`: work until the test lets go."""
    times: int = bombs.ALWAYS


MINES = (
    Mine("segfault"),
    Mine("exit"),
    Mine("hold_the_lock"),
    Mine("leap"),
    Mine("kill", times=1),
    Mine("kill"),
    Mine("hold", times=1),
    Mine("hold", times=1),
)


def picture(mine: int) -> bytes:
    """A PNG with something on it, and its mine."""
    image = Image.new("L", (120, 60), "white")
    image.paste(0, (10, 20, 110, 40))
    image.putpixel((0, 0), mine)
    buffer = BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def mark(mine: int) -> str:
    """Under which `bombs` counts how often the mine went off."""
    return f"mine-{mine}"


class MineFinder(OneLine):
    """Reads as `OneLine`, if it gets that far."""

    def read(self, pixels: NDArray[np.uint8]) -> list[RecognisedLine]:
        number = int(pixels[0, 0, 0])
        if number != HARMLESS and bombs.counted(mark(number), MINES[number].times):
            _act(number)()
        return super().read(pixels)


def _act(number: int) -> Callable[[], object]:
    act = MINES[number].act
    return (lambda: bombs.hold(mark(number))) if act == "hold" else ACTS[act]
