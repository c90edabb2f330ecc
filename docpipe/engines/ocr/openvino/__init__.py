"""The PP-OCR models that come with RapidOCR, run by OpenVINO without a step between.

What goes into a model is the picture as it is, bytes by rows: OpenVINO scales it while it reads it.
"""

from __future__ import annotations

from docpipe.engines import no_telemetry  # noqa: F401 - before the libraries below

# isort: split
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rapidocr.ch_ppocr_det.utils import DBPostProcess

from docpipe.engines.ocr.detect_and_read import Boxes, Pixels
from docpipe.engines.ocr.openvino import eight_bits
from docpipe.engines.ocr.openvino.recogniser import Recogniser
from docpipe.engines.ocr.openvino.runtime import compiled, infer, model_file, read_file, taking_pictures

_CLASSIFIED = (192, 48)
"""Width and height in pixels of what the line classifier sees."""
_GREY = (127, 127, 127)
_DETECTION = ("thresh", "box_thresh", "max_candidates", "unclip_ratio", "use_dilation", "score_mode")


class OpenVinoModels:
    """Detector, recogniser and line classifier, as RapidOCR's configuration names them.

    Raises `ConfigurationError` when RapidOCR does not have their files at hand, or files of another kind.
    """

    def __init__(self, config: Any, threads: int, precision: str) -> None:
        folder = Path(config.Global.model_root_dir)
        files = [model_file(folder, part) for part in (config.Det, config.Rec, config.Cls)]
        detector, recogniser, classifier = map(read_file, files)
        self._detector = compiled(taking_pictures(detector, config.Det.mean, config.Det.std), threads)
        self._classifier = compiled(taking_pictures(classifier, (0.5,), (0.5,)), threads)
        self._boxes_of = DBPostProcess(**{name: config.Det[name] for name in _DETECTION})
        quick = eight_bits.layers(files[1], precision)
        self.recognise = Recogniser(recogniser, threads, quick).read
        self.in_eight_bits = quick is not None

    def detect(self, pixels: Pixels) -> Boxes:
        """The boxes of text in a picture whose sides are multiples of 32."""
        likely = infer(self._detector, pixels[np.newaxis])[0]
        boxes, _ = self._boxes_of(likely, pixels.shape[:2])
        return np.asarray(boxes, np.float32).reshape(-1, 4, 2)

    def upside_down(self, crop: Pixels) -> float:
        """How likely, 0..1, a horizontal crop at most four times as wide as high is upside down."""
        width, height = _CLASSIFIED
        seen = min(width, max(1, -(-height * crop.shape[1] // crop.shape[0])))
        line = cv2.resize(crop, (seen, height))
        filled = cv2.copyMakeBorder(line, 0, 0, 0, width - seen, cv2.BORDER_CONSTANT, value=_GREY)
        return float(infer(self._classifier, np.asarray(filled, np.uint8)[np.newaxis])[0][0, 1])
