"""The chunk stage: text in, pieces of bounded size out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from semantic_text_splitter import TextSplitter

from docpipe.errors import ConfigurationError
from docpipe.models import Chunk, Page, StageOutput
from docpipe.stages.text.places import boxes_of, page_at

TOKEN_MODELS = (
    "gpt-3.5-turbo",
    "gpt-4",
    "gpt-4o",
    "o1",
    "text-embedding-3-large",
    "text-embedding-3-small",
    "text-embedding-ada-002",
)
"""Models whose token tables the splitter carries."""

_BLOCK = 100_000
"""Characters given to the splitter at once: its time grows with the square of an unbroken run."""


@dataclass(frozen=True, slots=True)
class ChunkOptions:
    """How large chunks are.

    Attributes:
        max_size: most characters or tokens of a chunk.
        overlap: most characters or tokens a chunk shares with the one before it.
        unit: what is counted. Characters are code points.
        token_model: whose tokens are counted, one of `TOKEN_MODELS`; no network is needed.

    Raises:
        ConfigurationError: no chunks can be made this way.
    """

    max_size: int = 1500
    overlap: int = 0
    unit: Literal["characters", "tokens"] = "characters"
    token_model: str = "gpt-4o"  # noqa: S105 - the name of a model

    def __post_init__(self) -> None:
        if self.max_size < 1 or not 0 <= self.overlap < self.max_size:
            raise ConfigurationError(
                f"Chunks of {self.max_size} {self.unit} with an overlap of {self.overlap} cannot be made: "
                "the size must be at least 1, the overlap smaller than the size."
            )
        if self.unit not in ("characters", "tokens"):
            raise ConfigurationError(f"Chunks are counted in characters or tokens, not in {self.unit!r}.")
        if self.token_model not in TOKEN_MODELS:
            raise ConfigurationError(
                f"Tokens of {self.token_model!r} cannot be counted. Use one of: {', '.join(TOKEN_MODELS)}."
            )


_DEFAULT = ChunkOptions()


def split_text(text: str, pages: Sequence[Page], options: ChunkOptions = _DEFAULT) -> StageOutput:
    """Cut `text` into chunks on the largest borders that fit: paragraph, line, sentence, word.

    Chunks come in order, none is over the limit, together they cover every character that is not
    white space, and no chunk starts or ends with white space. Blank text gives no chunks. Only a
    word longer than the limit is cut. The time is linear in the text.
    """
    spans = enumerate(spans_of(text, options))
    return StageOutput(chunks=tuple(_chunk(index, text, start, end, pages) for index, (start, end) in spans))


def spans_of(text: str, options: ChunkOptions) -> Iterator[tuple[int, int]]:
    """Where the pieces of `text` stand, cut as `split_text` says."""
    return _spans(text, _splitter(options))


@lru_cache(maxsize=8)
def _splitter(options: ChunkOptions) -> TextSplitter:
    if options.unit == "characters":
        return TextSplitter(options.max_size, options.overlap)
    return TextSplitter.from_tiktoken_model(options.token_model, options.max_size, options.overlap)


def _spans(text: str, splitter: TextSplitter) -> Iterator[tuple[int, int]]:
    for start, end in _blocks(text):
        for offset, piece in splitter.chunk_indices(text[start:end]):
            if not piece.isspace():
                yield start + offset, start + offset + len(piece)


def _blocks(text: str) -> Iterator[tuple[int, int]]:
    start = 0
    while len(text) - start > _BLOCK:
        end = _cut(text, start + _BLOCK // 2, start + _BLOCK)
        yield start, end
        start = end
    yield start, len(text)


def _cut(text: str, low: int, high: int) -> int:
    """The best place in `low..high` to cut: after a blank line, a line, a word, or anywhere."""
    for border in ("\n\n", "\n", " "):
        found = text.rfind(border, low, high)
        if found >= 0:
            return found + len(border)
    return high


def _chunk(index: int, text: str, start: int, end: int, pages: Sequence[Page]) -> Chunk:
    first, last = _page_number(pages, start), _page_number(pages, end - 1)
    return Chunk(index, start, end, first, last, text[start:end], boxes_of(text, pages, start, end))


def _page_number(pages: Sequence[Page], offset: int) -> int:
    return pages[page_at(pages, offset)].number if pages else 1
