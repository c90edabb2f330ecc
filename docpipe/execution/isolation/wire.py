"""What the process that reads says to its parent: plain data, of bounded size, checked before it is used.

Each message is JSON behind its length. Whatever has taken that process over can say what it likes: nothing
of it is run here, and what is not a page's number, an output, pictures or an error is refused.
"""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError

from docpipe.errors import CancelledError, DocpipeError, from_code
from docpipe.formats.base import Limits
from docpipe.models import StageOutput

_LENGTH = struct.Struct("!Q")
_BLOCK = 1 << 18
_BYTES_PER_CHARACTER = 8
_LEAST_BYTES = 64_000_000
_MOST_NOTE = 20_000
_MOST_NAME = 300
_STEEPEST = 2.0
"""Points down for each point across, of a line of a page that lies askew."""

Picture = Annotated[str, StringConstraints(pattern=r"^data:image/webp;base64,[A-Za-z0-9+/]*={0,2}$")]
_Count = Annotated[int, Field(ge=0, le=10_000_000)]


class RefusedError(Exception):
    """What was said is no message; the text says why."""


@dataclass(frozen=True, slots=True)
class Page:
    """So many pages are done, of so many."""

    kind: Literal["page"]
    page: _Count
    of: _Count | None = None


@dataclass(frozen=True, slots=True)
class Output:
    """The document was read."""

    kind: Literal["output"]
    output: StageOutput


@dataclass(frozen=True, slots=True)
class Pictures:
    """The document's pages, as `data:` addresses."""

    kind: Literal["pictures"]
    pictures: dict[Annotated[int, Field(ge=1)], Picture]


@dataclass(frozen=True, slots=True)
class Layers:
    """The layers that were wanted: None, or why one is not there."""

    kind: Literal["layers"]
    layers: dict[str, str | None]


@dataclass(frozen=True, slots=True)
class Failed:
    """The document was not read."""

    kind: Literal["error"]
    base: str
    """The code of docpipe's own class."""
    code: str
    message: Annotated[str, Field(max_length=_MOST_NOTE)]
    stage: str | None = None
    note: Annotated[str, Field(max_length=_MOST_NOTE)] = ""

    @classmethod
    def of(cls, error: DocpipeError, note: str) -> Failed:
        """The error as it can be sent: of a class of a host's own, the nearest of docpipe's is named."""
        base = next(kind for kind in type(error).__mro__ if kind.__module__ == DocpipeError.__module__)
        assert issubclass(base, DocpipeError)
        return cls(
            "error", base.code, error.code, error.message[:_MOST_NOTE], error.stage, note[-_MOST_NOTE:]
        )

    def error(self) -> DocpipeError:
        """The error, as `of` was given it."""
        error = from_code(self.base, self.message, stage=self.stage)
        if isinstance(error, CancelledError):
            raise RefusedError("it may not cancel the document")
        error.code = self.code  # type: ignore[misc]
        if self.note:
            error.add_note(self.note)
        return error


@dataclass(frozen=True, slots=True)
class Taken:
    """A document that was taken out of the one that is read; its bytes follow, in blocks."""

    kind: Literal["taken"]
    name: Annotated[str, Field(max_length=_MOST_NAME)]
    file_type: Annotated[str, Field(max_length=_MOST_NAME, pattern="^[!-~]+$")]
    size: Annotated[int, Field(gt=0)]


@dataclass(frozen=True, slots=True)
class Block:
    """The next bytes of what was taken, in base64."""

    kind: Literal["block"]
    data: Annotated[str, Field(min_length=1)]


Said = Page | Output | Pictures | Layers | Failed | Taken | Block
Message = Annotated[Said, Field(discriminator="kind")]
_messages: TypeAdapter[Said] = TypeAdapter(Message, config=ConfigDict(defer_build=True))
"""Built for the first message: a process that only looks into the store sends none."""


def most_bytes(limits: Limits) -> int:
    """The longest message that is listened to."""
    return _LEAST_BYTES + _BYTES_PER_CHARACTER * limits.max_characters


def written(message: Said) -> bytes:
    """The message, as it is sent."""
    body = _messages.dump_json(message, exclude_defaults=True)
    return _LENGTH.pack(len(body)) + body


class Listener:
    """Puts a child's messages together, as they come; never waits for one that does not."""

    def __init__(self, end: socket.socket, limits: Limits) -> None:
        self._end, self._limits = end, limits
        self._heard = bytearray()

    def next(self) -> Said | None:
        """The next message, if it is whole.

        Raises:
            RefusedError: it is no message, or too long.
            EOFError: nobody is there any more.
        """
        while (message := self._taken()) is None:
            try:
                block = self._end.recv(_BLOCK, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return None
            except OSError as error:
                raise EOFError from error
            if not block:
                raise EOFError
            self._heard += block
        return message

    def _taken(self) -> Said | None:
        if len(self._heard) < _LENGTH.size:
            return None
        (length,) = _LENGTH.unpack_from(self._heard)
        if length > most_bytes(self._limits):
            raise RefusedError(f"it is {length:,} bytes long")
        if len(self._heard) < _LENGTH.size + length:
            return None
        body = bytes(memoryview(self._heard)[_LENGTH.size : _LENGTH.size + length])
        del self._heard[: _LENGTH.size + length]
        return _checked(body)


def _checked(body: bytes) -> Said:
    try:
        message = _messages.validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        raise RefusedError(f"it is not what a reader says: {first['msg']}") from None
    if isinstance(message, Output):
        _check_places(message.output)
    return message


def _check_places(output: StageOutput) -> None:
    """What is said of the text must be about the text."""
    text, pages = output.text or "", output.pages or ()
    if any(
        (output.chunks, output.mentions, output.entities, output.relations, output.edges, output.extra)
    ) or (output.children):
        raise RefusedError("it holds what reading does not find")
    for page in pages:
        _check_span(0, page.start, page.end, len(text))
        for line in page.lines:
            _check_span(page.start, line.start, line.end, page.end)
            if not 0.0 <= line.confidence <= 1.0:
                raise RefusedError(f"a confidence is {line.confidence}")
            if not -_STEEPEST <= line.slope <= _STEEPEST:
                raise RefusedError(f"a line's slope is {line.slope}")
            if line.words and len(line.words) != 2 * len(text[line.start : line.end].split()):
                raise RefusedError("the places of a line's words are not as many as its words")


def _check_span(first: int, start: int, end: int, last: int) -> None:
    if not first <= start <= end <= last:
        raise RefusedError(f"the place {start} to {end} is not between {first} and {last}")
