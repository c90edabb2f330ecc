"""Make the recogniser's 8-bit layers anew from the model that RapidOCR comes with.

python -m training.recogniser.quantise --out recogniser/docpipe_recogniser/model
"""

from __future__ import annotations

import argparse
from hashlib import sha256
from pathlib import Path
from typing import Any

import nncf
import numpy as np
import openvino  # type: ignore[import-untyped]
from numpy.typing import NDArray

from docpipe.engines.ocr.openvino.eight_bits import FILE, MADE_FROM
from docpipe.engines.ocr.openvino.recogniser import last_layer
from training.recogniser import FLOATS
from training.recogniser.drawn import Pixels, lines

_LINES = 200
_STEM = "1 2 3 4"
_POINTWISE = "8 9 11 12 14 15 17 18 22 23 25 26 30 31 33 34 38 39 41 42 44 45 49 50 52 53"
_IN_EIGHT_BITS = {f"Conv.{number}" for number in f"{_STEM} {_POINTWISE}".split()}
"""The layers that take most of the time. In all others, 8 bits cost more accuracy than they gain time: what
is inside a normalisation or an activation must stay as it is."""


def main() -> None:
    """Write `recogniser.xml` and `recogniser.bin`."""
    parser = argparse.ArgumentParser(prog="python -m training.recogniser.quantise", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("recogniser/docpipe_recogniser/model"))
    out: Path = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    # the last layer is taken from the model in floats, and is left out here
    layers = up_to_the_last(quantised(openvino.Core().read_model(FLOATS), lines(_LINES)))
    layers.set_rt_info(sha256(FLOATS.read_bytes()).hexdigest(), MADE_FROM)
    openvino.save_model(layers, out / FILE, compress_to_fp16=False)


def quantised(model: Any, pictures: list[Pixels]) -> Any:
    """The model, its slow layers in 8 bits, fitted on pictures of lines."""
    names = {node.get_friendly_name() for node in model.get_ops()}
    if missing := _IN_EIGHT_BITS - names:
        raise SystemExit(f"The model has no layers {', '.join(sorted(missing))}: it is another one.")
    return nncf.quantize(
        model,
        nncf.Dataset([_scaled(picture) for picture in pictures]),
        preset=nncf.QuantizationPreset.PERFORMANCE,
        subset_size=len(pictures),
        target_device=nncf.TargetDevice.CPU,
        # NNCF does not say when a name is unknown; hence the check above
        ignored_scope=nncf.IgnoredScope(names=sorted(names - _IN_EIGHT_BITS), validate=False),
    )


def up_to_the_last(model: Any) -> Any:
    return openvino.Model([last_layer(model).features], model.get_parameters())


def _scaled(picture: Pixels) -> NDArray[np.float32]:
    """As the model takes it: -1 to 1, one picture of three channels."""
    scaled = np.asarray((picture.astype(np.float32) / 255 - 0.5) / 0.5, np.float32)
    return scaled.transpose(2, 0, 1)[np.newaxis]


if __name__ == "__main__":
    main()
