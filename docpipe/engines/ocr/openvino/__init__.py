"""The PP-OCR models that come with RapidOCR, run by OpenVINO without a step between.

What goes into a model is the picture as it is, bytes by rows: OpenVINO scales it while it reads it.
"""

from __future__ import annotations

from docpipe.engines import no_telemetry  # noqa: F401 - before the libraries below

# isort: split
import cv2
import numpy as np

from docpipe.engines.ocr.detect_and_read import Boxes, Pixels
from docpipe.engines.ocr.line_widths import filled_up
from docpipe.engines.ocr.openvino import eight_bits
from docpipe.engines.ocr.openvino.boxes import boxes_in
from docpipe.engines.ocr.openvino.recogniser import Recogniser
from docpipe.engines.ocr.openvino.runtime import compiled, infer, model_file, read_file, taking_pictures

_CLASSIFIED = (192, 48)
"""Width and height in pixels of what the line classifier sees."""
_DETECTOR = "PP-OCRv6_det_small.onnx"
_RECOGNISER = "PP-OCRv6_rec_small.onnx"
_CLASSIFIER = "ch_ppocr_mobile_v2.0_cls_mobile.onnx"


class OpenVinoModels:
    """Detector, recogniser and line classifier.

    Raises `ConfigurationError` when RapidOCR does not come with their files, or with files of another kind.
    """

    def __init__(self, threads: int, precision: str) -> None:
        floats = model_file(_RECOGNISER)
        self._detector, self._classifier = (
            compiled(taking_pictures(read_file(model_file(name))), threads)
            for name in (_DETECTOR, _CLASSIFIER)
        )
        quick = eight_bits.layers(floats, precision)
        self.recognise = Recogniser(read_file(floats), threads, quick).read
        self.in_eight_bits = quick is not None

    def detect(self, pixels: Pixels) -> Boxes:
        """The boxes of text in a picture whose sides are multiples of 32."""
        return boxes_in(infer(self._detector, pixels[np.newaxis])[0][0, 0])

    def upside_down(self, crop: Pixels) -> float:
        """How likely, 0..1, a horizontal crop at most four times as wide as high is upside down."""
        width, height = _CLASSIFIED
        seen = min(width, max(1, -(-height * crop.shape[1] // crop.shape[0])))
        filled = filled_up(cv2.resize(crop, (seen, height)), width)
        return float(infer(self._classifier, filled[np.newaxis])[0][0, 1])
