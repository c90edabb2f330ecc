"""HEIF pictures, as telephones take them (HEIC), by libheif as a plug-in of Pillow's."""

from __future__ import annotations

import pi_heif

from docpipe.formats.base import Reader
from docpipe.formats.image import ImageReader
from docpipe.formats.request import ReadRequest


def open_reader(request: ReadRequest) -> Reader:
    """Open a HEIF picture.

    Raises:
        TooManyPixelsError, TooManyPagesError: by its header, before any pixel is decoded.
        CorruptDocumentError: libheif cannot make sense of it.
    """
    pi_heif.register_heif_opener(thumbnails=False)
    return ImageReader(request)
