from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from docpipe import Options, Pipeline, open_store
from docpipe.engines import load_ner
from docpipe.engines.ner.zero_shot import pieces
from docpipe.engines.ports import NerEngine, Span
from docpipe.errors import ConfigurationError, MissingExtraError

pytestmark = pytest.mark.skipif(
    not find_spec("fast_gliner"), reason="fast-gliner has no wheel for this Python"
)

NAMES = {"Ada": 0, "Acme": 1, "Zürich": 2}
SCORE: Any = pytest.approx(0.9933, abs=1e-4)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.unit.engines.tiny_gliner import save

    return save(tmp_path_factory.mktemp("gliner") / "tiny", NAMES, labels=3)


@pytest.fixture(scope="module")
def engine(folder: Path) -> NerEngine:
    return load_ner("fast-gliner", model=str(folder))


def test_offsets_are_characters_whatever_stands_before(engine: NerEngine) -> None:
    text = "Größte 😀 Ada in Zürich, sagt Acme."
    (spans,) = engine.find([text])
    assert [(text[span.start : span.end], span.label, span.score) for span in spans] == [
        ("Ada", "PERSON", SCORE),
        ("Zürich", "LOCATION", SCORE),
        ("Acme", "ORG", SCORE),
    ]


def test_each_text_has_its_answer_blank_ones_too(engine: NerEngine) -> None:
    answers = list(engine.find(["Ada", "", " \n ", "nobody", "!?", "Acme"]))
    assert [[span.label for span in spans] for spans in answers] == [["PERSON"], [], [], [], [], ["ORG"]]


def test_names_far_beyond_what_the_model_reads_at_once_are_found(engine: NerEngine) -> None:
    text = "word " * 3000 + "Ada."
    assert list(engine.find([text])) == [[Span(15000, 15003, "PERSON", SCORE)]]


def test_labels_are_the_ones_asked_for(folder: Path) -> None:
    engine = load_ner("fast-gliner", model=str(folder), labels={"cat": "CAT", "dog": "DOG", "bird": "BIRD"})
    (spans,) = engine.find(["Ada Acme Zürich"])
    assert [span.label for span in spans] == ["CAT", "DOG", "BIRD"]


def test_a_finding_below_the_threshold_does_not_count(folder: Path) -> None:
    assert list(load_ner("fast-gliner", model=str(folder), threshold=0.999).find(["Ada"])) == [[]]


def test_a_document_gets_its_names_from_the_model_by_options_alone(folder: Path, tmp_path: Path) -> None:
    note = tmp_path / "note.txt"
    note.write_text("Ada of Acme paid $5 in Zürich.")
    options = Options(ner_engine="fast-gliner", ner_options={"model": str(folder)})
    store = open_store(f"sqlite:///{tmp_path}/docpipe.db")
    document = Pipeline(store=store, options=options).process(note)
    assert [(m.text, m.label, m.source) for m in document.mentions] == [
        ("Ada", "PERSON", "fast-gliner:tiny"),
        ("Acme", "ORG", "fast-gliner:tiny"),
        ("$5", "MONEY", "pattern"),
        ("Zürich", "LOCATION", "fast-gliner:tiny"),
    ]


def test_the_model_is_loaded_again_in_another_process(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = load_ner("fast-gliner", model=str(folder))
    here = engine._loaded()  # type: ignore[attr-defined]
    assert engine._loaded() is here  # type: ignore[attr-defined]
    monkeypatch.setattr(os, "getpid", lambda: -1)
    assert engine._loaded() is not here  # type: ignore[attr-defined]


def test_a_folder_without_a_model_is_refused_at_the_first_text(tmp_path: Path) -> None:
    engine = load_ner("fast-gliner", model=str(tmp_path))
    with pytest.raises(ConfigurationError, match="cannot be loaded"):
        list(engine.find(["Ada"]))


@pytest.mark.parametrize("options", [{}, {"model": "x", "labels": {}}])
def test_an_engine_without_model_or_labels_is_refused(options: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError, match="DOCPIPE_NER_MODEL"):
        load_ner("fast-gliner", **options)


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, module in (("gliner", "gliner"), ("fast-gliner", "fast_gliner")):
        monkeypatch.setitem(sys.modules, module, None)
        monkeypatch.delitem(sys.modules, f"docpipe.engines.ner.{module}", raising=False)
        with pytest.raises(MissingExtraError, match=rf"docpipe-celery\[{name}\]"):
            load_ner(name, model="x")


def test_pieces_hold_every_word_and_end_with_a_sentence_where_one_ends() -> None:
    text = "One two three four. Five six seven eight nine ten eleven"
    assert [text[start:end] for start, end in pieces(text, 6)] == [
        "One two three four.",
        "Five six seven eight nine ten",
        "eleven",
    ]
    assert list(pieces(" ", 6)) == []
