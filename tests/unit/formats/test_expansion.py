"""The size of compressed data, known before it is unpacked."""

from __future__ import annotations

import random
import tracemalloc
import zlib

import pytest

from docpipe.formats.expansion import unpacked_size

NOISE = random.Random(7).randbytes(300_000)


def packed(data: bytes, times: int) -> bytes:
    for _ in range(times):
        data = zlib.compress(data, 9)
    return data


@pytest.mark.parametrize("times", [0, 1, 2, 3])
def test_the_size_is_that_of_the_last_unpacking(times: int) -> None:
    assert unpacked_size(packed(NOISE, times), times, limit=len(NOISE)) == len(NOISE)


def test_what_is_bound_to_be_within_the_limit_is_not_unpacked() -> None:
    assert unpacked_size(packed(bytes(1000), 1), 1, limit=10**9) < 100


def test_a_bomb_is_not_unpacked_beyond_the_limit() -> None:
    bomb = packed(bytes(200_000_000), 2)
    tracemalloc.start()
    try:
        assert unpacked_size(bomb, 2, limit=5_000_000) > 5_000_000
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("data", [b"", b"no zlib data", packed(bytes(100_000), 1)[:50]])
def test_damaged_data_count_as_far_as_they_go(data: bytes) -> None:
    assert unpacked_size(data, 1, limit=0) <= 100_000


def test_filters_without_end_are_not_followed() -> None:
    assert unpacked_size(b"123456789", 1000, limit=0) == 0
