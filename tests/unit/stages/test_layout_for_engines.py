"""What text an engine is given: smoothed, or with its lines and capitals for one that reads them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from docpipe.engines.ports import Span
from docpipe.models import Method, Page
from docpipe.stages.chunk import split_text
from docpipe.stages.entities.mentions import find_mentions
from docpipe.stages.text.reading_text import reading_text

TEXT = "SIGNED BY ANN LEE\nNEW   YORK\tBoston  \n\n the con-\ntract"


class Listener:
    name = "listener 1"

    def __init__(self) -> None:
        self.heard: list[str] = []

    def find(self, texts: Sequence[str]) -> Iterator[list[Span]]:
        self.heard += texts
        return iter([[] for _ in texts])


class LayoutListener(Listener):
    reads_layout = True


@pytest.mark.parametrize(
    ("engine", "heard"),
    [
        (Listener(), "Signed BY ANN LEE NEW YORK Boston\n\nthe contract"),
        (LayoutListener(), "SIGNED BY ANN LEE\nNEW YORK\tBoston\n\nthe contract"),
    ],
)
def test_an_engine_is_given_the_text_it_reads_best(engine: Listener, heard: str) -> None:
    page = Page(1, 0, len(TEXT), None, None, Method.TEXT)
    find_mentions(TEXT, [page], split_text(TEXT, [page]).chunks or (), engine=engine)
    assert engine.heard == [heard]


@pytest.mark.parametrize("layout", [True, False])
def test_offsets_lead_back_to_the_text_with_its_lines_or_without(layout: bool) -> None:
    normal = reading_text(TEXT, layout=layout)
    start = normal.text.index("contract")
    first, last = normal.original(start, start + len("contract"))
    assert TEXT[first:last] == "con-\ntract"
