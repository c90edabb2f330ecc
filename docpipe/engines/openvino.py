"""The PP-OCR models that come with RapidOCR, run by OpenVINO without a step between.

What goes into a model is the picture as it is, bytes by rows: OpenVINO scales it while it reads it. What
comes out of the recogniser are the scores before the last step, from which likelihoods are worked out
only where a letter stands.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from openvino import Core, InferRequest, Layout, Model, Type  # type: ignore[import-untyped]
from openvino.preprocess import PrePostProcessor  # type: ignore[import-untyped]
from rapidocr import EngineType
from rapidocr.ch_ppocr_det.utils import DBPostProcess
from rapidocr.inference_engine.base import FileInfo, InferSession

from docpipe.engines import ctc
from docpipe.engines.detect_and_read import Boxes, Pixels
from docpipe.errors import ConfigurationError, MemoryExhaustedError, PermanentError

_BYTE = 255.0
_CLASSIFIED = (192, 48)
"""Width and height in pixels of what the line classifier sees."""
_GREY = (127, 127, 127)
_DETECTION = ("thresh", "box_thresh", "max_candidates", "unclip_ratio", "use_dilation", "score_mode")


class OpenVinoModels:
    """Detector, recogniser and line classifier, as RapidOCR's configuration names them.

    Raises `ConfigurationError` when RapidOCR does not have their files at hand.
    """

    def __init__(self, config: Any, threads: int) -> None:
        folder = Path(config.Global.model_root_dir)
        detector, recogniser, classifier = (
            _model(folder, part) for part in (config.Det, config.Rec, config.Cls)
        )
        self._characters = _characters(recogniser)
        self._detector = _request(detector, config.Det.mean, config.Det.std, threads)
        self._recogniser = _request(_without_softmax(recogniser), (0.5,), (0.5,), threads)
        self._classifier = _request(classifier, (0.5,), (0.5,), threads)
        self._boxes_of = DBPostProcess(**{name: config.Det[name] for name in _DETECTION})

    def detect(self, pixels: Pixels) -> Boxes:
        """The boxes of text in a picture whose sides are multiples of 32."""
        likely = _inferred(self._detector, pixels)
        boxes, _ = self._boxes_of(likely, pixels.shape[:2])
        return np.asarray(boxes, np.float32).reshape(-1, 4, 2)

    def recognise(self, line: Pixels) -> tuple[str, float]:
        """Text and mean likelihood of one line, 48 pixels high."""
        scores = _inferred(self._recogniser, line)[0]
        best = scores.argmax(axis=1)
        begins = ctc.letters(best)
        if not begins.any():
            return "", 0.0
        space = scores[:, -1] - scores[np.arange(len(best)), best]
        return ctc.text(best, space, self._characters), _likelihood(scores[begins])

    def upside_down(self, crop: Pixels) -> float:
        """How likely, 0..1, a horizontal crop at most four times as wide as high is upside down."""
        width, height = _CLASSIFIED
        seen = min(width, max(1, -(-height * crop.shape[1] // crop.shape[0])))
        line = cv2.resize(crop, (seen, height))
        filled = cv2.copyMakeBorder(line, 0, 0, 0, width - seen, cv2.BORDER_CONSTANT, value=_GREY)
        return float(_inferred(self._classifier, np.asarray(filled, np.uint8))[0, 1])


@cache
def _core() -> Core:
    """One in a process, and never freed.

    On processors with AMX each has a stack of its own for signals, put in place of the one before.
    Of two that are freed in the order they were made, the later puts back the stack that the earlier
    has freed, and the next signal ends the process.
    """
    return Core()


def _model(folder: Path, part: Any) -> Model:
    wanted = FileInfo(EngineType.OPENVINO, part.ocr_version, part.task_type, part.lang_type, part.model_type)
    path = folder / Path(InferSession.get_model_url(wanted)["model_dir"]).name
    if not path.is_file():
        raise ConfigurationError(f"RapidOCR comes without the model {path.name}. Install another version.")
    return _core().read_model(path)


def _characters(recogniser: Model) -> list[str]:
    """What each output but the first stands for; the last is the space."""
    return [*recogniser.get_rt_info(["framework", "character"]).value.splitlines(), " "]


def _without_softmax(recogniser: Model) -> Model:
    last = recogniser.get_results()[0].input_value(0).get_node()
    if last.get_type_name() != "Softmax":
        raise ConfigurationError("RapidOCR's recogniser is of another kind. Install an earlier version.")
    return Model([last.input_value(0)], recogniser.get_parameters())


def _request(model: Model, mean: Any, deviation: Any, threads: int) -> InferRequest:
    """The model, compiled to take one picture of bytes: rows of pixels, blue, green, red."""
    steps = PrePostProcessor(model)
    picture = steps.input()
    picture.tensor().set_element_type(Type.u8).set_layout(Layout("NHWC"))
    picture.model().set_layout(Layout("NCHW"))
    to_float = picture.preprocess().convert_element_type(Type.f32)
    to_float.mean([_BYTE * part for part in _three(mean)]).scale([_BYTE * part for part in _three(deviation)])
    return _core().compile_model(steps.build(), "CPU", settings(threads)).create_infer_request()


def settings(threads: int) -> dict[str, Any]:
    """OpenVINO's properties, where they are not its own defaults."""
    # Pinned threads of two processes meet on one core: each process takes the first one for its own.
    return {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "ENABLE_CPU_PINNING": False}


def _three(values: Any) -> list[float]:
    return [float(value) for value in values] * (3 // len(values))


def _inferred(request: InferRequest, pixels: Pixels) -> NDArray[np.float32]:
    """The first output. It lies in the request's memory: the next call overwrites it."""
    with _translated():
        request.infer([pixels[np.newaxis]], share_inputs=True)
    output: NDArray[np.float32] = request.get_output_tensor(0).data
    return output


def _likelihood(scores: NDArray[np.float32]) -> float:
    """Mean over rows of the softmax of each row's highest score. `scores` are overwritten."""
    scores -= scores.max(axis=1, keepdims=True)
    return float(np.mean(1.0 / np.exp(scores, out=scores).sum(axis=1)))


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        if "alloc" in str(error).lower():
            raise MemoryExhaustedError from error
        raise PermanentError(f"OpenVINO cannot read this picture ({type(error).__name__}).") from error
