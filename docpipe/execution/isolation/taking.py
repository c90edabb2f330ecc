"""Documents that the reading process takes out of the one it reads: how they are said and heard."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator

from docpipe.execution.isolation.wire import Block, RefusedError, Taken
from docpipe.execution.keeper import Take
from docpipe.formats.base import Limits

_BLOCK = 1 << 18


def told(name: str, file_type: str, data: bytes) -> Iterator[Taken | Block]:
    """The messages that say what was taken."""
    yield Taken("taken", name, file_type, len(data))
    for start in range(0, len(data), _BLOCK):
        yield Block("block", base64.b64encode(data[start : start + _BLOCK]).decode())


class Hearing:
    """Puts together what a child says it has taken; more than the limits allow is refused.

    Args:
        take: is given each document when all of its bytes are there; None: nothing may be taken.
    """

    def __init__(self, take: Take | None, limits: Limits) -> None:
        self._take = take
        self._documents_left = max(limits.max_parts, limits.max_attachments) if take else 0
        self._bytes_left = max(limits.max_bytes, limits.max_expanded_bytes)
        self._taken: Taken | None = None
        self._bytes = bytearray()

    def hear(self, said: Taken | Block) -> None:
        """Raises `RefusedError`; what `take` raises goes through."""
        if isinstance(said, Taken):
            self._begin(said)
        else:
            self._add(said)

    def _begin(self, taken: Taken) -> None:
        self._documents_left -= 1
        self._bytes_left -= taken.size
        if self._taken is not None or self._documents_left < 0 or self._bytes_left < 0:
            raise RefusedError("it takes out what was not asked, or too much")
        self._taken = taken

    def _add(self, block: Block) -> None:
        try:
            self._bytes += base64.b64decode(block.data, validate=True)
        except binascii.Error:
            raise RefusedError("a block is no base64") from None
        if self._taken is None or self._take is None or len(self._bytes) > self._taken.size:
            raise RefusedError("a block is of no document")
        if len(self._bytes) == self._taken.size:
            taken, data = self._taken, bytes(self._bytes)
            self._taken, self._bytes = None, bytearray()
            self._take(taken.name, taken.file_type, data)
