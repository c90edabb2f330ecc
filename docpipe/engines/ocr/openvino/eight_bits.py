"""The recogniser's layers in whole numbers of 8 bits, out of the package `docpipe-recogniser`."""

from __future__ import annotations

from hashlib import sha256
from importlib.resources import files
from pathlib import Path

from openvino import Model  # type: ignore[import-untyped]

from docpipe.engines.ocr.openvino.runtime import bytes_are_faster, read_file
from docpipe.errors import ConfigurationError, MissingExtraError

PACKAGE = "docpipe_recogniser"
FILE = "recogniser.xml"
MADE_FROM = ["docpipe", "made_from"]
"""Where the layers say of which file they were made: by its SHA-256."""


def layers(floats: Path, precision: str) -> Model | None:
    """The layers of this model up to the last; None where they are not wanted.

    `auto` wants them where they are at hand, faster than floats, and made of this model.

    Raises:
        ConfigurationError: `int8` is asked for, and they were made of another model.
        MissingExtraError: `int8` is asked for, and the package is not installed.
    """
    if precision == "float" or (precision == "auto" and not bytes_are_faster()):
        return None
    try:
        return layers_of(floats)
    except ConfigurationError:
        if precision == "int8":
            raise
        return None


def layers_of(floats: Path) -> Model:
    """The package's layers, which must have been made of this model."""
    try:
        model = read_file(Path(str(files(PACKAGE))) / "model" / FILE)
    except ImportError as error:
        raise MissingExtraError.for_module(PACKAGE, "openvino") from error
    if model.get_rt_info(MADE_FROM).value == sha256(floats.read_bytes()).hexdigest():
        return model
    raise ConfigurationError(
        f"There are no 8-bit layers for {floats.name} here. Set DOCPIPE_OCR_PRECISION=float,"
        " or install the rapidocr that requirements.lock names."
    )
