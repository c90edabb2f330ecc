"""Pictures, by Pillow: each frame of a TIFF, GIF, PNG, WebP, HEIF or AVIF is a page.

A picture keeps its own resolution: enlarging adds nothing, and recognition shrinks as it needs.
"""

from __future__ import annotations

import io
import math
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageChops, ImageCms, ImageOps, TiffImagePlugin, UnidentifiedImageError

from docpipe.errors import CorruptDocumentError, ExpansionLimitError, TooManyPagesError, TooManyPixelsError
from docpipe.formats.base import Limits, PageImage, RawPage, Reader
from docpipe.formats.cut_picture import ended, is_cut, load_what_is_there, missing
from docpipe.formats.request import ReadRequest
from docpipe.models import Warn
from docpipe.models.closing import closed_on_failure

_ASSUMED_DPI = 200.0
_SANE_DPI = (50.0, 1200.0)
_SAME_DPI = 1.05
_CUT_ROWS = 40
_LEAST_DECODED = 0.1
"""Part of a picture's height; with less it is not worth reading."""
_COUNTED = 0.005
"""From here on a part of the height is a per cent or more."""
_CONTRAST = 16
"""Grey levels of 256: with less there is nothing to read."""
_PLUGINS = {
    "image/png": "PNG",
    "image/jpeg": "JPEG",
    "image/tiff": "TIFF",
    "image/gif": "GIF",
    "image/bmp": "BMP",
    "image/webp": "WEBP",
    "image/jp2": "JPEG2000",
    "image/avif": "AVIF",
    "image/heif": "HEIF",
}
_OF_FRAMES = frozenset({"TIFF", "GIF", "PNG", "WEBP", "HEIF", "AVIF"})
_DARK = 64
"""Grey level of 256: paper is lighter."""
_DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    ArithmeticError,
    EOFError,
    RuntimeError,  # and NotImplementedError
    AssertionError,
    struct.error,
    zlib.error,
    ImageCms.PyCMSError,
)
"""What Pillow's decoders were seen to raise for damaged files."""


def open_reader(request: ReadRequest) -> Reader:
    """Open a picture.

    Raises:
        TooManyPixelsError, TooManyPagesError: by its header, before any pixel is decoded.
        CorruptDocumentError: Pillow cannot make sense of it.
    """
    return ImageReader(request)


class ImageReader:
    """The frames of one picture file, decoded one at a time and only when asked for."""

    def __init__(self, request: ReadRequest) -> None:
        self.file_type = request.file_type
        self.metadata: dict[str, str] = {}
        self.warnings: list[Warn] = []
        self._name = request.name
        self._limits = request.limits
        self._leads_back = False
        self._file = request.stream()
        with closed_on_failure(self._file):
            self._open()

    def _open(self) -> None:
        with _pillow_errors(self._name):
            self._picture = self._opened()
            self._check_size()
            self.page_count = self._count_frames()

    def _opened(self) -> Image.Image:
        # Not by path: Pillow would map an uncompressed TIFF and misread a turned one.
        self._file.seek(0)
        try:
            return Image.open(self._file, formats=[_PLUGINS[self.file_type]])
        except UnidentifiedImageError as error:  # its words name the file where this process has it
            raise CorruptDocumentError(f"{self._name} is a damaged picture: its header is none.") from error

    def pages(self, first: int = 1, last: int | None = None) -> Iterator[RawPage]:
        for frame in range(first - 1, last or self.page_count):
            with _pillow_errors(self._name):
                self._picture.seek(frame)
                self._check_size()
                width, height, _ = _geometry(self._picture)
            yield RawPage(width, height, (), partial(self._render, frame), image_share=1.0)

    def close(self) -> None:
        self._picture.close()
        self._file.close()

    def _count_frames(self) -> int:
        """Walks, because Pillow's `n_frames` walks to the end first, however many there are."""
        if self._picture.format not in _OF_FRAMES:
            return 1
        for frame in range(1, self._limits.max_image_frames + 1):
            try:
                self._picture.seek(frame)
            except EOFError:
                self._leads_back = _leads_back(self._picture)
                return frame
            except OSError as error:
                if is_cut(error):
                    return frame
                raise
        raise TooManyPagesError(f"{self._name} holds more than {self._limits.max_image_frames} pictures.")

    def _check_size(self) -> None:
        width, height = self._picture.size
        limits = self._limits
        if width * height > limits.max_image_pixels or max(width, height) > limits.max_image_side:
            raise TooManyPixelsError(
                f"{self._name} has {width} x {height} pixels; the limit is {limits.max_image_pixels:,} "
                f"in all and {limits.max_image_side:,} a side."
            )
        if min(width, height) < 1:
            raise CorruptDocumentError(f"{self._name} has no pixels.")

    def _render(self, frame: int, _dpi: int) -> PageImage:
        with _pillow_errors(self._name):
            self._picture.seek(frame)
            self._check_size()
            self._load(frame)
            _, _, dpi = _geometry(self._picture)
            upright = _shown(self._picture)
            self._warn_of_circle(frame, upright)
            points = upright.width * 72 / dpi[0]
            shown = _scaled(upright, _target_size(upright.size, dpi, self._limits))
            if shown is not self._picture:
                del upright
                self._picture = self._opened()  # which frees what was unpacked of it
        return PageImage(_blue_green_red(shown), points / shown.width)

    def _warn_of_circle(self, frame: int, shown: Image.Image) -> None:
        """A last picture with something on it that leads back to an earlier one: others may be missing."""
        if self._leads_back and frame == self.page_count - 1 and not _is_plain(shown):
            message = "After the last picture the file names one again that came before: some may be missing."
            self.warnings.append(Warn("content_lost", message, frame + 1))

    def _load(self, frame: int) -> None:
        try:
            self._picture.load()
        except OSError as error:
            if not is_cut(error):
                raise
            self._load_cut(frame)
        else:
            self._warn_of_lost_part(frame)

    def _load_cut(self, frame: int) -> None:
        """The picture as far as its file goes."""
        if self._picture.format == "JPEG":
            self._file = io.BytesIO(ended(self._file))
        self._picture = self._opened()
        self._picture.seek(frame)
        load_what_is_there(self._picture)
        lost = missing(self._picture)
        if lost > 1 - _LEAST_DECODED:
            raise CorruptDocumentError(f"{self._name} is a damaged picture: its file ends before it begins.")
        part = f"{lost:.0%} of its height" if lost >= _COUNTED else "some of what it shows"
        message = f"The file of the picture ends too early: {part} is missing."
        self.warnings.append(Warn("content_lost", message, frame + 1))

    def _warn_of_lost_part(self, frame: int) -> None:
        """A JPEG decoder that runs out of data says nothing, and fills the rest with grey."""
        picture = self._picture
        if picture.format != "JPEG" or picture.height < _CUT_ROWS:
            return
        bottom = picture.crop((0, picture.height - picture.height // 10, picture.width, picture.height))
        if bottom.convert("L").getextrema() == (128, 128):
            message = f"The lower {missing(picture):.0%} of the picture is missing: the file is damaged."
            self.warnings.append(Warn("content_lost", message, frame + 1))


@contextmanager
def _pillow_errors(name: str) -> Iterator[None]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # damaged metadata and large sizes: judged here, not there
            yield
    except Image.DecompressionBombError as error:
        raise TooManyPixelsError(f"{name} has too many pixels: {error}") from error
    except RecursionError:  # a RuntimeError too, and not the picture's
        raise
    except _DAMAGE as error:
        if "MAX_TEXT" in str(error) or "Decompressed data too large" in str(error):
            raise ExpansionLimitError(f"A text inside {name} unpacks to more than the limit.") from error
        raise CorruptDocumentError(f"{name} is a damaged picture ({error}).") from error


def _leads_back(picture: Image.Image) -> bool:
    """Whether the last picture names a next one, which Pillow passes over because it came before."""
    return isinstance(picture, TiffImagePlugin.TiffImageFile) and bool(picture.tag_v2.next)


def _is_plain(picture: Image.Image) -> bool:
    grey = np.asarray(_as_mode(picture, "L"))
    return int(grey.max()) - int(grey.min()) < _CONTRAST


def _geometry(picture: Image.Image) -> tuple[float, float, tuple[float, float]]:
    """Width and height in points and the dpi across and down, all of the upright picture."""
    (width, height), (across, down) = picture.size, _dpi(picture.info.get("dpi"))
    turned = _orientation(picture) in {5, 6, 7, 8}
    if turned:
        across, down = down, across
    if turned and picture.format != "TIFF":  # Pillow gives the upright size of a TIFF
        width, height = height, width
    return width * 72 / across, height * 72 / down, (across, down)


def _orientation(picture: Image.Image) -> int:
    """As EXIF has it; upright where the file ends before it tells."""
    try:
        return int(picture.getexif().get(ExifTags.Base.Orientation, 1))
    except OSError as error:
        if is_cut(error):
            return 1
        raise


def _dpi(stored: Any) -> tuple[float, float]:
    try:
        across, down = float(stored[0]), float(stored[1])
    except (TypeError, ValueError, IndexError, ArithmeticError):
        return _ASSUMED_DPI, _ASSUMED_DPI
    low, high = _SANE_DPI
    if low <= across <= high and low <= down <= high and 1 / 4 < across / down < 4:
        return across, down
    return _ASSUMED_DPI, _ASSUMED_DPI


def _shown(picture: Image.Image) -> Image.Image:
    """The picture upright, 8 bits, grey or RGB, nothing transparent."""
    picture.load()
    upright = picture
    if _orientation(picture) != 1 and picture.format != "TIFF":  # Pillow turns a TIFF itself while it loads
        upright = ImageOps.exif_transpose(picture)
    if upright.mode.startswith(("I", "F")):
        return _stretched(upright)
    if upright.mode == "CMYK":
        return _cmyk_to_rgb(upright)
    if upright.mode == "LAB":
        return _lab_to_rgb(upright)
    if upright.has_transparency_data:
        return _on_paper(_as_mode(upright, "RGBA"))
    return _as_mode(upright, "L" if upright.mode in {"1", "L"} else "RGB")


def _as_mode(picture: Image.Image, mode: str) -> Image.Image:
    """The picture in `mode`; no copy where it is that already."""
    return picture if picture.mode == mode else picture.convert(mode)


def _scaled(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    return picture if picture.size == size else picture.resize(size, Image.Resampling.LANCZOS)


def _on_paper(layer: Image.Image) -> Image.Image:
    """The picture on white paper, or on black where white swallows all of it."""
    for paper in ("white", "black"):
        shown = Image.new("RGB", layer.size, paper)
        shown.paste(layer, mask=layer)
        lows, highs = zip(*shown.getextrema(), strict=True)
        if max(highs) - min(lows) >= _CONTRAST:
            return shown
    return Image.new("RGB", layer.size, "white")


def _stretched(picture: Image.Image) -> Image.Image:
    """Deep grey values spread over 0..255, because 12 bits in a 16-bit file would look black."""
    values = np.nan_to_num(np.asarray(picture, dtype=np.float32), posinf=0.0, neginf=0.0)
    low, high = float(values.min()), float(values.max())
    if high <= low:
        return Image.new("L", picture.size, "white")
    return Image.fromarray(((values - low) * (255 / (high - low))).astype(np.uint8))


def _cmyk_to_rgb(picture: Image.Image) -> Image.Image:
    """Some programs write inks inverted and do not say so: then paper is black, and is taken for white."""
    shown = picture.convert("RGB")
    is_inverted = float(np.median(np.asarray(shown.convert("L")))) < _DARK
    return ImageChops.invert(picture).convert("RGB") if is_inverted else shown


def _lab_to_rgb(picture: Image.Image) -> Image.Image:
    lab, rgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    converted = ImageCms.profileToProfile(picture, lab, rgb, outputMode="RGB")
    assert converted is not None  # None only with inPlace
    return converted


def _target_size(size: tuple[int, int], dpi: tuple[float, float], limits: Limits) -> tuple[int, int]:
    """Pixels of the picture with square pixels (a fax has 204 x 98 dpi), within the limits."""
    square = max(dpi)
    if square / min(dpi) < _SAME_DPI:
        dpi = (square, square)
    width, height = size[0] * square / dpi[0], size[1] * square / dpi[1]
    fit = min(
        1.0,
        math.sqrt(limits.max_render_pixels / (width * height)),
        limits.max_render_side / max(width, height),
    )
    return max(1, int(width * fit)), max(1, int(height * fit))


def _blue_green_red(picture: Image.Image) -> NDArray[np.uint8]:
    if picture.mode == "L":
        return np.stack([np.asarray(picture, dtype=np.uint8)] * 3, axis=2)
    pixels = np.asarray(_as_mode(picture, "RGB"), dtype=np.uint8)
    return np.ascontiguousarray(pixels[:, :, ::-1])
