"""The embed stage: chunks in, vectors of their passages out, for searches by meaning."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from docpipe.engines.ports import EmbedEngine
from docpipe.models import Chunk, Page, StageOutput, Vector
from docpipe.models.vectors import of_length_one
from docpipe.stages.chunk import ChunkOptions, spans_of
from docpipe.stages.text.places import page_at
from docpipe.stages.text.reading_text import reading_text


def embed_chunks(
    chunks: Sequence[Chunk],
    pages: Sequence[Page],
    engine: EmbedEngine,
    on_place: Callable[[int], None] = lambda _place: None,
) -> StageOutput:
    """The vectors of all chunks. A chunk that is longer than the engine reads is cut into passages, on the
    largest borders that fit: a model that is given more than it reads leaves the rest out without a word.

    Args:
        on_place: called with the place in the text behind each passage that is done; it may raise.
    """
    passages = list(_passages(chunks, engine.max_characters))
    vectors: list[Vector] = []
    for values, (chunk, start, end) in zip(engine.embed(_texts(passages)), passages, strict=True):
        page = pages[page_at(pages, start)].number if pages else 1
        vectors.append(
            Vector(len(vectors), chunk.index, start, end, page, engine.name, of_length_one(values))
        )
        on_place(end)
    return StageOutput(vectors=tuple(vectors), engine=engine.name)


def _passages(chunks: Sequence[Chunk], most: int) -> Iterator[tuple[Chunk, int, int]]:
    options = ChunkOptions(max_size=most)
    for chunk in chunks:
        for start, end in spans_of(chunk.text, options):
            yield chunk, chunk.start + start, chunk.start + end


def _texts(passages: Sequence[tuple[Chunk, int, int]]) -> list[str]:
    return [
        reading_text(chunk.text[start - chunk.start : end - chunk.start]).text
        for chunk, start, end in passages
    ]
