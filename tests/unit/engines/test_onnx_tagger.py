from __future__ import annotations

import io
import json
import shutil
import zipfile
from pathlib import Path

import docpipe_names
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from docpipe import Options
from docpipe.engines import load_ner
from docpipe.engines.ner import onnx_tagger
from docpipe.engines.ner.onnx_tagger import OnnxTagger, _windows
from docpipe.engines.ner.wordpieces import words
from docpipe.engines.ports import NerEngine
from docpipe.errors import ConfigurationError
from docpipe.pipeline.settings import Settings
from tests.unit.conftest import Python

MODEL = Path(docpipe_names.__file__).parent / "model"
DISTRIBUTION = Path(__file__).parents[3] / "names"
SENTENCE = "Jane Doe of Microsoft Corporation moved to New York in March 2024."
NAMES = [("Jane Doe", "PERSON"), ("Microsoft Corporation", "ORG"), ("New York", "LOCATION")]


@pytest.fixture(scope="module")
def engine() -> OnnxTagger:
    return OnnxTagger()


def named(engine: NerEngine, text: str) -> list[tuple[str, str]]:
    (spans,) = engine.find([text])
    return [(text[span.start : span.end], span.label) for span in spans]


def test_names_stand_at_exact_offsets(engine: OnnxTagger) -> None:
    assert named(engine, SENTENCE) == NAMES


def test_names_in_capitals_are_found(engine: OnnxTagger) -> None:
    assert named(engine, SENTENCE.upper()) == [(name.upper(), label) for name, label in NAMES]


def test_a_name_goes_on_over_the_end_of_a_full_line(engine: OnnxTagger) -> None:
    assert ("New\nYork", "LOCATION") in named(engine, SENTENCE.replace("New York", "New\nYork"))


def test_the_same_text_is_read_alike_again_and_beside_any_other(engine: OnnxTagger) -> None:
    other = "Angela Merkel visited Paris. " * 40
    (alone,) = engine.find([SENTENCE])
    assert list(engine.find([other, SENTENCE, "", SENTENCE]))[1::2] == [alone, alone]
    assert list(OnnxTagger().find([SENTENCE])) == [alone]


def test_scores_are_probabilities(engine: OnnxTagger) -> None:
    (spans,) = engine.find([SENTENCE])
    assert [0.5 < span.score <= 1 for span in spans] == [True, True, True]


@pytest.mark.parametrize("text", ["\n".join([SENTENCE] * 60), "word " * 900, "xzqj" * 24 + " "])
def test_windows_answer_for_every_word_once(text: str) -> None:
    cut = words(Tokenizer.from_file(str(MODEL / "tokenizer.json")), text * 3)
    answered = [word for window in _windows(text * 3, cut) for word in range(window.first, window.last)]
    assert answered == list(range(len(cut.spans)))


def test_names_are_found_over_the_windows_of_a_sentence_without_end(engine: OnnxTagger) -> None:
    people = ["Angela Merkel", "Barack Obama", "Emmanuel Macron", "Justin Trudeau"] * 60
    found = named(engine, "He met " + ", ".join(people))
    assert found == [(person, "PERSON") for person in people]


@pytest.mark.parametrize("text", ["", " ", "\n\n\t", "\u200b", "\ufeff", "\x00"])
def test_what_has_no_word_has_no_name(engine: OnnxTagger, text: str) -> None:
    assert list(engine.find([text])) == [[]]


def test_signs_of_several_code_points_keep_offsets_exact(engine: OnnxTagger) -> None:
    text = "👩‍👩‍👧 José Álvarez of Zu\u0308rich 🇨🇭 met Rene\u0301 Dubois in Paris."
    assert named(engine, text) == [
        ("José Álvarez", "PERSON"),
        ("Zu\u0308rich", "LOCATION"),
        ("Rene\u0301 Dubois", "PERSON"),
        ("Paris", "LOCATION"),
    ]


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(codec="utf-8"), max_size=300) | st.text("Aé.\n\tß1 İ", max_size=900))
def test_any_text_gives_ordered_spans_inside_it_that_do_not_overlap(text: str) -> None:
    (spans,) = _SHARED.find([text])
    ends = [0, *(span.end for span in spans)]
    assert all(a <= span.start < span.end <= len(text) for a, span in zip(ends, spans, strict=False))


_SHARED = OnnxTagger()


def test_a_word_of_more_pieces_than_a_window_stops_nothing(engine: OnnxTagger) -> None:
    text = "q" * 90 + " " + " ".join("xzqj" * 24 for _ in range(30)) + f". {SENTENCE}"
    assert named(engine, text)[-3:] == NAMES


def test_weights_other_than_those_docpipe_pins_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_tagger, "SHA256", "0" * 64)
    with pytest.raises(
        ConfigurationError, match=r"not the one docpipe was tested with.*docpipe-names==1\.0\.0"
    ):
        OnnxTagger()


def test_weights_of_ones_own_are_read_from_a_folder(tmp_path: Path) -> None:
    folder = shutil.copytree(MODEL, tmp_path / "mine")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"name": "mine", "version": "7"}))
    engine = load_ner("docpipe", model=str(folder))
    assert (engine.name, named(engine, SENTENCE)) == ("docpipe:mine@7", NAMES)


@pytest.mark.parametrize(
    ("change", "message"),
    [({"format": 2}, "of a format"), ({"tags": ["O"]}, "of a format"), ({"slope": None}, "does not hold")],
)
def test_a_model_of_another_format_is_refused(
    tmp_path: Path, change: dict[str, object], message: str
) -> None:
    config = json.loads((MODEL / "config.json").read_text()) | change
    kept = {key: value for key, value in config.items() if value is not None}
    (tmp_path / "config.json").write_text(json.dumps(kept))
    with pytest.raises(ConfigurationError, match=message):
        OnnxTagger(str(tmp_path))


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="There is no folder"):
        OnnxTagger(str(tmp_path / "none"))
    with pytest.raises(ConfigurationError, match="does not hold a names model"):
        OnnxTagger(str(tmp_path))
    shutil.copy(MODEL / "config.json", tmp_path)
    (tmp_path / "names.onnx").write_bytes(b"no model")
    with pytest.raises(ConfigurationError, match="cannot be loaded"):
        list(OnnxTagger(str(tmp_path)).find(["Ada"]))


def test_it_is_the_default_and_needs_no_spacy(python: Python) -> None:
    assert Settings().options() == Options(ner_engine="docpipe")
    program = f"""
import sys
sys.modules["spacy"] = None
from docpipe.engines import load_ner
(spans,) = load_ner().find([{SENTENCE!r}])
print(len(spans))
"""
    assert python("-c", program).stdout == "3\n"


def test_the_distribution_is_small_and_carries_its_licence() -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as wheel:
        for path in sorted((DISTRIBUTION / "docpipe_names").rglob("*")):
            wheel.write(path, path.relative_to(DISTRIBUTION))
    assert packed.tell() < 27_000_000
    assert (MODEL / "names.onnx").stat().st_size < 25_000_000
    assert "Attribution-ShareAlike 4.0 International" in (DISTRIBUTION / "LICENSE").read_text("utf-8")
    assert 'license-files = ["LICENSE", "NOTICE"]' in (DISTRIBUTION / "pyproject.toml").read_text("utf-8")
