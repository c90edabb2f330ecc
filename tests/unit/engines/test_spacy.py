from __future__ import annotations

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from docpipe.engines.ports import NerEngine, Span

if TYPE_CHECKING:
    from docpipe.engines.ner.spacy import SpacyEngine
from docpipe.errors import ConfigurationError


@pytest.fixture(scope="module")
def engine() -> SpacyEngine:
    from docpipe.engines.ner.spacy import SpacyEngine

    return SpacyEngine()


@pytest.fixture
def rulers(tmp_path: Path) -> Path:
    """A tiny pipeline in a folder, with labels spaCy's models have."""

    import spacy

    nlp = spacy.blank("en")
    ruler = nlp.add_pipe("entity_ruler")
    ruler.add_patterns(  # type: ignore[attr-defined]
        [
            {"label": "GPE", "pattern": "Vienna"},
            {"label": "PER", "pattern": "Ada"},
            {"label": "LAW", "pattern": "GDPR"},
        ]
    )
    nlp.to_disk(tmp_path / "tiny")
    return tmp_path / "tiny"


def named(engine: NerEngine, text: str) -> list[tuple[str, str]]:
    (spans,) = engine.find([text])
    return [(text[span.start : span.end], span.label) for span in spans]


def test_the_default_model_finds_names_at_exact_offsets(engine: SpacyEngine) -> None:
    text = "Jane Doe of Microsoft Corporation moved to New York in March 2024."
    assert named(engine, text) == [
        ("Jane Doe", "PERSON"),
        ("Microsoft Corporation", "ORG"),
        ("New York", "LOCATION"),
        ("March 2024", "DATE"),
    ]


def test_answers_come_in_the_order_of_the_texts_over_many_batches() -> None:
    from docpipe.engines.ner.spacy import SpacyEngine

    engine = SpacyEngine(batch_size=2)
    texts = ["Angela Merkel visited Paris.", "", "nothing here", "London calls.", "Berlin waits."]
    assert [len(spans) for spans in engine.find(texts)] == [2, 0, 0, 1, 1]
    assert list(engine.find([])) == []


@pytest.mark.parametrize("costly", [True, False])
def test_names_are_those_of_spacys_own_reading_on_every_version_of_python(
    engine: SpacyEngine, costly: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from docpipe.engines.ner import spacy as engine_module

    monkeypatch.setattr(engine_module, "_GIL_IS_COSTLY", costly)
    texts = [
        "Angela Merkel visited Paris in May 2004. Siemens paid her $ 5 million.",
        "",
        "\n \n",
        "No name.",
        "Paris",
        "The United Nations met in New York City; 12 members of the Security Council voted on Tuesday.",
    ]
    own = [[(e.start_char, e.end_char) for e in doc.ents] for doc in engine.pipeline.pipe(texts)]
    assert [[(span.start, span.end) for span in spans] for spans in engine.find(texts)] == own
    assert list(map(len, own)) == [5, 0, 0, 0, 1, 5]


def test_the_score_is_the_models_precision_for_the_label(engine: SpacyEngine) -> None:
    (spans,) = engine.find(["Angela Merkel visited Paris."])
    assert [0.8 < span.score < 1 for span in spans] == [True, True]


def test_the_name_tells_technology_model_and_version(engine: SpacyEngine) -> None:
    assert engine.name == "spacy:en_core_web_md@3.7.1"


def test_only_the_parts_that_find_names_are_loaded(engine: SpacyEngine) -> None:
    assert engine._loaded().pipe_names == ["ner"]


def test_a_pipeline_in_a_folder_works_and_its_labels_are_mapped(rulers: Path) -> None:
    from docpipe.engines.ner.spacy import SpacyEngine

    (spans,) = SpacyEngine(str(rulers)).find(["Ada reads the GDPR in Vienna"])
    assert spans == [Span(0, 3, "PERSON"), Span(14, 18, "LAW"), Span(22, 28, "LOCATION")]


def test_the_model_is_loaded_again_in_another_process(rulers: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from docpipe.engines.ner.spacy import SpacyEngine

    engine = SpacyEngine(str(rulers))
    here = engine._loaded()
    assert engine._loaded() is here
    monkeypatch.setattr(os, "getpid", lambda: -1)
    assert engine._loaded() is not here


def test_words_are_learnt_up_to_a_limit_and_forgotten_after_their_text_from_there_on(
    rulers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from docpipe.engines.ner import spacy as engine_module
    from docpipe.engines.ner.spacy import SpacyEngine

    monkeypatch.setattr(engine_module, "_WORDS_LEARNT", 3)
    engine = SpacyEngine(str(rulers))
    strings = engine.pipeline.vocab.strings
    list(engine.find(["plumbum stannum Vienna ferrum"]))
    assert "stannum" in strings
    known = len(strings)
    (spans,) = engine.find(["aurum argentum cuprum Vienna"])
    assert spans == [Span(22, 28, "LOCATION")]
    assert "argentum" not in strings
    assert len(strings) == known


def test_threads_that_share_an_engine_read_the_same_as_one_alone(
    engine: SpacyEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "_most_words", 0)  # every batch frees its memory
    texts = [f"Angela Merkel visited Paris on day {day} with Word{day}." for day in range(40)]
    alone = list(engine.find(texts))
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: list(engine.find(texts)), range(4)))
    assert answers == [alone] * 4


@pytest.mark.parametrize("model", ["en_core_web_md", "en_core_web_sm"])
def test_a_changed_copy_of_the_model_is_refused(model: str, tmp_path: Path) -> None:
    from docpipe.engines.fingerprints import fingerprint
    from docpipe.engines.ner import spacy as engine_module
    from docpipe.engines.ner.spacy import COPIES, SpacyEngine

    copy = COPIES[model]
    path = SpacyEngine(model)._path
    data = tmp_path / copy.package / path.name
    shutil.copytree(path, data)
    assert fingerprint(data) == copy.sha256
    assert engine_module._checked(data, model) == data
    with (data / "ner" / "model").open("ab") as file:
        file.write(b"\0")
    with pytest.raises(ConfigurationError, match=copy.requirement):
        engine_module._checked(data, model)


def test_the_smaller_model_can_be_chosen() -> None:
    from docpipe.engines.ner.spacy import SpacyEngine

    assert SpacyEngine("en_core_web_sm").name == "spacy:en_core_web_sm@3.8.0"


def test_a_missing_model_names_the_line_that_installs_it() -> None:
    from docpipe.engines.ner.spacy import SpacyEngine

    with pytest.raises(ConfigurationError, match="python -m spacy download en_core_web_xx"):
        SpacyEngine("en_core_web_xx")


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    from docpipe.engines.ner.spacy import SpacyEngine

    with pytest.raises(ConfigurationError, match="does not hold a spaCy model"):
        SpacyEngine(str(tmp_path))


def test_a_model_that_finds_no_names_is_refused(tmp_path: Path) -> None:
    import spacy

    from docpipe.engines.ner.spacy import SpacyEngine

    spacy.blank("en").to_disk(tmp_path / "blank")
    with pytest.raises(ConfigurationError, match="finds no names"):
        list(SpacyEngine(str(tmp_path / "blank")).find(["Vienna"]))
