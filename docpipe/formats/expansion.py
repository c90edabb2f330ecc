"""How large compressed data gets, found out without holding it."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

_MAX_RATIO = 1032
"""Deflate's best: 258 bytes from a code of two bits (RFC 1951)."""
_BLOCK = 1 << 18
_MAX_TIMES = 4


def unpacked_size(data: bytes, times: int, limit: int) -> int:
    """Size of `data` after it was inflated `times` over; what is beyond `limit` is not counted out.

    Where the answer is bound to be within the limit, or the data are damaged, it may be too small.
    More than four times are not followed.
    """
    times = min(times, _MAX_TIMES)
    if len(data) * _MAX_RATIO**times <= limit:
        return len(data)
    blocks = iter([data])
    for _ in range(times):
        blocks = _inflated(blocks)
    size = 0
    for block in blocks:
        size += len(block)
        if size > limit:
            break
    return size


def _inflated(blocks: Iterator[bytes]) -> Iterator[bytes]:
    inflater = zlib.decompressobj()
    try:
        for block in blocks:
            rest = block
            while rest and not inflater.eof:
                yield inflater.decompress(rest, _BLOCK)
                rest = inflater.unconsumed_tail
    except zlib.error:
        return
