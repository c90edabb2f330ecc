from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from semantic_text_splitter import TextSplitter

from docpipe.errors import ConfigurationError
from docpipe.models import Chunk, Method, Page, StageOutput
from docpipe.stages.chunk import ChunkOptions, split_text

TEXTS = st.text(alphabet=st.sampled_from("ab é漢👍🏽\u0301.!?\n\n \t\u00a0"), max_size=400)

WHITE_SPACE = "\t\n\v\f\r \x85\u00a0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    map(chr, range(0x2000, 0x200B))
)
"""Unicode's White_Space; Python's `str.isspace` adds four control characters."""


def page(number: int, start: int, end: int) -> Page:
    return Page(number, start, end, None, None, Method.TEXT)


def uncovered(text: str, chunks: tuple[Chunk, ...]) -> str:
    covered = {offset for chunk in chunks for offset in range(chunk.start, chunk.end)}
    return "".join(c for offset, c in enumerate(text) if offset not in covered)


def chunks_of(text: str, options: ChunkOptions | None = None) -> tuple[Chunk, ...]:
    chunks = split_text(text, [], options or ChunkOptions()).chunks
    assert chunks is not None
    return chunks


@settings(max_examples=150, deadline=None)
@given(TEXTS | st.text(max_size=200), st.integers(1, 60), st.integers(0, 20))
def test_chunks_cover_all_but_white_space_and_keep_the_limit(text: str, size: int, overlap: int) -> None:
    chunks = chunks_of(text, ChunkOptions(max_size=size, overlap=min(overlap, size - 1)))
    assert uncovered(text, chunks).strip() == ""
    assert all(0 < chunk.end - chunk.start <= size for chunk in chunks)
    assert all(
        text[chunk.start : chunk.end].strip(WHITE_SPACE) == text[chunk.start : chunk.end] for chunk in chunks
    )
    assert [chunk.index for chunk in chunks] == list(range(len(chunks)))
    assert all(one.start < other.start for one, other in pairwise(chunks))


def test_chunks_end_where_sentences_do() -> None:
    text = "The first sentence. The second one.\n\nA new paragraph. It ends."
    assert [text[c.start : c.end] for c in chunks_of(text, ChunkOptions(max_size=40))] == [
        "The first sentence. The second one.",
        "A new paragraph. It ends.",
    ]
    assert [text[c.start : c.end] for c in chunks_of(text, ChunkOptions(max_size=20))] == [
        "The first sentence.",
        "The second one.",
        "A new paragraph.",
        "It ends.",
    ]


def test_a_chunk_knows_its_first_and_last_page() -> None:
    text = "One one.\n\nTwo two.\n\nThree."
    pages = [page(1, 0, 8), page(2, 10, 18), page(3, 20, 26)]
    assert split_text(text, pages, ChunkOptions(max_size=18)) == StageOutput(
        chunks=(Chunk(0, 0, 18, 1, 2, "One one.\n\nTwo two."), Chunk(1, 20, 26, 3, 3, "Three."))
    )


@pytest.mark.parametrize("text", ["", "  \n\n\t "])
def test_blank_text_has_no_chunks(text: str) -> None:
    assert split_text(text, []) == StageOutput(chunks=())


@pytest.mark.parametrize("unit", ["x", "漢", "x" * 999 + " ", "word and "])
def test_long_text_without_line_breaks_is_cut_within_the_limit(unit: str) -> None:
    text = (unit * 60_000)[:60_000]
    chunks = chunks_of(text)
    assert max(chunk.end - chunk.start for chunk in chunks) <= 1500
    assert uncovered(text, chunks).strip() == ""


def test_overlapping_chunks_share_text_within_the_bound() -> None:
    text = " ".join(f"word{number}" for number in range(200))
    chunks = chunks_of(text, ChunkOptions(max_size=100, overlap=30))
    shared = [one.end - other.start for one, other in pairwise(chunks)]
    assert 0 < max(shared) <= 30


def test_tokens_bound_the_chunks_when_asked() -> None:
    text = "Das Donaudampfschifffahrtsgesellschaftskapitänspatent gilt. " * 50
    chunks = chunks_of(text, ChunkOptions(max_size=40, unit="tokens"))
    whole = TextSplitter.from_tiktoken_model("gpt-4o", 40)
    assert len(chunks) > 10
    assert all(len(whole.chunks(text[chunk.start : chunk.end])) == 1 for chunk in chunks)


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_size": 0},
        {"max_size": 10, "overlap": 10},
        {"overlap": -1},
        {"unit": "words"},
        {"token_model": "x"},
    ],
)
def test_impossible_options_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError):
        ChunkOptions(**wrong)  # type: ignore[arg-type]
