"""OpenVINO itself: one core in a process, models compiled for it, and what it says when it fails."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import rapidocr
from openvino import Core, InferRequest, Layout, Model, Type  # type: ignore[import-untyped]
from openvino.preprocess import PrePostProcessor  # type: ignore[import-untyped]

from docpipe.errors import ConfigurationError, MemoryExhaustedError, PermanentError

_MODELS = Path(rapidocr.__file__).with_name("models")
_HALF = 127.5
"""Of a byte: the models take pixels from -1 to 1."""


def model_file(name: str) -> Path:
    """One of the models that RapidOCR comes with. What names them there takes half a second to import.

    Raises:
        ConfigurationError: it comes without.
    """
    path = _MODELS / name
    if not path.is_file():
        raise ConfigurationError(f"RapidOCR comes without the model {name}. Install another version.")
    return path


def read_file(path: Path) -> Model:
    return _core().read_model(path)


def bytes_are_faster() -> bool:
    """Whether the processor multiplies bytes faster than floats: it has VNNI, and computes floats in 32 bits.

    Without VNNI sums of products of bytes overflow; with AMX OpenVINO computes floats in 16 bits. OpenVINO
    does not tell of VNNI, and of the systems only Linux does by a file.
    """
    said = Path("/proc/cpuinfo")
    flags = said.read_text(encoding="utf-8").split() if said.is_file() else ()
    hint = _core().get_property("CPU", "INFERENCE_PRECISION_HINT")
    return hint == Type.f32 and not {"avx512_vnni", "avx_vnni"}.isdisjoint(flags)


def taking_pictures(model: Model) -> Model:
    """The model, made to take one picture of bytes: rows of pixels, blue, green, red."""
    steps = PrePostProcessor(model)
    picture = steps.input()
    picture.tensor().set_element_type(Type.u8).set_layout(Layout("NHWC"))
    picture.model().set_layout(Layout("NCHW"))
    to_float = picture.preprocess().convert_element_type(Type.f32)
    to_float.mean([_HALF] * 3).scale([_HALF] * 3)
    return steps.build()


def compiled(model: Model, threads: int) -> InferRequest:
    """The model, ready to be used with `infer`.

    Raises:
        ConfigurationError: OpenVINO cannot run it on this processor.
    """
    try:
        with _memory_told():
            return _core().compile_model(model, "CPU", settings(threads)).create_infer_request()
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        raise ConfigurationError(
            f"OpenVINO cannot run the models on this processor ({reason}). "
            "Set DOCPIPE_OCR_INFERENCE=onnxruntime."
        ) from error


def infer(request: InferRequest, value: Any) -> Sequence[Any]:
    """All outputs, as arrays. They lie in the request's memory: the next call overwrites them."""
    try:
        with _memory_told():
            request.infer([value], share_inputs=True)
    except RuntimeError as error:
        raise PermanentError(f"OpenVINO cannot read this picture ({type(error).__name__}).") from error
    return [tensor.data for tensor in request.output_tensors]


def settings(threads: int) -> dict[str, Any]:
    """OpenVINO's properties, where they are not its own defaults."""
    # Pinned threads of two processes meet on one core: each process takes the first one for its own.
    return {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "ENABLE_CPU_PINNING": False}


@cache
def _core() -> Core:
    """One in a process, and never freed.

    On processors with AMX each has a stack of its own for signals, put in place of the one before.
    Of two that are freed in the order they were made, the later puts back the stack that the earlier
    has freed, and the next signal ends the process.
    """
    return Core()


@contextmanager
def _memory_told() -> Iterator[None]:
    """OpenVINO has no class of its own for memory that runs out."""
    try:
        yield
    except RuntimeError as error:
        if "alloc" in str(error).lower():
            raise MemoryExhaustedError from error
        raise
