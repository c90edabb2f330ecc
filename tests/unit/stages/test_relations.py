from __future__ import annotations

import pytest

from docpipe.models import Entity, Evidence, Mention, Method, Page, Relation
from docpipe.stages.relations import RelationOptions, find_relations, sentences


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
        ("[Oslo|LOCATION], said [Ann|PERSON].", None),
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
        Relation("WORK_FOR", 0, 1, Evidence(5, 22, 2), 0.7),
    )
    assert text[5:22] == "Ann, head of Acme"


def test_a_relation_said_twice_comes_once_with_its_best_evidence() -> None:
    text, mentions, entities = marked(
        "[Acme|ORG] [Ann|PERSON] sat. [Ann|PERSON] is head of [Acme|ORG]. [Ann|PERSON], head of [Acme|ORG]."
    )
    (relation,) = find_relations(text, [], mentions, entities)
    assert text[relation.evidence.start : relation.evidence.end] == "Ann is head of Acme"


def test_a_list_of_very_many_names_gives_no_pairs() -> None:
    names = " ".join(f"[Ann{i}|PERSON] killed" for i in range(20))
    assert related(names, RelationOptions(max_mentions=19)) == []
    assert len(related(names, RelationOptions(max_mentions=20))) > 19


def test_names_too_far_apart_are_not_paired() -> None:
    text = "[Lease|CONTRACT] between " + "x" * 300 + " [Acme|ORG]"
    assert related(text) == []
    assert related(text, RelationOptions(max_distance=400)) == [("Acme", "PARTY_TO", "Lease")]


def test_sentences_end_at_stops_and_blank_lines_but_not_after_abbreviations() -> None:
    text = "Mr. Doe of Acme Inc. Ltd met J. Roe at 5 p.m. today. He left!\n\nPage two. No. 7 is it."
    assert [text[start:end].strip() for start, end in sentences(text)] == [
        "Mr. Doe of Acme Inc. Ltd met J. Roe at 5 p.m. today.",
        "He left!",
        "Page two.",
        "No. 7 is it.",
    ]
