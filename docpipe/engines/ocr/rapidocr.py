"""RapidOCR 3: PP-OCR models that come with the package; nothing is fetched.

They run on OpenVINO, which is fastest on CPUs, on ONNX Runtime, or on ONNX Runtime with CUDA.
"""

from __future__ import annotations

from docpipe.engines import no_telemetry  # noqa: F401 - before the libraries below

# isort: split
import os
from importlib.metadata import version
from importlib.util import find_spec
from types import ModuleType
from typing import Literal, Protocol, get_args

import rapidocr  # noqa: F401 - whose models are read; this alone brings little of it

from docpipe.engines.ocr import ctc
from docpipe.engines.ocr.detect_and_read import Boxes, DetectAndRead, Pixels
from docpipe.engines.ocr.line_widths import LINE_HEIGHT, in_bucket
from docpipe.errors import ConfigurationError, MissingExtraError

Inference = Literal["auto", "onnxruntime", "openvino", "cuda"]
Precision = Literal["float", "auto", "int8"]

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
        return self._on_openvino() if self.inference == "openvino" else self._on_onnx_runtime()

    def _on_openvino(self) -> _Models:
        from docpipe.engines.ocr.openvino import OpenVinoModels  # noqa: PLC0415 - needs openvino

        loaded = OpenVinoModels(self._threads, self._precision)
        self._run_on("openvino", ", int8" if loaded.in_eight_bits else "")
        return loaded

    def _on_onnx_runtime(self) -> _Models:
        loaded: _Models = _onnx_runtime().OnnxModels(self._threads, gpu=self.inference == "cuda")
        return loaded

    def _run_on(self, inference: str, how: str = "") -> None:
        self.inference = inference
        self.name = f"rapidocr {version('rapidocr')} ({inference}{how})"

    def _detect(self, pixels: Pixels) -> Boxes:
        return self._models.detect(pixels)

    def _recognise(self, crop: Pixels) -> ctc.Line:
        filled = in_bucket(crop)
        # the grey on the right is no part of the line
        part = min(1.0, LINE_HEIGHT * crop.shape[1] / crop.shape[0] / filled.shape[1])
        return self._models.recognise(filled).within(part)

    def _upside_down(self, crop: Pixels) -> float:
        return self._models.upside_down(crop)


# --- inference ----------------------------------------------------------------------------------


def _chosen(inference: str) -> str:
    """What `auto` stands for here, and whether what was asked for is there."""
    if inference not in get_args(Inference):
        known = ", ".join(get_args(Inference))
        raise ConfigurationError(f"RapidOCR cannot run on {inference!r}. Choose one of {known}.")
    has_openvino = find_spec("openvino") is not None
    if inference == "openvino" and not has_openvino:
        raise MissingExtraError.for_module("openvino", "openvino")
    if inference == "cuda":
        _onnx_runtime().check_for_gpu()
    return ("openvino" if has_openvino else "onnxruntime") if inference == "auto" else inference


def _onnx_runtime() -> ModuleType:
    try:
        from docpipe.engines.ocr import onnx_runtime  # noqa: PLC0415 - half a second, in vain with OpenVINO
    except ImportError as error:
        raise MissingExtraError.for_module(error.name or "onnxruntime", "ocr") from error
    return onnx_runtime


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
