"""Which pictures inside a mail or a Word document only decorate it."""

from __future__ import annotations

import struct

_SMALL_SIDE = 128
_SMALL_AREA = 50_000
"""Pixels: the pictures of signatures and links are below one of them, pasted pages and tables above both."""
_JPEG_FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})


def is_decoration(data: bytes) -> bool:
    """Whether a picture is so small that it is a logo or an icon; what cannot be told is none."""
    size = picture_size(data)
    return size is not None and (min(size) < _SMALL_SIDE or size[0] * size[1] < _SMALL_AREA)


def picture_size(data: bytes) -> tuple[int, int] | None:
    """Width and height in pixels by the header of a PNG, GIF, BMP or JPEG; None for all others."""
    try:
        if data.startswith(b"\x89PNG\r\n\x1a\n"):
            return struct.unpack(">II", data[16:24])
        if data.startswith((b"GIF87a", b"GIF89a")):
            return struct.unpack("<HH", data[6:10])
        if data.startswith(b"BM"):
            width, height = struct.unpack("<ii", data[18:26])
            return abs(width), abs(height)
        return _jpeg_size(data) if data.startswith(b"\xff\xd8") else None
    except struct.error:
        return None


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    place = 2
    while place < len(data):
        _, marker, length = struct.unpack(">BBH", data[place : place + 4])
        if marker in _JPEG_FRAMES:
            height, width = struct.unpack(">HH", data[place + 5 : place + 9])
            return width, height
        place += 2 + max(length, 2)
    return None
