"""Words and places of other pipelines, without a database."""

from __future__ import annotations

from pathlib import Path

import pytest

from docpipe.cli.takeover.queue.locators import Where, locators
from docpipe.cli.takeover.status_words import MEANINGS, ORDER, QUEUE, STEPS, Place
from docpipe.models.status import is_final
from tests.unit.test_docs import document_words, rows, section, words

PAGE = "statuses.md"


def test_the_order_has_every_status_of_a_document() -> None:
    assert set(ORDER) == document_words()


@pytest.mark.parametrize("place", Place)
def test_every_meaning_is_a_status(place: Place) -> None:
    assert set(MEANINGS[place].values()) <= set(ORDER)


def shown(heading: str) -> dict[str, str]:
    return {word: words(row[1])[0] for row in rows(section(PAGE, heading)) for word in words(row[0])}


@pytest.mark.parametrize(
    ("heading", "place"),
    [("### Of a document", Place.DOCUMENT), ("### Of a graph", Place.GRAPH)],
)
def test_the_page_shows_every_foreign_word_with_its_meaning(heading: str, place: Place) -> None:
    foreign = {word: meaning for word, meaning in MEANINGS[place].items() if word != meaning}
    assert shown(heading) == foreign


def test_the_page_shows_every_word_and_step_of_the_queue() -> None:
    assert shown("### Of a row in the queue") == {word: str(work) for word, work in QUEUE.items()}
    assert shown("### Of a step in the queue") == {step: str(stage) for step, stage in STEPS.items()}


def test_finished_words_mean_something_final() -> None:
    done = [word for word in MEANINGS[Place.DOCUMENT] if word.endswith("failed") or word.startswith("error")]
    assert all(is_final(MEANINGS[Place.DOCUMENT][word]) for word in done)


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"original_file_path": "s3://b/k"}, ["s3://b/k"]),
        ({"original_file_path": " https://https://x.example/a.pdf?\n"}, ["https://x.example/a.pdf"]),
        (
            {"original_file_path": "https://abc.supabase.co/storage/v1/object/public/docs/a%20b/c.pdf?t=1"},
            ["supabase://docs/a b/c.pdf"],
        ),
        ({"original_file_path": "https://b.s3.eu-west-1.amazonaws.com/p/k.pdf"}, ["s3://b/p/k.pdf"]),
        ({"original_file_path": "https://s3.amazonaws.com/b/p/k.pdf"}, ["s3://b/p/k.pdf"]),
        (
            {"original_file_path": "in/a.pdf", "s3_key": "k.pdf", "s3_bucket": "b"},
            ["s3://b/k.pdf", "file:///root/in/a.pdf"],
        ),
        (
            {"original_file_path": "/a.pdf", "s3_key": "k.pdf", "s3_bucket": None},
            ["s3://spare/k.pdf", "file:///a.pdf"],
        ),
        ({"original_file_path": "", "s3_key": None}, []),
    ],
)  # fmt: skip
def test_the_places_of_a_row_are_tried_the_surest_first(row: dict[str, str], expected: list[str]) -> None:
    assert locators(row, Where(Path("/root"), "spare")) == expected
