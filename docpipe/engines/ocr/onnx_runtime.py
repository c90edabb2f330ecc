"""RapidOCR's models as RapidOCR runs them, on ONNX Runtime.

Importing this takes half a second, most of it for RapidOCR's list of models, and OpenVINO needs none of it.
"""

from __future__ import annotations

from docpipe.engines import no_telemetry  # noqa: F401 - before the libraries below

# isort: split
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import cv2
import numpy as np
import onnxruntime
from rapidocr import RapidOCR
from rapidocr.ch_ppocr_det.utils import ResizeImgError
from rapidocr.inference_engine.onnxruntime import ONNXRuntimeError

from docpipe.engines.ocr import ctc
from docpipe.engines.ocr.detect_and_read import Boxes, Pixels
from docpipe.engines.ocr.line_widths import GREY, LINE_HEIGHT
from docpipe.errors import ConfigurationError, MemoryExhaustedError, PermanentError

_CUDA = "CUDAExecutionProvider"
_TINY = 1e-30
"""Likelihoods below count as this: 0 has no logarithm."""
_COMMON: dict[str, Any] = {
    # "error" and not "warning": every page without text would be a warning.
    "Global.log_level": "error",
    # Sizes are chosen in DetectAndRead, so the library's own resizing is off.
    "Global.use_preprocess_img": False,
    "Global.use_vertical_padding": False,
    "Det.limit_type": "max",
    "Det.limit_side_len": 100_000,
    "Det.max_candidates": 5_000,
    "Rec.rec_batch_num": 1,
    # A short line is not filled up to 320 pixels: it is read as well, in less time.
    "Rec.rec_img_shape": [3, LINE_HEIGHT, LINE_HEIGHT],
}


class OnnxModels:
    """Detector, recogniser and line classifier.

    Raises `ConfigurationError` when a GPU is wanted and cannot be used.
    """

    def __init__(self, threads: int, *, gpu: bool) -> None:
        self._call = RapidOCR(params=parameters(threads, gpu=gpu))
        self._used("rec", np.full((LINE_HEIGHT, LINE_HEIGHT, 3), GREY, np.uint8))  # which loads it
        recogniser: Any = self._call.text_rec
        self._recogniser = recogniser
        self._characters: list[str] = recogniser.postprocess_op.character[1:]
        # ONNX Runtime falls back to the CPU in silence when CUDA's libraries are missing
        if gpu and recogniser.session.session.get_providers()[:1] != [_CUDA]:
            raise ConfigurationError(
                "ONNX Runtime cannot use the GPU: CUDA or cuDNN is missing or of another version."
                " See onnxruntime.ai/docs/execution-providers/CUDA-ExecutionProvider.html"
            )

    def detect(self, pixels: Pixels) -> Boxes:
        boxes = self._used("det", pixels).boxes
        return np.empty((0, 4, 2), np.float32) if boxes is None else np.asarray(boxes, np.float32)

    def recognise(self, line: Pixels) -> ctc.Line:
        seen = self._recogniser.resize_norm_img(line, line.shape[1] / line.shape[0])
        with _translated():
            likely = self._recogniser.session(seen[np.newaxis].astype(np.float32))[0]
        best = likely.argmax(axis=1)
        top = likely[np.arange(len(best)), best]
        begins = ctc.letters(best)
        if not begins.any():
            return ctc.Line("", 0.0)
        space = np.log(np.maximum(likely[:, -1], _TINY) / top)
        return ctc.line(best, space, self._characters, float(top[begins].mean())).within(len(best))

    def upside_down(self, crop: Pixels) -> float:
        label, score = self._used("cls", crop).cls_res[0]
        return float(score) if label == "180" else 1.0 - float(score)

    def _used(self, part: str, pixels: Pixels) -> Any:
        # All three flags every time: the library keeps those of one call for the next.
        with _translated():
            return self._call(pixels, use_det=part == "det", use_cls=part == "cls", use_rec=part == "rec")


def check_for_gpu() -> None:
    """Raises `ConfigurationError` when ONNX Runtime here is one without CUDA."""
    if _CUDA not in (there := onnxruntime.get_available_providers()):
        raise ConfigurationError(
            f"ONNX Runtime has no {_CUDA} here, only {', '.join(there)}. "
            "Run: pip uninstall onnxruntime; pip install 'docpipe-celery[gpu]'"
        )


def parameters(threads: int, *, gpu: bool) -> dict[str, Any]:
    """RapidOCR's parameters, where they are not its own defaults."""
    return _COMMON | {
        "EngineConfig.onnxruntime.intra_op_num_threads": threads,
        "EngineConfig.onnxruntime.inter_op_num_threads": 1,
        "EngineConfig.onnxruntime.use_cuda": gpu,
    }


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (ResizeImgError, cv2.error, ONNXRuntimeError) as error:
        if "alloc" in str(error).lower():
            raise MemoryExhaustedError from error
        raise PermanentError(f"RapidOCR cannot read this picture ({type(error).__name__}).") from error
