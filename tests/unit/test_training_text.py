"""The text that the names tagger is trained on; training itself needs libraries not installed here."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from training.names.forms import Forms
from training.names.text import Document, Line, passages, read

LINE = Line("Ada Byron met Charles Babbage at Acme Corporation", ((0, 9, "PERSON"), (14, 29, "PERSON")))
DOCUMENTS = [
    *(Document("ewt_dev", number, (LINE,) * 3) for number in range(1, 40)),
    Document("btc_fh", 0, (Line("I love Paris", ((7, 12, "LOC"),)),)),
    Document("crossner", 1, (Line("Acme Corporation", ((0, 16, "ORG"),)),)),
]


def test_every_fifth_document_of_the_sets_that_are_scored_is_held_back(tmp_path: Path) -> None:
    rows = [
        {"source": s, "doc": n, "lines": [["Ada", [[0, 3, "PERSON"]]]]}
        for s in ("ewt_dev", "btc_fh")
        for n in range(6)
    ]
    (tmp_path / "train.jsonl").write_text("\n".join(map(json.dumps, rows)))
    held = [(document.source, document.number) for document in read(tmp_path) if document.held_back]
    assert held == [("ewt_dev", 0), ("ewt_dev", 5)]


@pytest.mark.parametrize("seed", range(4))
def test_names_are_still_marked_in_text_made_rough(seed: int) -> None:
    made = list(passages(random.Random(seed), DOCUMENTS, 60))
    names = {"".join(filter(str.isalpha, line.text[s:e])).lower() for line in made for s, e, _ in line.spans}
    assert {"adabyron", "charlesbabbage", "paris", "acmecorporation"} <= names
    assert sum(len(line.spans) for line in made) == 39 * 3 * 2 + 2
    for line in made:
        for start, end, _ in line.spans:
            assert line.text[start:end].strip() == line.text[start:end]


def test_passages_of_a_seed_are_always_the_same() -> None:
    assert [list(passages(random.Random(7), DOCUMENTS, 60)) for _ in range(2)].count(
        list(passages(random.Random(7), DOCUMENTS, 60))
    ) == 2


def test_forms_are_filled_with_the_names_of_the_documents() -> None:
    made = [*Forms(DOCUMENTS).documents(random.Random(1), 50)]
    spans = [(line.text[s:e], label) for one in made for line in one.lines for s, e, label in line.spans]
    assert ("Ada Byron", "PERSON") in spans
    assert ("Paris", "LOC") in spans
    assert {label for _, label in spans} == {"PERSON", "ORG", "LOC"}
    assert not any("{" in line.text for one in made for line in one.lines)
