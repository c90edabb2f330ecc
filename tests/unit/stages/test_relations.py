from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from docpipe.models import Entity, Evidence, Mention, Method, Page, Relation
from docpipe.stages.graph.relation_rules import Context, Rule, relate
from docpipe.stages.graph.relations import RelationOptions, find_relations, sentences


def marked(text: str) -> tuple[str, list[Mention], list[Entity]]:
    """`[Ann|PERSON] of ...` as text and mentions; equal names are one entity."""
    plain = ""
    mentions: list[Mention] = []
    for part in text.replace("]", "[").split("["):
        name, _, label = part.partition("|")
        if label:
            start = len(plain)
            mentions.append(
                Mention(len(mentions), name, label, start, start + len(name), 1, None, 1.0, "test", 0)
            )
        plain += name
    by_name: dict[tuple[str, str], list[int]] = {}
    for mention in mentions:
        by_name.setdefault((mention.text, mention.label), []).append(mention.index)
    groups = enumerate(by_name.items())
    return plain, mentions, [Entity(i, name, label, tuple(m)) for i, ((name, label), m) in groups]


def related(text: str, options: RelationOptions | None = None) -> list[tuple[str, str, str]]:
    plain, mentions, entities = marked(text)
    found = find_relations(plain, [], mentions, entities, options or RelationOptions())
    return [(entities[one.source].name, one.type, entities[one.target].name) for one in found]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[Ann|PERSON], chairman of [Acme|ORG], left.", ("Ann", "WORK_FOR", "Acme")),
        ("[Acme|ORG] president [Ann|PERSON] left.", ("Ann", "WORK_FOR", "Acme")),
        ("[Acme|ORG], based in [Oslo|LOCATION], grew.", ("Acme", "BASED_IN", "Oslo")),
        ("[Oslo|LOCATION]-based [Acme|ORG] grew.", ("Acme", "BASED_IN", "Oslo")),
        ("[Ann|PERSON] was born in [Oslo|LOCATION].", ("Ann", "LIVE_IN", "Oslo")),
        ("[Oslo|LOCATION] native [Ann|PERSON] left.", ("Ann", "LIVE_IN", "Oslo")),
        ("near [Oslo|LOCATION], [Norway|LOCATION].", ("Oslo", "LOCATED_IN", "Norway")),
        (
            "at 14 Harbour Street, [Portland|LOCATION], [Oregon|LOCATION].",
            ("Portland", "LOCATED_IN", "Oregon"),
        ),
        (
            "[Pinedale|LOCATION] in rural western [New Mexico|LOCATION].",
            ("Pinedale", "LOCATED_IN", "New Mexico"),
        ),
        ("[Zambia|LOCATION]'s [Kafue River|LOCATION].", ("Kafue River", "LOCATED_IN", "Zambia")),
        ("[Oswald|PERSON] shot [Kennedy|PERSON].", ("Oswald", "KILLED", "Kennedy")),
        ("[Kennedy|PERSON] was shot by [Oswald|PERSON].", ("Oswald", "KILLED", "Kennedy")),
        ("[Lease|CONTRACT] dated [May 2, 2024|DATE].", ("Lease", "DATED", "May 2, 2024")),
        ("On [May 2, 2024|DATE] the [Lease|CONTRACT] began.", ("Lease", "DATED", "May 2, 2024")),
        ("[A-1|INVOICE_NUMBER] for a total of [$5|MONEY].", ("$5", "AMOUNT_OF", "A-1")),
        ("paid [$5|MONEY] under contract [A-1|CONTRACT_NUMBER].", ("$5", "AMOUNT_OF", "A-1")),
        ("[Acme|ORG] acquired [Fabrikam|ORG].", ("Acme", "RELATED_TO", "Fabrikam")),
        ("[Acme|ORG] and [Fabrikam|ORG].", None),
        ("[Russia|LOCATION], [Japan|LOCATION], [Poland|LOCATION] and others.", None),
        ("In China, [Russia|LOCATION], [Japan|LOCATION].", None),
        ("[Oslo|LOCATION], said [Ann|PERSON].", None),
        ("between us and [Acme Ltd.|ORG] [Ann|PERSON] signed it.", None),
        ("[Acme Ltd.|ORG]\n[Ann|PERSON]\nDirector", ("Ann", "WORK_FOR", "Acme Ltd.")),
        ("[Ann|PERSON], an [Acme|ORG] spokeswoman.", ("Ann", "WORK_FOR", "Acme")),
        ("[Acme|ORG] sells tools, said [Ann|PERSON], a manager.", ("Ann", "WORK_FOR", "Acme")),
        (
            "[Ann|PERSON], who was until May the chief engineer of the [Acme|ORG].",
            ("Ann", "WORK_FOR", "Acme"),
        ),
        ("[OSLO|LOCATION] ([AP|ORG])", ("AP", "BASED_IN", "OSLO")),
        ("the [Oslo|LOCATION] branch of [Acme|ORG].", ("Acme", "BASED_IN", "Oslo")),
        ("[Ann|PERSON], an [Oslo|LOCATION] architect.", ("Ann", "LIVE_IN", "Oslo")),
        ("[Ohio|LOCATION] Gov. [Ann Lee|PERSON] left.", ("Ann Lee", "LIVE_IN", "Ohio")),
        ("[Oslo|LOCATION] made [Ann|PERSON] rich.", None),
        ("the [Oslo|LOCATION] suburb of [Bekkelaget|LOCATION].", ("Bekkelaget", "LOCATED_IN", "Oslo")),
        ("In [Oslo|LOCATION], a crowd in the [Old Town|LOCATION].", ("Old Town", "LOCATED_IN", "Oslo")),
        ("[Devine|LOCATION], near [Oslo|LOCATION].", None),
        ("[Portland|LOCATION] and in [Antwerp|LOCATION].", None),
        ("[King|PERSON]'s killer, [Ray|PERSON], fled.", ("Ray", "KILLED", "King")),
        ("[Acme|ORG] fell. [Ann|PERSON] left.", None),
        ("[Acme|ORG]\n\n[Ann|PERSON]", None),
    ],
)
def test_a_pair_is_related_by_labels_and_words_between(
    text: str, expected: tuple[str, str, str] | None
) -> None:
    assert related(text) == ([expected] if expected else [])


def test_all_parties_belong_to_the_contract() -> None:
    text = "This [Lease|CONTRACT] is made on [2024-05-02|DATE] between [Acme Ltd|ORG] and [Ann Lee|PERSON]."
    assert related(text) == [
        ("Lease", "DATED", "2024-05-02"),
        ("Acme Ltd", "PARTY_TO", "Lease"),
        ("Ann Lee", "PARTY_TO", "Lease"),
    ]


def test_a_party_that_follows_another_does_not_work_for_it() -> None:
    assert related("[Acme Ltd|ORG] and [Ann Lee|PERSON] agree.") == []


def test_evidence_spans_both_mentions_and_names_its_page() -> None:
    text, mentions, entities = marked("Hi.\n\n[Ann|PERSON], head of [Acme|ORG].")
    pages = [Page(1, 0, 3, None, None, Method.TEXT), Page(2, 5, len(text), None, None, Method.TEXT)]
    assert find_relations(text, pages, mentions, entities) == (
        Relation("WORK_FOR", 0, 1, Evidence(5, 22, 2), 0.8),
    )
    assert text[5:22] == "Ann, head of Acme"


def test_a_relation_said_thrice_comes_once_with_its_count_and_shortest_best_evidence() -> None:
    text, mentions, entities = marked(
        "[Acme|ORG] [Ann|PERSON] sat. [Ann|PERSON] is head of [Acme|ORG]. [Ann|PERSON], head of [Acme|ORG]."
    )
    (relation,) = find_relations(text, [], mentions, entities)
    assert text[relation.evidence.start : relation.evidence.end] == "Ann, head of Acme"
    assert (relation.score, relation.count) == (0.8, 3)


def test_a_nearer_name_of_the_same_kind_takes_the_relation() -> None:
    assert related("[Acme|ORG] and [Fabrikam|ORG] of [Oslo|LOCATION].") == [("Fabrikam", "BASED_IN", "Oslo")]
    assert related("[Ann|PERSON] and [Bo|PERSON], 83, of [Oslo|LOCATION].") == [("Bo", "LIVE_IN", "Oslo")]


def test_members_in_a_row_all_belong_to_the_organisation() -> None:
    text = "[Acme|ORG] members [Ann|PERSON] and [Bo|PERSON] left."
    assert related(text) == [("Ann", "WORK_FOR", "Acme"), ("Bo", "WORK_FOR", "Acme")]


def test_the_generic_relation_keeps_its_verb() -> None:
    text, mentions, entities = marked("[Acme|ORG] has acquired [Fabrikam|ORG].")
    assert find_relations(text, [], mentions, entities) == (
        Relation("RELATED_TO", 0, 1, Evidence(0, 26, 1), 0.3, "has acquired"),
    )


def test_a_cell_belongs_to_the_heads_of_its_own_column() -> None:
    text = "[Acme|ORG]\t[Fabrikam|ORG]\nName: [Ann|PERSON]\tName: [Bo|PERSON]"
    assert related(text) == [("Ann", "WORK_FOR", "Acme"), ("Bo", "WORK_FOR", "Fabrikam")]


def test_an_address_after_a_party_is_no_further_party() -> None:
    text = "[Lease|CONTRACT] between [Acme|ORG], 8 Tidewater Row,\n[Manchester|PERSON], and [Fabrikam|ORG]."
    parties = [one for one in related(text) if one[1] == "PARTY_TO"]
    assert parties == [("Acme", "PARTY_TO", "Lease"), ("Fabrikam", "PARTY_TO", "Lease")]


def test_amounts_due_belong_to_the_contract_that_the_document_is() -> None:
    text = "[Lease|CONTRACT]\n\n1.1 The rent is [$5|MONEY].\n1.2 A ticket to Oslo is [$9|MONEY]."
    assert related(text) == [("$5", "AMOUNT_OF", "Lease")]


def test_amounts_in_a_document_that_names_a_contract_late_are_not_its_amounts() -> None:
    assert related(f"{'Some words. ' * 40}The [Lease|CONTRACT] ends.\n\nThe rent is [$5|MONEY].") == []


def test_a_form_that_is_signed_belongs_to_the_organisation_at_its_head() -> None:
    text = (
        "[Acme LLC|ORG]\nName: [Ann Lee|PERSON]\nTitle: Chief Executive Officer\nDate: [May 1, 2024|DATE]\n"
        "[Zeta Ltd.|ORG]\nName: [Bob Ray|PERSON]\nTitle: Managing Director\n"
    )
    assert related(text) == [("Ann Lee", "WORK_FOR", "Acme LLC"), ("Bob Ray", "WORK_FOR", "Zeta Ltd.")]


def test_who_signs_a_letter_works_for_the_organisation_below_the_name() -> None:
    text = "[Ann Lee|PERSON]\nSales Director\n[Acme Inc.|ORG]"
    assert related(text) == [("Ann Lee", "WORK_FOR", "Acme Inc.")]


def test_a_due_date_is_not_the_date_of_the_contract_beside_it() -> None:
    assert related("Due date\t[14 July 2024|DATE]\nContract No.\t[A-1|CONTRACT_NUMBER]") == []
    assert related("Invoice [A-1|INVOICE_NUMBER], due date [14 July 2024|DATE]") == []


def test_items_of_a_list_say_nothing_of_each_other() -> None:
    assert related("[ ] paid by [Acme|ORG]\n[ ] signed and sent by [Ann|PERSON]".replace("[ ]", "•")) == []


def test_the_amounts_of_an_invoice_are_not_those_of_the_contract_it_names() -> None:
    text = "Invoice [I-7|INVOICE_NUMBER] under contract [A-1|CONTRACT_NUMBER].\n\nTotal due: [$5.00|MONEY]\n"
    assert related(text) == [("$5.00", "AMOUNT_OF", "I-7")]


def test_co_occurrence_is_a_type_of_its_own_with_counts_and_only_on_request() -> None:
    text, mentions, entities = marked("[Ann|PERSON] saw [Oslo|LOCATION]. [Ann|PERSON] saw [Oslo|LOCATION].")
    assert find_relations(text, [], mentions, entities) == ()
    assert find_relations(text, [], mentions, entities, RelationOptions(co_occurrence=True)) == (
        Relation("CO_OCCURS", 0, 1, Evidence(0, 12, 1), 0.1, count=2),
    )


def test_co_occurrence_has_no_direction() -> None:
    plain, mentions, entities = marked("[Ann|PERSON] saw [Oslo|LOCATION]. [Oslo|LOCATION] saw [Ann|PERSON].")
    found = find_relations(plain, [], mentions, entities, RelationOptions(co_occurrence=True))
    assert [(one.source, one.target, one.count) for one in found if one.type == "CO_OCCURS"] == [(0, 1, 2)]


def test_a_mention_is_paired_with_a_bounded_number_of_followers() -> None:
    text = "".join(f"[Ann{number}|PERSON] killed " for number in range(40))
    for neighbours in (1, 4):
        assert len(related(text, RelationOptions(max_neighbours=neighbours))) <= 40 * neighbours


@pytest.mark.parametrize("labels", [("PERSON", "ORG"), ("CONTRACT", "ORG"), ("MONEY", "CONTRACT_NUMBER")])
def test_seven_hundred_mentions_in_one_sentence_are_compared_a_linear_number_of_times(
    labels: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    compared = 0

    def counting(one: str, other: str, context: Context) -> Rule | None:
        nonlocal compared
        compared += 1
        return relate(one, other, context)

    monkeypatch.setattr("docpipe.stages.graph.relations.relate", counting)
    text = "".join(f"[N{number}|{labels[number % 2]}] of " for number in range(700))
    found = related(text, RelationOptions(co_occurrence=True))
    assert compared <= 700 * RelationOptions().max_neighbours
    assert len(found) <= 2 * 700 * RelationOptions().max_neighbours


def test_names_too_far_apart_are_not_paired() -> None:
    assert related(f"[Ann|PERSON], head {'x' * 300} of [Acme|ORG]") == []
    text = "[Lease|CONTRACT] between " + "x" * 900 + " [Acme|ORG]"
    assert related(text) == []
    assert related(text, RelationOptions(max_clause=1000)) == [("Acme", "PARTY_TO", "Lease")]


WORDS = [
    "of",
    "in",
    "said",
    "killed",
    ",",
    "and",
    "chairman",
    ".",
    "between",
    "\n",
    "\t",
    "total",
    "by",
    "'s",
    "(",
]
LABELS = ["PERSON", "ORG", "LOCATION", "CONTRACT", "DATE", "MONEY", "INVOICE_NUMBER"]


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.one_of(st.sampled_from(WORDS), st.tuples(st.sampled_from("ABC"), st.sampled_from(LABELS))))
)
def test_the_evidence_of_every_edge_holds_a_mention_of_both_ends(pieces: list[str | tuple[str, str]]) -> None:
    marks = " ".join(piece if isinstance(piece, str) else f"[{piece[0]}|{piece[1]}]" for piece in pieces)
    text, mentions, entities = marked(marks)
    for one in find_relations(text, [], mentions, entities, RelationOptions(co_occurrence=True)):
        for end in (one.source, one.target):
            spans = [(mentions[i].start, mentions[i].end) for i in entities[end].mentions]
            assert any(one.evidence.start <= a and b <= one.evidence.end for a, b in spans)


def test_sentences_end_at_stops_and_blank_lines_but_not_after_abbreviations() -> None:
    text = "Mr. Doe of Acme Inc. Ltd met J. Roe at 5 p.m. today. He left!\n\nPage two. No. 7 is it."
    assert [text[start:end].strip() for start, end in sentences(text)] == [
        "Mr. Doe of Acme Inc. Ltd met J. Roe at 5 p.m. today.",
        "He left!",
        "Page two.",
        "No. 7 is it.",
    ]
