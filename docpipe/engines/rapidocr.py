"""RapidOCR 3: PP-OCR models on ONNX Runtime; the models come with the package, nothing is fetched."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any

import cv2
import numpy as np
from rapidocr import RapidOCR
from rapidocr.ch_ppocr_det.utils import ResizeImgError
from rapidocr.inference_engine.onnxruntime import ONNXRuntimeError

from docpipe.engines.detect_and_read import Boxes, DetectAndRead, Pixels
from docpipe.errors import MemoryExhaustedError, PermanentError


class RapidOcrEngine(DetectAndRead[RapidOCR]):
    """`rapidocr` >= 3.9.

    Args:
        threads: of ONNX Runtime per model; with one worker process per core, 1 is fastest.
        detection_pixels: the most pixels the detector sees at a time; memory grows with it
            (1.2 million is about 1280 x 940, and about 650 MB for the process).
        min_score: lines the recogniser is less sure of than this (0..1) are left out.
    """

    def __init__(
        self, *, threads: int = 1, detection_pixels: int = 1_200_000, min_score: float = 0.5
    ) -> None:
        super().__init__(detection_pixels=detection_pixels, min_score=min_score)
        self.name = f"rapidocr {version('rapidocr')}"
        self._threads = threads

    def _load(self) -> RapidOCR:
        return RapidOCR(
            params={
                # "error" and not "warning": every page without text would be a warning.
                "Global.log_level": "error",
                # Sizes are chosen in DetectAndRead, so the library's own resizing is off.
                "Global.use_preprocess_img": False,
                "Global.use_vertical_padding": False,
                "Det.limit_type": "max",
                "Det.limit_side_len": 100_000,
                "Det.max_candidates": 5_000,
                "Rec.rec_batch_num": 1,
                "EngineConfig.onnxruntime.intra_op_num_threads": self._threads,
                "EngineConfig.onnxruntime.inter_op_num_threads": 1,
            }
        )

    def _call(self, pixels: Pixels, *, use: str) -> Any:
        # All three flags every time: the library keeps those of one call for the next.
        with _translated():
            return self._models(pixels, use_det=use == "det", use_cls=use == "cls", use_rec=use == "rec")

    def _detect(self, pixels: Pixels) -> Boxes:
        boxes = self._call(pixels, use="det").boxes
        return np.empty((0, 4, 2), np.float32) if boxes is None else np.asarray(boxes, np.float32)

    def _recognise(self, crop: Pixels) -> tuple[str, float]:
        found = self._call(crop, use="rec")
        return (str(found.txts[0]), float(found.scores[0])) if found.txts else ("", 0.0)

    def _upside_down(self, crop: Pixels) -> float:
        label, score = self._call(crop, use="cls").cls_res[0]
        return float(score) if label == "180" else 1.0 - float(score)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (ResizeImgError, cv2.error, ONNXRuntimeError) as error:
        if "alloc" in str(error).lower():
            raise MemoryExhaustedError from error
        raise PermanentError(f"RapidOCR cannot read this picture ({type(error).__name__}).") from error
