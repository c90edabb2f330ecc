"""Properties of Outlook's messages (MAPI): how `winmail.dat` lists them, and the text of a body."""

from __future__ import annotations

import struct
from collections.abc import Mapping

from docpipe.formats.html import declared_charset, visible_text
from docpipe.formats.rtf import plain_text
from docpipe.formats.text import decode

BODY, HTML, COMPRESSED_RTF = 0x1000, 0x1013, 0x1009
_FIXED = {0x02: 4, 0x03: 4, 0x04: 4, 0x05: 8, 0x06: 8, 0x07: 8, 0x0A: 4, 0x0B: 4, 0x14: 8, 0x40: 8, 0x48: 16}
"""Bytes of the values that have one size, padding included."""
_OBJECT, _TEXT8, _TEXT16, _BINARY = 0x0D, 0x1E, 0x1F, 0x102
_MANY = 0x1000
_NAMED = 0x8000
_MAX_UNPACKED = 100_000_000
_FIRST_WORDS = (
    rb"{\rtf1\ansi\mac\deff0\deftab720{\fonttbl;}{\f0\fnil \froman \fswiss \fmodern \fscript \fdecor MS Sans "
    rb"SerifSymbolArialTimes New RomanCourier{\colortbl\red0\green0\blue0"
    b"\r\n"
    rb"\par \pard\plain\f0\fs20\b\i\u\tab\tx"
)
"""What the compression of [MS-OXRTFCP] takes for known."""


def properties(data: bytes) -> tuple[dict[int, bytes], bool]:
    """The values of a list of properties by their number, texts as UTF-8, up to where it is damaged; and
    whether it was read to its end.
    """
    found: dict[int, bytes] = {}
    try:
        (count,) = struct.unpack_from("<I", data)
        place = 4
        for _ in range(count):
            kind, number = struct.unpack_from("<HH", data, place)
            place = _after_name(data, place + 4) if number >= _NAMED else place + 4
            value, place = _value(data, place, kind)
            found[number] = value
    except (struct.error, KeyError):
        return found, False
    return found, True


def _after_name(data: bytes, place: int) -> int:
    (kind,) = struct.unpack_from("<I", data, place + 16)
    if kind == 0:
        return place + 24
    (length,) = struct.unpack_from("<I", data, place + 20)
    return place + 24 + _padded(length)


def _value(data: bytes, place: int, kind: int) -> tuple[bytes, int]:
    """A value (the last of many), and where the next property starts."""
    single = kind & ~_MANY
    if single in _FIXED and kind != _BINARY:
        size, count = _FIXED[single], 1
        if kind & _MANY:
            (count,) = struct.unpack_from("<I", data, place)
            place += 4
        return data[place : place + size], place + size * count
    (count,) = struct.unpack_from("<I", data, place)
    place, value = place + 4, b""
    if single not in {_OBJECT, _TEXT8, _TEXT16, _BINARY} or count > len(data):
        raise KeyError(kind)
    for _ in range(count):
        (length,) = struct.unpack_from("<I", data, place)
        value, place = data[place + 4 : place + 4 + length], place + 4 + _padded(length)
    return _as_utf8(value, single), place


def _as_utf8(value: bytes, kind: int) -> bytes:
    if kind == _TEXT16:
        return value.decode("utf-16-le", "replace").rstrip("\0").encode("utf-8", "replace")
    return value[16:] if kind == _OBJECT else value


def _padded(length: int) -> int:
    return (length + 3) // 4 * 4


def body_text(values: Mapping[int, bytes]) -> str:
    """The body of a message: its plain text, or that of its HTML or of its compressed RTF."""
    if values.get(BODY, b"").strip(b"\0\r\n "):
        return decode(values[BODY].rstrip(b"\0")).text
    if html := values.get(HTML, b""):
        return visible_text(decode(html, declared_charset(html)).text)[0]
    return plain_text(unpacked_rtf(values.get(COMPRESSED_RTF, b"")))[0]


def unpacked_rtf(data: bytes) -> bytes:
    """Rich text out of Outlook's compression; as far as it goes where it is damaged."""
    if len(data) < 16:
        return b""
    size, magic = struct.unpack_from("<II", data, 4)
    if magic == 0x414C454D:  # not compressed
        return data[16 : 16 + size]
    out = bytearray(_FIRST_WORDS)
    place, limit = 16, len(_FIRST_WORDS) + min(size, _MAX_UNPACKED)
    while place < len(data) and len(out) < limit:
        flags, place = data[place], place + 1
        for bit in range(8):
            if place >= len(data):
                break
            if not flags >> bit & 1:
                out.append(data[place])
                place += 1
            elif (step := _copied(data, place, out)) is None:
                return bytes(out[len(_FIRST_WORDS) :])
            else:
                place += step
    return bytes(out[len(_FIRST_WORDS) : limit])


def _copied(data: bytes, place: int, out: bytearray) -> int | None:
    """Repeat what a reference points at; None where it says that the text ends."""
    if place + 2 > len(data):
        return None
    reference = int.from_bytes(data[place : place + 2])
    offset, length = reference >> 4, (reference & 0xF) + 2
    back = (len(out) - offset) % 4096 or 4096
    if offset == len(out) % 4096 or back > len(out):
        return None
    for _ in range(length):
        out.append(out[-back])
    return 2
