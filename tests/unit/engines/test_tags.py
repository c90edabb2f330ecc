from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from docpipe.engines.ner.tags import TAGS, best_path, names, tags_of


def whole(path: tuple[int, ...]) -> bool:
    """Whether the path spells names from their begin to their end."""
    inside = ""
    for tag in (TAGS[number] for number in path):
        if inside and (tag[0] not in "IE" or tag[2:] != inside):
            return False
        if not inside and tag[0] in "IE":
            return False
        inside = tag[2:] if tag[0] in "BI" else ""
    return not inside


WHOLE = [path for path in product(range(len(TAGS)), repeat=3) if whole(path)]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(st.integers(-20, 0), min_size=13, max_size=13), min_size=3, max_size=3))
def test_the_best_path_is_the_best_of_all_that_spell_whole_names(rows: list[list[int]]) -> None:
    scores = np.array(rows, np.float32)
    best = tuple(best_path(scores).tolist())
    assert best in WHOLE
    assert sum(scores[range(3), best]) == max(sum(scores[range(3), path]) for path in WHOLE)


def test_no_words_have_an_empty_path() -> None:
    assert best_path(np.zeros((0, 13), np.float32)).tolist() == []


@pytest.mark.parametrize(
    "marked", [[], [(0, 3, "ORG")], [(0, 7, "PERSON"), (8, 11, "LOCATION")], [(4, 15, "ORG")]]
)
def test_a_path_spells_the_spans_it_was_made_of(marked: list[tuple[int, int, str]]) -> None:
    spans = np.array([(0, 3), (4, 7), (8, 11), (12, 15)])
    found = [(spans[a, 0], spans[b - 1, 1], label) for a, b, label in names(tags_of(spans, marked))]
    assert found == marked
