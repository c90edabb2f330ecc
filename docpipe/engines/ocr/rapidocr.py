"""RapidOCR 3: PP-OCR models that come with the package; nothing is fetched.

They run on OpenVINO, which is fastest on CPUs, on ONNX Runtime, or on ONNX Runtime with CUDA.
"""

from __future__ import annotations

from docpipe.engines import no_telemetry  # noqa: F401 - before the libraries below

# isort: split
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any, Literal, Protocol, get_args

import cv2
import numpy as np
import onnxruntime
from rapidocr import RapidOCR
from rapidocr.ch_ppocr_det.utils import ResizeImgError
from rapidocr.inference_engine.onnxruntime import ONNXRuntimeError

from docpipe.engines.ocr import ctc
from docpipe.engines.ocr.detect_and_read import Boxes, DetectAndRead, Pixels
from docpipe.errors import ConfigurationError, MemoryExhaustedError, MissingExtraError, PermanentError

Inference = Literal["auto", "onnxruntime", "openvino", "cuda"]
Precision = Literal["float", "auto", "int8"]

_CUDA = "CUDAExecutionProvider"
_LINE_HEIGHT = 48
"""Pixels; the recogniser sees every line at this height."""
_GREY = 127
"""What RapidOCR fills up a line with, as near as a byte comes to it."""
_TINY = 1e-30
"""Likelihoods below count as this: 0 has no logarithm."""
_openvino_in: set[int] = set()
"""The processes, this one or those it was forked from, in which OpenVINO's threads were started."""


class _Models(Protocol):
    """See `DetectAndRead`, of which these are the models."""

    def detect(self, pixels: Pixels) -> Boxes: ...
    def recognise(self, line: Pixels) -> ctc.Line: ...
    def upside_down(self, crop: Pixels) -> float: ...


class RapidOcrEngine(DetectAndRead[_Models]):
    """`rapidocr` >= 3.9.

    Args:
        inference: what runs the models. `openvino` needs `docpipe-celery[openvino]`, `cuda` needs
            `docpipe-celery[gpu]` and a GPU; `auto` is OpenVINO where that is installed, else ONNX Runtime.
        precision: of the recogniser on OpenVINO. `float`; `int8`: in 8 bits first, and again in floats the
            lines in which it is not sure; `auto`: `int8` where the processor has VNNI and no AMX, and the
            layers are at hand. What was used is in `name`, once a picture was read.
        threads: per model, on the CPU; with one worker process per core, 1 is fastest.
        detection_pixels: the most pixels the detector sees at a time; memory grows with it
            (1.2 million is about 1280 x 940; the process takes 650 MB with OpenVINO, 500 MB with
            ONNX Runtime).
        min_score: lines the recogniser is less sure of than this (0..1) count as not read.

    Raises:
        ConfigurationError: there is no such inference or precision, ONNX Runtime here cannot use a GPU, or
            `int8` is asked for without OpenVINO.
        MissingExtraError: OpenVINO is asked for and not installed, or at the first picture its 8-bit layers.
    """

    def __init__(
        self,
        *,
        inference: Inference = "auto",
        precision: Precision = "float",
        threads: int = 1,
        detection_pixels: int = 1_200_000,
        min_score: float = 0.5,
    ) -> None:
        super().__init__(detection_pixels=detection_pixels, min_score=min_score)
        self._run_on(_chosen(inference))
        self._precision = _possible(precision, self.inference)
        self._threads = threads

    def _load(self) -> _Models:
        if self.inference == "openvino":
            self._run_on(_survivor())
        models = RapidOCR(params=self.parameters())
        if self.inference == "openvino":
            return self._on_openvino(models)
        loaded = _OnnxModels(models)
        if self.inference == "cuda":
            _check_on_gpu(models)
        return loaded

    def _on_openvino(self, models: RapidOCR) -> _Models:
        from docpipe.engines.ocr.openvino import OpenVinoModels  # noqa: PLC0415 - needs openvino

        loaded = OpenVinoModels(models.cfg, self._threads, self._precision)
        self._run_on("openvino", ", int8" if loaded.in_eight_bits else "")
        return loaded

    def _run_on(self, inference: str, how: str = "") -> None:
        self.inference = inference
        self.name = f"rapidocr {version('rapidocr')} ({inference}{how})"

    def parameters(self) -> dict[str, Any]:
        """RapidOCR's parameters, where they are not its own defaults."""
        return (
            _COMMON
            | {
                "openvino": {},
                "onnxruntime": _onnxruntime(self._threads),
                "cuda": _onnxruntime(self._threads) | {"EngineConfig.onnxruntime.use_cuda": True},
            }[self.inference]
        )

    def _detect(self, pixels: Pixels) -> Boxes:
        return self._models.detect(pixels)

    def _recognise(self, crop: Pixels) -> ctc.Line:
        filled = in_bucket(crop)
        # the grey on the right is no part of the line
        part = min(1.0, _LINE_HEIGHT * crop.shape[1] / crop.shape[0] / filled.shape[1])
        return self._models.recognise(filled).within(part)

    def _upside_down(self, crop: Pixels) -> float:
        return self._models.upside_down(crop)


class _OnnxModels:
    """The models as RapidOCR runs them, on ONNX Runtime."""

    def __init__(self, models: RapidOCR) -> None:
        self._call = models
        self._used("rec", np.full((_LINE_HEIGHT, _LINE_HEIGHT, 3), _GREY, np.uint8))  # which loads it
        recogniser: Any = models.text_rec
        self._recogniser = recogniser
        self._characters: list[str] = recogniser.postprocess_op.character[1:]

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


# --- inference ----------------------------------------------------------------------------------

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
    "Rec.rec_img_shape": [3, _LINE_HEIGHT, _LINE_HEIGHT],
}


def _chosen(inference: str) -> str:
    """What `auto` stands for here, and whether what was asked for is there."""
    if inference not in get_args(Inference):
        known = ", ".join(get_args(Inference))
        raise ConfigurationError(f"RapidOCR cannot run on {inference!r}. Choose one of {known}.")
    has_openvino = find_spec("openvino") is not None
    if inference == "openvino" and not has_openvino:
        raise MissingExtraError.for_module("openvino", "openvino")
    if inference == "cuda" and _CUDA not in (there := onnxruntime.get_available_providers()):
        raise ConfigurationError(
            f"ONNX Runtime has no {_CUDA} here, only {', '.join(there)}. "
            "Run: pip uninstall onnxruntime; pip install 'docpipe-celery[gpu]'"
        )
    return ("openvino" if has_openvino else "onnxruntime") if inference == "auto" else inference


def _possible(precision: Precision, inference: str) -> Precision:
    if precision not in get_args(Precision):
        known = ", ".join(get_args(Precision))
        raise ConfigurationError(f"RapidOCR has no precision {precision!r}. Choose one of {known}.")
    if precision == "int8" and inference != "openvino":
        raise ConfigurationError(
            f"Only OpenVINO reads in 8 bits, and RapidOCR runs on {inference} here."
            " Run: pip install 'docpipe-celery[openvino]', or set DOCPIPE_OCR_PRECISION=float."
        )
    return precision


def _survivor() -> str:
    """OpenVINO, or ONNX Runtime in the fork of a process that used OpenVINO: there it would wait for ever
    for threads that stayed behind."""
    _openvino_in.add(os.getpid())
    return "openvino" if len(_openvino_in) == 1 else "onnxruntime"


def _onnxruntime(threads: int) -> dict[str, Any]:
    return {
        "EngineConfig.onnxruntime.intra_op_num_threads": threads,
        "EngineConfig.onnxruntime.inter_op_num_threads": 1,
    }


def _check_on_gpu(models: Any) -> None:
    """ONNX Runtime falls back to the CPU in silence when CUDA's libraries are missing."""
    if models.text_rec.session.session.get_providers()[:1] != [_CUDA]:
        raise ConfigurationError(
            "ONNX Runtime cannot use the GPU: CUDA or cuDNN is missing or of another version."
            " See onnxruntime.ai/docs/execution-providers/CUDA-ExecutionProvider.html"
        )


def in_bucket(crop: Pixels) -> Pixels:
    """The line at the recogniser's height, filled up with grey on the right to one of few widths.

    An inference engine prepares itself anew for every width it meets, which takes as long as reading
    the line, and keeps what it prepared.
    """
    height, width = crop.shape[:2]
    seen = max(1, math.ceil(_LINE_HEIGHT * width / height))
    step = 64 if seen <= 640 else 128
    line = cv2.resize(crop, (seen, _LINE_HEIGHT))
    spare = -seen % step
    filled = cv2.copyMakeBorder(line, 0, 0, 0, spare, cv2.BORDER_CONSTANT, value=(_GREY, _GREY, _GREY))
    return np.asarray(filled, np.uint8)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (ResizeImgError, cv2.error, ONNXRuntimeError) as error:
        if "alloc" in str(error).lower():
            raise MemoryExhaustedError from error
        raise PermanentError(f"RapidOCR cannot read this picture ({type(error).__name__}).") from error
