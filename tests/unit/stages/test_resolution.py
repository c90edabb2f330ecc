from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from docpipe.models import Entity, Mention
from docpipe.stages.resolution import plain, resolve


def mentions_of(*named: tuple[str, str]) -> list[Mention]:
    return [
        Mention(index, text, label, 100 * index, 100 * index + len(text), 1, None, 1.0, "test", 0)
        for index, (text, label) in enumerate(named)
    ]


def same(label: str, *texts: str) -> bool:
    return len(resolve(mentions_of(*((text, label) for text in texts)))) == 1


@pytest.mark.parametrize(
    ("label", "one", "other"),
    [
        ("PERSON", "Dr. Jane Doe", "JANE DOE’s"),
        ("PERSON", "Doe", "Jane Doe"),
        ("PERSON", "Mr. Doe", "Jane Mary Doe"),
        ("PERSON", "J. H. Dearle", "John Henry Dearle"),
        ("PERSON", "Zoë Müller", "Zoe Muller"),
        ("PERSON", "Katherine Johnson", "Kathrine Johnson"),
        ("ORG", "Northwind Traders Ltd.", "Northwind Traders Limited"),
        ("ORG", "The Northwind Traders, Inc.", "Northwind\nTraders"),
        ("ORG", "Northwind", "Northwind Traders Ltd"),
        ("ORG", "IMF", "International Monetary Fund"),
        ("ORG", "I.M.F.", "the International Monetary Fund"),
        ("ORG", "Deutche Telekom AG", "Deutsche Telekom"),
        ("LOCATION", "U.S.", "the United States of America"),
        ("DATE", "14 March 2024", "March 14th, 2024"),
        ("DATE", "2024-03-14", "14 March\n2024"),
        ("MONEY", "EUR 5,000", "EUR5,000"),
        ("IBAN", "DE89 3704 0044 0532 0130 00", "DE89370400440532013000"),
        ("PHONE", "+44 20 7946 0958", "+44-20-7946-0958"),
        ("EMAIL", "Ann@X.org", "ann@x.org"),
    ],
)
def test_two_forms_of_one_name_are_one_entity(label: str, one: str, other: str) -> None:
    assert same(label, one, other)


@pytest.mark.parametrize(
    ("label", "one", "other"),
    [
        ("PERSON", "John Doe", "Jane Doe"),
        ("PERSON", "J. Smith", "Mary Smith"),
        ("LOCATION", "Germany", "German"),
        ("LOCATION", "Kyoto Imperial Palace", "Tokyo Imperial Palace"),
        ("LOCATION", "York", "New York"),
        ("ORG", "Fund 2019 Holdings", "Fund 2020 Holdings"),
        ("ORG", "Bank of Utah", "Utah"),
        ("DATE", "14 March 2024", "14 March 2025"),
        ("DATE", "03/04/2024", "04/03/2024"),
        ("DATE", "March 2024", "14 March 2024"),
        ("MONEY", "USD 1,000.00", "USD 1,000.01"),
        ("EMAIL", "anna@example.org", "anne@example.org"),
        ("CONTRACT_NUMBER", "AB-2024-117", "AB-2024-118"),
    ],
)
def test_two_names_stay_two_entities(label: str, one: str, other: str) -> None:
    assert not same(label, one, other)


def test_a_short_name_with_two_hosts_joins_neither() -> None:
    entities = resolve(mentions_of(("John Doe", "PERSON"), ("Doe", "PERSON"), ("Jane Doe", "PERSON")))
    assert [entity.mentions for entity in entities] == [(0,), (1,), (2,)]


def test_a_short_name_joins_two_spellings_of_one_host() -> None:
    assert same("PERSON", "Dearle", "J. H. Dearle", "John Henry Dearle")


def test_labels_keep_names_apart() -> None:
    assert len(resolve(mentions_of(("Washington", "PERSON"), ("Washington", "LOCATION")))) == 2


def test_an_entity_has_the_fullest_then_commonest_spelling_and_its_mentions_in_order() -> None:
    named = [("Doe", "PERSON"), ("ACME LTD", "ORG"), ("Dr. Jane Doe", "PERSON"), ("Jane Doe", "PERSON")]
    assert resolve(mentions_of(*named, ("Jane Doe", "PERSON"), ("Acme Ltd", "ORG"))) == (
        Entity(0, "Jane Doe", "PERSON", (0, 2, 3, 4)),
        Entity(1, "Acme Ltd", "ORG", (1, 5)),
    )


def test_no_mentions_are_no_entities() -> None:
    assert resolve([]) == ()


def test_plain_text_has_no_case_accent_article_or_punctuation() -> None:
    assert plain("The  Café-Bar’s, O'Neil & Söhne") == "cafe bar o neil sohne"


NAMES = [
    "Ann Lee",
    "Lee",
    "A. Lee",
    "Anne Lee",
    "Dr. Lee",
    "Bob Lee",
    "IMF",
    "International Monetary Fund",
    "Acme",
]


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([*NAMES, "Acme Ltd", "Acme Bank", "...", "’s"]),
            st.sampled_from(["PERSON", "ORG"]),
        ),
        max_size=14,
    ),
    st.randoms(),
)
def test_the_grouping_does_not_depend_on_the_order(named: list[tuple[str, str]], random: object) -> None:
    mentions = mentions_of(*named)
    shuffled = list(mentions)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert resolve(shuffled) == resolve(mentions)
    renamed = mentions_of(*sorted(named))
    groups = {frozenset((mentions[i].text, mentions[i].label) for i in e.mentions) for e in resolve(mentions)}
    assert groups == {
        frozenset((renamed[i].text, renamed[i].label) for i in e.mentions) for e in resolve(renamed)
    }


def test_every_mention_belongs_to_exactly_one_entity() -> None:
    mentions = mentions_of(*((name, "ORG") for name in NAMES))
    assert sorted(index for entity in resolve(mentions) for index in entity.mentions) == list(
        range(len(NAMES))
    )
