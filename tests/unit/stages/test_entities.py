from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from docpipe.engines.ports import Span
from docpipe.errors import BugError
from docpipe.models import Chunk, Line, Mention, Method, Page
from docpipe.stages.chunk import ChunkOptions, split_text
from docpipe.stages.entities.gazetteer import Gazetteer
from docpipe.stages.entities.mentions import EntityOptions, find_mentions, layout_breaks


class WordList:
    """An engine that finds given words (name, label), also over a line end."""

    name = "words:1"

    def __init__(self, **labels: str) -> None:
        self.labels = {name.replace("_", " "): label for name, label in labels.items()}
        self.seen: list[str] = []

    def find(self, texts: Sequence[str]) -> Iterator[list[Span]]:
        for text in texts:
            self.seen.append(text)
            yield [
                Span(match.start(), match.end(), label, 0.5)
                for name, label in self.labels.items()
                for match in re.finditer(re.escape(name), text)
            ]


class Answers:
    """An engine that gives the same answers whatever it is asked."""

    name = "answers:1"

    def __init__(self, *answers: list[Span]) -> None:
        self.answers = answers

    def find(self, texts: Sequence[str]) -> Iterator[list[Span]]:
        yield from self.answers


def mentions_of(
    text: str,
    engine: WordList | Answers,
    chunk: ChunkOptions | None = None,
    options: EntityOptions | None = None,
) -> tuple[Mention, ...]:
    chunks = split_text(text, [], chunk or ChunkOptions()).chunks or ()
    mentions = find_mentions(text, [], chunks, engine=engine, options=options or EntityOptions()).mentions
    assert mentions is not None
    return mentions


def named(mentions: Sequence[Mention]) -> list[tuple[str, str]]:
    return [(mention.text, mention.label) for mention in mentions]


def test_a_mention_carries_its_place_source_and_score() -> None:
    text = "By Ann Lee on 2024-03-14"
    words = (0.0, 20.0, 30.0, 60.0, 70.0, 100.0, 110.0, 130.0, 140.0, 240.0)
    ann, day = (30.0, 10.0, 100.0, 20.0), (140.0, 10.0, 240.0, 20.0)
    pages = [Page(7, 0, 24, 240.0, 100.0, Method.OCR, (Line(0, 24, (0.0, 10.0, 240.0, 20.0), words=words),))]
    output = find_mentions(text, pages, [Chunk(0, 0, 24, 7, 7)], engine=WordList(Ann_Lee="PERSON"))
    assert output.mentions == (
        Mention(0, "Ann Lee", "PERSON", 3, 10, 7, ann, 0.5, "words:1", 0, boxes=(ann,)),
        Mention(1, "2024-03-14", "DATE", 14, 24, 7, day, 1.0, "pattern", 0, "2024-03-14", (day,)),
    )


def test_a_name_over_a_line_end_is_found_as_it_stands() -> None:
    text = "signed by Ann\nLee today"
    assert named(mentions_of(text, WordList(Ann_Lee="PERSON"))) == [("Ann\nLee", "PERSON")]


def test_a_name_does_not_run_over_a_blank_line() -> None:
    text = "Ann\n\nLee"
    assert named(mentions_of(text, Answers([Span(0, 8, "PERSON")]))) == [("Ann", "PERSON")]


def test_overlapping_chunks_count_a_mention_once_in_the_last_chunk_that_reaches_it() -> None:
    text = "one two three four Ann Lee five six seven eight"
    chunks = [Chunk(0, 0, 30, 1, 1), Chunk(1, 14, 47, 1, 1)]
    mentions = find_mentions(text, [], chunks, engine=WordList(Ann_Lee="PERSON")).mentions or ()
    assert [(mention.text, mention.chunk) for mention in mentions] == [("Ann Lee", 1)]


def test_a_name_cut_by_one_chunk_and_whole_in_the_next_is_whole() -> None:
    text = "one two three four Ann Lee five"
    chunks = [Chunk(0, 0, 22, 1, 1), Chunk(1, 14, 31, 1, 1)]
    mentions = find_mentions(text, [], chunks, engine=WordList(Ann="PERSON", Ann_Lee="PERSON")).mentions or ()
    assert named(mentions) == [("Ann Lee", "PERSON")]


def test_a_pattern_over_a_chunk_border_belongs_to_the_chunk_of_its_start() -> None:
    text = "due on 14 March 2024 at noon"
    chunks = [Chunk(0, 0, 9, 1, 1), Chunk(1, 10, 28, 1, 1)]
    mentions = find_mentions(text, [], chunks, engine=WordList()).mentions or ()
    assert [(mention.text, mention.chunk) for mention in mentions] == [("14 March 2024", 0)]


@pytest.mark.parametrize(
    ("text", "words", "expected"),
    [
        ("until 14 March 2024 only", {"until_14_March_2024_only": "DATE"}, [("14 March 2024", "DATE")]),
        ("the 14 March 2024 Riots", {"14_March_2024_Riots": "EVENT"}, [("14 March 2024 Riots", "EVENT")]),
        (
            "Ann Lee ann@x.org",
            {"Ann_Lee_ann@x.org": "PERSON"},
            [("Ann Lee", "PERSON"), ("ann@x.org", "EMAIL")],
        ),
        ("Acme, 14 March 2024", {"Acme,_14_March_2024": "ORG"}, [("Acme", "ORG"), ("14 March 2024", "DATE")]),
        ("Acme Ltd", {"Acme_Ltd": "PERSON"}, [("Acme Ltd", "ORG")]),
        ("Ann Lee of Lee", {"Ann_Lee": "PERSON", "Lee_of_Lee": "ORG"}, [("Lee of Lee", "ORG")]),
        ("in Doe v. Roe", {"Doe_v._Roe": "PERSON"}, [("Doe", "PERSON"), ("Roe", "PERSON")]),
    ],
)
def test_overlaps_are_settled_by_the_stated_rules(
    text: str, words: dict[str, str], expected: list[tuple[str, str]]
) -> None:
    assert named(mentions_of(text, WordList(**words))) == expected


def test_a_name_of_the_projects_list_wins_over_the_engines() -> None:
    text = "by Acme\nHoldings on 14 March 2024, see acme@acme.org"
    options = EntityOptions(gazetteer=Gazetteer([("Acme Holdings", "BRAND"), ("acme", "BRAND")]))
    mentions = mentions_of(text, WordList(by_Acme_Holdings_on="PERSON"), options=options)
    assert [(m.text, m.label, m.source) for m in mentions] == [
        ("Acme\nHoldings", "BRAND", "gazetteer"),
        ("14 March 2024", "DATE", "pattern"),
        ("acme@acme.org", "EMAIL", "pattern"),
    ]


def test_a_name_on_a_chunk_border_is_found_whole_and_once() -> None:
    text = "one two three four Ann Lee five six"
    chunks = [Chunk(0, 0, 22, 1, 1), Chunk(1, 23, 35, 1, 1)]
    mentions = find_mentions(text, [], chunks, engine=WordList(Ann_Lee="PERSON")).mentions or ()
    assert [(mention.text, mention.chunk) for mention in mentions] == [("Ann Lee", 0)]


def test_labels_and_patterns_can_be_chosen() -> None:
    text = "Ann Lee, 14 March 2024, ann@x.org"
    engine = WordList(Ann_Lee="PERSON")
    assert named(mentions_of(text, engine, options=EntityOptions(patterns=False))) == [("Ann Lee", "PERSON")]
    chosen = EntityOptions(labels=frozenset({"EMAIL"}))
    assert named(mentions_of(text, engine, options=chosen)) == [("ann@x.org", "EMAIL")]


def test_a_long_chunk_reaches_the_engine_in_pieces_cut_between_sentences() -> None:
    engine = WordList(Ann_Lee="PERSON")
    text = "Ann Lee left. " * 100
    mentions = mentions_of(text, engine, ChunkOptions(max_size=5000), EntityOptions(max_window=100))
    assert len(mentions) == 100
    assert max(map(len, engine.seen)) <= 100


@pytest.mark.parametrize("answers", [[], [[], []]])
def test_an_engine_that_answers_too_few_or_too_often_is_a_bug(answers: list[list[Span]]) -> None:
    with pytest.raises(BugError, match="one answer for every text"):
        mentions_of("one text", Answers(*answers))


@pytest.mark.parametrize("span", [Span(0, 9, "PERSON"), Span(-1, 3, "PERSON"), Span(3, 3, "PERSON")])
def test_an_engine_with_wrong_offsets_is_a_bug(span: Span) -> None:
    with pytest.raises(BugError, match="answers:1 gave the span"):
        mentions_of("one text", Answers([span]))


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            ["Ann", "Lee", "Ltd", "14 March 2024", "ann@x.org", "$5", "\n", "\n\n", " v. ", ",", "x"]
        ),
        max_size=25,
    ),
    st.integers(5, 40),
    st.integers(0, 4),
)
def test_mentions_reproduce_the_text_apart_in_order_and_in_their_chunk(
    parts: list[str], size: int, overlap: int
) -> None:
    text = " ".join(parts)
    chunks = split_text(text, [], ChunkOptions(max_size=size, overlap=overlap)).chunks or ()
    engine = WordList(Ann_Lee="PERSON", Lee_Ltd="ORG", March="DATE")
    mentions = find_mentions(text, [], chunks, engine=engine).mentions or ()
    assert [mention.index for mention in mentions] == list(range(len(mentions)))
    assert all(text[mention.start : mention.end] == mention.text != "" for mention in mentions)
    assert all(one.end <= other.start for one, other in pairwise(mentions))
    assert all(chunks[m.chunk].start <= m.start < chunks[m.chunk].end for m in mentions)


LETTER = """\
Recitals
Maria Delgado, who signs for Northwind Harbour, writes on behalf of Calder and
Finch to say that all of the cranes in the port have been inspected this year.
Maria Delgado\tThomas Whitfield
Director"""


def test_the_layout_breaks_at_tabs_and_after_lines_that_had_room_for_more() -> None:
    pages = [Page(1, 0, len(LETTER), None, None, Method.TEXT)]
    breaks = layout_breaks(LETTER, pages)
    assert [LETTER[at - 8 : at + 1] for at in breaks] == ["Recitals\n", " Delgado\t", "hitfield\n"]


@pytest.mark.parametrize("hyphen", ["-", "\u00ad", "- "])
def test_a_name_broken_by_a_hyphen_goes_on_after_a_short_line(hyphen: str) -> None:
    text = (
        f"The buyer shall tell the carrier of every delay in the port.\nSo Jonas We{hyphen}\nber has asked."
    )
    pages = [Page(1, 0, len(text), None, None, Method.TEXT)]
    chunks = split_text(text, pages, ChunkOptions()).chunks or ()
    found = find_mentions(text, pages, chunks, engine=WordList(Jonas_Weber="PERSON")).mentions or ()
    assert [mention.text for mention in found] == [f"Jonas We{hyphen}\nber"]


def test_what_the_engine_finds_is_parted_where_the_layout_breaks() -> None:
    pages = [Page(1, 0, len(LETTER), None, None, Method.TEXT)]
    spans = [_span_of("Recitals\nMaria Delgado"), _span_of("Calder and\nFinch")]
    spans.append(_span_of("Maria Delgado\tThomas Whitfield\nDirector"))
    chunks = split_text(LETTER, pages, ChunkOptions()).chunks or ()
    found = find_mentions(LETTER, pages, chunks, engine=Answers(spans)).mentions or ()
    names = ["Maria Delgado", "Calder and\nFinch", "Maria Delgado", "Thomas Whitfield"]
    assert [mention.text for mention in found] == names


def _span_of(words: str) -> Span:
    start = LETTER.rindex(words)
    return Span(start, start + len(words), "PERSON")


def test_the_engine_is_not_asked_about_lone_letters_and_signs() -> None:
    engine = WordList(Ann_Lee="PERSON")
    text = "a\n" * 50 + "Ann Lee " + "(1) " * 50
    mentions = mentions_of(text, engine, ChunkOptions(max_size=20))
    assert named(mentions) == [("Ann Lee", "PERSON")]
    assert len(engine.seen) == 1


AGREEMENT = "This Agreement is made between Acme Inc. (the “Company”) and Ann Lee. "


def test_a_party_wins_over_a_longer_name_that_the_engine_takes_it_into() -> None:
    text = AGREEMENT + "This Agreement binds Board of Acme Inc. too. This Agreement ends."
    found = mentions_of(text, WordList(**{"between Acme Inc.": "ORG"}))
    assert next(each.text for each in found if "Acme" in each.text) == "Acme Inc."


def test_a_length_of_time_in_an_agreement_is_its_words_alone() -> None:
    text = (
        AGREEMENT
        + "This Agreement shall expire seven (7) years from the Effective Date. This Agreement ends."
    )
    found = mentions_of(text, WordList(**{"seven (7) years from the Effective Date": "DATE"}))
    assert [(each.text, each.value) for each in found if each.label == "DATE"] == [("seven (7) years", "P7Y")]


def test_a_date_of_numbers_reads_in_the_order_of_the_documents_other_dates() -> None:
    found = mentions_of("Offer of August 6, 2008. Signed: 8/11/08", WordList())
    assert [each.value for each in found] == ["2008-08-06", "2008-08-11"]


def test_a_name_ends_with_its_legal_form_and_begins_behind_a_role() -> None:
    text = "Plaintiff Greenleaf Foods, Inc. Completion follows. Note between AGS LLC Signed in May."
    engine = WordList(
        **{"Plaintiff Greenleaf Foods, Inc. Completion": "ORG", "between AGS LLC Signed": "ORG"}
    )
    assert [each.text for each in mentions_of(text, engine)][:2] == ["Greenleaf Foods, Inc.", "AGS LLC"]


def test_no_name_runs_over_the_blanks_that_set_columns_apart() -> None:
    text = "Harcourt Schools Trust          Invoice date"
    page = Page(1, 0, len(text), None, None, Method.TEXT)
    engine = WordList(**{"Harcourt Schools Trust Invoice": "ORG"})
    found = find_mentions(text, [page], split_text(text, [page]).chunks or (), engine=engine).mentions or ()
    assert [each.text for each in found] == ["Harcourt Schools Trust"]


def test_a_hard_blank_parts_no_cells() -> None:
    text = "The road runs from 75 \xa0 Street to the river."
    engine = WordList(**{"75 Street": "LOCATION"})
    assert [each.text for each in mentions_of(text, engine)] == ["75 \xa0 Street"]


def test_a_company_of_a_country_keeps_the_country() -> None:
    text = "He leads Power Corporation of Canada today."
    engine = WordList(**{"Power Corporation of Canada": "ORG"})
    assert [each.text for each in mentions_of(text, engine)] == ["Power Corporation of Canada"]


def test_a_company_that_the_engine_takes_for_a_person_is_one_by_its_legal_form_elsewhere() -> None:
    text = "Northwind Traders Ltd. sells. Northwind sells tea. We met Northwind in May."
    found = mentions_of(text, WordList(Northwind="PERSON"))
    assert [(each.text, each.label) for each in found if each.label != "DATE"] == [
        ("Northwind Traders Ltd.", "ORG"),
        ("Northwind", "ORG"),
        ("Northwind", "ORG"),
    ]


@pytest.mark.parametrize("address", ["Madame", "Monsieur", "Herr", "Sehr geehrte Damen und Herren"])
def test_words_of_address_alone_are_nobody(address: str) -> None:
    found = mentions_of(f"{address}, wir", WordList(**{address.replace(" und", ""): "PERSON"}))
    assert not found


def test_a_name_that_runs_from_one_company_into_the_next_is_those_two() -> None:
    text = "Textiles López S.L. y Banco Norte S.A."
    engine = WordList(**{"López S.L. y Banco Norte S.A.": "ORG"})
    found = [mention.text for mention in mentions_of(text, engine)]
    assert found == ["Textiles López S.L.", "Banco Norte S.A."]


def test_companies_of_spain_and_germany_with_one_owner_keep_their_form() -> None:
    text = "Textiles Pérez S.L.U. y Maier UG (haftungsbeschränkt)"
    found = [mention.text for mention in mentions_of(text, WordList())]
    assert found == ["Textiles Pérez S.L.U.", "Maier UG (haftungsbeschränkt)"]
