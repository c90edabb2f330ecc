"""Pages as pictures for people: small WebPs, from the document's bytes. Imports the libraries of formats."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image

from docpipe.execution.options import Options
from docpipe.execution.progress import PagesDone
from docpipe.formats import open_document
from docpipe.formats.base import Apart, PageImage, RawPage
from docpipe.formats.guard import GuardedReader
from docpipe.models import PageRange

DPI = 110
_QUALITY = 60
"""Half the bytes of a JPEG that is as easy to read."""
_EFFORT = 2
_LARGEST = 16383
"""Pixels of a side, WebP's limit."""


def page_pictures(
    path: Path, name: str, options: Options, report: PagesDone, pages: PageRange | None = None
) -> dict[int, str]:
    """Page number to a `data:` address, for pages that the format can draw; documents that were taken out of
    this one have pages of their own.

    `report` is called with each page when it is done.

    Args:
        pages: only these; None: all.

    Raises:
        DocpipeError: as reading the document does.
    """
    apart = Apart(_leave, options.attachments == "children")
    reader = open_document(path, name, options.limits, apart)
    try:
        found = {}
        for number, page in _numbered(reader, pages):
            if page.image:
                found[number] = _address(page.image(DPI), page.width)
            report(number, None)
        return found
    finally:
        reader.close()


def _leave(_name: str, _file_type: str, _data: bytes) -> None:
    pass


def _numbered(reader: GuardedReader, pages: PageRange | None) -> Iterator[tuple[int, RawPage]]:
    if pages is None:
        yield from enumerate(reader.pages(), 1)
    elif reader.page_count is None:
        yield from islice(enumerate(reader.pages(), 1), pages.first - 1, pages.last)
    elif pages.first <= reader.page_count:
        yield from enumerate(reader.pages(pages.first, min(pages.last, reader.page_count)), pages.first)


def _address(image: PageImage, width: float | None) -> str:
    picture = Image.fromarray(np.ascontiguousarray(image.pixels[:, :, ::-1]))
    if width:  # a scan comes in the resolution it was made in
        most = int(width / 72 * DPI)
        picture.thumbnail((most, max(1, round(most * picture.height / picture.width))))
    picture.thumbnail((_LARGEST, _LARGEST))
    out = io.BytesIO()
    picture.save(out, "WEBP", quality=_QUALITY, method=_EFFORT)
    return "data:image/webp;base64," + base64.b64encode(out.getvalue()).decode()
