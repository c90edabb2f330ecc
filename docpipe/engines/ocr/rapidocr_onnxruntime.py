"""rapidocr-onnxruntime 1.4: RapidOCR's frozen predecessor, for installations that still name it.

Its PP-OCRv4 models lose spaces between English words; give it `det_model` and `rec_model` of a
newer generation (any PP-OCR ONNX file with its dictionary inside) and it reads as well as RapidOCR 3.
"""

from __future__ import annotations

from docpipe.engines import no_telemetry  # noqa: F401 - before the libraries below

# isort: split
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any

import cv2
import numpy as np
from rapidocr_onnxruntime import RapidOCR  # type: ignore[import-not-found,import-untyped,unused-ignore]
from rapidocr_onnxruntime.utils.infer_engine import (  # type: ignore[import-not-found,import-untyped,unused-ignore]
    ONNXRuntimeError,
)

from docpipe.engines.ocr.ctc import Line
from docpipe.engines.ocr.detect_and_read import Boxes, DetectAndRead, Pixels
from docpipe.errors import MemoryExhaustedError, PermanentError


class RapidOcrOnnxRuntimeEngine(DetectAndRead[Any]):
    """`rapidocr-onnxruntime` >= 1.4.4 (Python below 3.13).

    Args:
        threads, detection_pixels, min_score: as in `docpipe.engines.ocr.rapidocr.RapidOcrEngine`.
        det_model, rec_model: paths of other ONNX files; the package's own when left out.
    """

    def __init__(
        self,
        *,
        threads: int = 1,
        detection_pixels: int = 1_200_000,
        min_score: float = 0.5,
        det_model: str | None = None,
        rec_model: str | None = None,
    ) -> None:
        super().__init__(detection_pixels=detection_pixels, min_score=min_score)
        self.name = f"rapidocr-onnxruntime {version('rapidocr-onnxruntime')}"
        self._threads = threads
        self._paths = {
            key: path for key, path in (("det_model_path", det_model), ("rec_model_path", rec_model)) if path
        }

    def _load(self) -> Any:
        # Its logger starts at DEBUG; and every page without text would be a warning.
        logging.getLogger("RapidOCR").setLevel(logging.ERROR)
        return RapidOCR(
            intra_op_num_threads=self._threads,
            inter_op_num_threads=1,
            # Sizes are chosen in DetectAndRead; these limits keep the library from resizing again.
            max_side_len=100_000,
            min_side_len=1,
            min_height=0,
            width_height_ratio=-1,
            det_limit_type="min",
            det_limit_side_len=32,
            det_max_candidates=5_000,
            **self._paths,
        )

    def _call(self, pixels: Pixels, *, use: str) -> Any:
        with _translated():
            found, _ = self._models(pixels, use_det=use == "det", use_cls=use == "cls", use_rec=use == "rec")
        return found

    def _detect(self, pixels: Pixels) -> Boxes:
        boxes = self._call(pixels, use="det")
        return np.asarray(boxes or np.empty((0, 4, 2)), np.float32)

    def _recognise(self, crop: Pixels) -> Line:
        text, score = self._call(crop, use="rec")[0]
        return Line(str(text), float(score))

    def _upside_down(self, crop: Pixels) -> float:
        label, score = self._call(crop, use="cls")[0]
        return float(score) if label == "180" else 1.0 - float(score)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (cv2.error, ONNXRuntimeError) as error:
        if "alloc" in str(error).lower():
            raise MemoryExhaustedError from error
        raise PermanentError(f"RapidOCR cannot read this picture ({type(error).__name__}).") from error
