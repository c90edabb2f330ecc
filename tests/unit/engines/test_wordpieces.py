from __future__ import annotations

from pathlib import Path

import docpipe_names
import pytest
from tokenizers import Tokenizer

from docpipe.engines.ner.wordpieces import SHAPES, shape, words


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.from_file(str(Path(docpipe_names.__file__).parent / "model" / "tokenizer.json"))


def test_forms_of_words_are_told_apart() -> None:
    samples = ["word", "Word", "W", "WORD", "McWord", "道", "12", "1984", ",", "(", "B2", "a\u0301b"]
    assert [shape(word) for word in samples] == list(range(SHAPES))


def test_what_stands_before_a_word_is_told(tokenizer: Tokenizer) -> None:
    cut = words(tokenizer, "one two\nthree\tfour\n \nfive, six")
    assert cut.gaps.tolist() == [0, 0, 1, 2, 3, 0, 0]


def test_words_hold_their_pieces_and_their_accents(tokenizer: Tokenizer) -> None:
    text = "Cafe\u0301 Przemy\u015bl!"
    cut = words(tokenizer, text)
    assert [text[start:end] for start, end in cut.spans] == ["Cafe\u0301", "Przemy\u015bl", "!"]
    assert (cut.first[0], cut.first[-1]) == (0, len(cut.pieces))
    assert len(cut.first) == 4
