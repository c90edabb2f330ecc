from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from docpipe.graph.matching import names_of
from docpipe.models import Entity, Mention, Merge
from docpipe.stages.entities.values import value_of
from docpipe.stages.graph.resolution import compare, name_key, plain, resolve


def mentions_of(*named: tuple[str, str]) -> list[Mention]:
    return [
        Mention(
            *(index, text, label, 100 * index, 100 * index + len(text), 1, None, 1.0, "test", 0),
            value=value_of(label, text),
        )
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
        ("PERSON", "Doe, John", "John Doe"),
        ("PERSON", "Doe, Dr. John", "John Doe"),
        ("PERSON", "Jane Doe, Esq.", "Jane Doe"),
        ("PERSON", "Amold Bumett", "Arnold Burnett"),
        ("ORG", "G00gle Ireland", "Google Ireland"),
        ("ORG", "lnternational Paper", "International Paper"),
        ("ORG", "Parliament", "the Norwegian Parliament"),
        ("LOCATION", "Kingdom of Norway", "Norway"),
        ("ORG", "Northwind Traders Ltd.", "Northwind Traders Limited"),
        ("ORG", "The Northwind Traders, Inc.", "Northwind\nTraders"),
        ("ORG", "Kowalski Sp. z o.o.", "Kowalski"),
        ("ORG", "Škoda Auto a.s.", "Škoda Auto"),
        ("ORG", "North\u00adwind Traders", "Northwind Traders"),
        ("ORG", "Northwind", "Northwind Traders Ltd"),
        ("ORG", "IMF", "International Monetary Fund"),
        ("ORG", "I.M.F.", "the International Monetary Fund"),
        ("ORG", "Deutche Telekom AG", "Deutsche Telekom"),
        ("LOCATION", "U.S.", "the United States of America"),
        ("DATE", "14 March 2024", "March 14th, 2024"),
        ("DATE", "2024-03-14", "14 March\n2024"),
        ("DATE", "14.03.2024", "Thursday, 14th March 2024"),
        ("DATE", "Monday, Dec. 26, 2016", "26 December 2016"),
        ("DATE", "14. März 2024", "14 de marzo de 2024"),
        ("MONEY", "EUR 5,000", "EUR5,000"),
        ("MONEY", "$18,500.00", "USD 18,500"),
        ("MONEY", "12.450,-- €", "EUR 12,450"),
        ("MONEY", "$3.5 million", "USD 3,500,000"),
        ("PERCENT", "12,50 %", "12.5 per cent"),
        ("CASE_NUMBER", "2:19-cv-\n01234", "2:19–cv–01234"),
        ("IBAN", "DE89 3704 0044 0532 0130 00", "DE89370400440532013000"),
        ("IBAN", "de89-3704-0044-0532-0130-00", "DE89370400440532013000"),
        ("VAT_NUMBER", "GB 980 7806 84", "GB980780684"),
        ("PHONE", "+44 20 7946 0958", "+44-20-7946-0958"),
        ("PHONE", "+44 (0)20 7946 0958", "0044 20 7946 0958"),
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
        ("PERSON", "Charles", "Charles II"),
        ("ORG", "Barry University", "Barry University School of Medicine"),
        ("ORG", "Catholic Church", "Catholic Church in the Maldives"),
        ("LOCATION", "China", "Republic of China"),
        ("LOCATION", "Germany", "German"),
        ("LOCATION", "Kyoto Imperial Palace", "Tokyo Imperial Palace"),
        ("LOCATION", "York", "New York"),
        ("ORG", "Fund 2019 Holdings", "Fund 2020 Holdings"),
        ("ORG", "Bank of Utah", "Utah"),
        ("DATE", "14 March 2024", "14 March 2025"),
        ("DATE", "03/04/2024", "04/03/2024"),
        ("DATE", "March 2024", "14 March 2024"),
        ("DATE", "1970s", "mid-1970s"),
        ("DATE", "7 listopada 2024", "7. listopada 2024"),
        ("MONEY", "USD 1,000.00", "USD 1,000.01"),
        ("MONEY", "$300.00", "-$300.00"),
        ("MONEY", "500 SEK", "500 kr"),
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
        Entity(
            0, "Jane Doe", "PERSON", (0, 2, 3, 4), (Merge("part", 0.8, (0, 3)), Merge("form", 0.98, (2, 3)))
        ),
        Entity(1, "Acme Ltd", "ORG", (1, 5), (Merge("form", 0.98, (1, 5)),)),
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


def in_text(text: str, label: str, *names: str) -> tuple[Entity, ...]:
    """Resolve the first places of `names` in `text`."""
    mentions, end = [], 0
    for index, name in enumerate(names):
        start = text.index(name, end)
        end = start + len(name)
        mentions.append(Mention(index, name, label, start, end, 1, None, 1.0, "test", 0))
    return resolve(mentions, text)


@pytest.mark.parametrize(
    ("text", "label", "one", "other", "rule"),
    [
        ("The Latin School of Medicine (ELAM) is", "ORG", "Latin School of Medicine", "ELAM", None),
        ("by IBM Research Labs (IBMRL) in", "ORG", "IBM Research Labs", "IBMRL", "defined"),
        ("the Northern Police (BPP), Thai", "ORG", "Northern Police", "BPP", None),
        ('the TRL ("Tokyo Research Laboratory") and', "ORG", "TRL", "Tokyo Research Laboratory", "defined"),
        ("the TRL (Tokyo Research Laboratory) and", "ORG", "TRL", "Tokyo Research Laboratory", "defined"),
        ("of Oslo, formerly known as Kristiania, and", "LOCATION", "Oslo", "Kristiania", "known as"),
        ("Nikos Aliagas (Greek: Aliágas Níkos) is", "PERSON", "Nikos Aliagas", "Aliágas Níkos", "known as"),
        ("of Paris (France) and", "LOCATION", "Paris", "France", None),
        ("of Paris, Lyon and", "LOCATION", "Paris", "Lyon", None),
    ],
)
def test_the_text_says_that_two_names_are_one(
    text: str, label: str, one: str, other: str, rule: str | None
) -> None:
    merges = [merge.rule for entity in in_text(text, label, one, other) for merge in entity.merges]
    assert merges == ([rule] if rule else [])


def test_a_name_joins_through_shorter_and_shorter_forms() -> None:
    assert same("PERSON", "Angell", "Henrik Angell", "Henrik August Angell")


@pytest.mark.parametrize(
    ("label", "one", "other", "rule"),
    [
        ("PERSON", "Dr. Jane Doe", "JANE DOE", "form"),
        ("PERSON", "Amold", "Arnold", "ocr"),
        ("PERSON", "Katherine Johnson", "Kathrine Johnson", "spelling"),
        ("PERSON", "J. Doe", "Jane Doe", "initials"),
        ("ORG", "IMF", "International Monetary Fund", "acronym"),
        ("PERSON", "Doe", "Jane Doe", None),
        ("DATE", "14 March 2024", "14 March 2025", None),
    ],
)
def test_two_names_alone_are_compared_by_rule_and_score_either_way(
    label: str, one: str, other: str, rule: str | None
) -> None:
    found = compare(label, one, other)
    assert found == compare(label, other, one) == compare(label, name_key(label, one), name_key(label, other))
    assert (found.rule if found else None) == rule
    assert found is None or 0 < found.score <= 1


SPELLINGS = [
    *NAMES,
    "Acme Ltd",
    "ACME",
    "Doe, Ann",
    "Ann Doe",
    "Ann B. Doe",
    "I.M.F.",
    "Lee Works (LW)",
    "LW",
]


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(SPELLINGS), st.sampled_from(["PERSON", "ORG", "LOCATION"])), max_size=14
    )
)
def test_every_merge_keeps_its_evidence(named: list[tuple[str, str]]) -> None:
    mentions = mentions_of(*named)
    for entity in resolve(mentions, " (".join(name for name, _ in named)):
        spellings = {mentions[index].text for index in entity.mentions}
        joined = {mentions[entity.mentions[0]].text}
        for _ in entity.merges:
            for merge in entity.merges:
                pair = {mentions[index].text for index in merge.mentions}
                joined |= pair if pair & joined else set()
        assert len(entity.merges) == len(spellings) - 1
        assert joined == spellings


def test_dates_of_two_documents_share_their_key_whatever_their_form() -> None:
    keys = []
    for document, text in (("a", "14.03.2024"), ("b", "Thursday, 14th March 2024")):
        mentions = mentions_of((text, "DATE"))
        keys += [name.key for name in names_of(document, resolve(mentions), mentions)]
    assert keys == ["DATE 2024-03-14", "DATE 2024-03-14"]


def test_a_value_that_is_open_is_named_by_its_text() -> None:
    mentions = mentions_of(("03/04/2024", "DATE"))
    assert [name.key for name in names_of("a", resolve(mentions), mentions)] == ["DATE 03/04/2024"]


VALUES = st.sampled_from(
    [
        ("DATE", "14.03.2024"), ("DATE", "14 March 2024"), ("DATE", "15 March 2024"), ("DATE", "March 2024"),
        ("DATE", "03/04/2024"), ("MONEY", "$5"), ("MONEY", "USD 5.00"), ("MONEY", "5 €"), ("MONEY", "$5.01"),
    ]
)  # fmt: skip


@given(st.lists(VALUES, min_size=1, max_size=12))
def test_equal_values_are_one_entity_and_different_ones_two(named: list[tuple[str, str]]) -> None:
    mentions = mentions_of(*((text, label) for label, text in named))
    entity_of = {index: entity.index for entity in resolve(mentions) for index in entity.mentions}
    for one in mentions:
        for other in mentions:
            same = (one.label, one.value or one.text) == (other.label, other.value or other.text)
            assert same == (entity_of[one.index] == entity_of[other.index])


def placed(text: str, *named: tuple[str, str]) -> list[Mention]:
    places = []
    start = 0
    for name, _ in named:
        start = text.index(name, start)
        places.append((start, start + len(name)))
        start += len(name)
    return [
        Mention(*(i, name, label, *places[i], 1, None, 1.0, "test", 0), value=value_of(label, name))
        for i, (name, label) in enumerate(named)
    ]


@pytest.mark.parametrize("shared", ["DE89 3704 0044 0532 0130 00", "office@northwind.example"])
@pytest.mark.parametrize("one_too", [True, False])
def test_nearly_equal_companies_with_one_account_or_address_are_one(shared: str, one_too: bool) -> None:
    label = "EMAIL" if "@" in shared else "IBAN"
    first = shared if one_too else "GB29NWBK60161331926819"
    text = f"Northwind Trader Ltd, {first}.\nNorthwind Traders Ltd., {shared}."
    mentions = placed(
        text,
        ("Northwind Trader Ltd", "ORG"),
        (first, label if one_too else "IBAN"),
        ("Northwind Traders Ltd.", "ORG"),
        (shared, label),
    )
    companies = [entity for entity in resolve(mentions, text) if entity.label == "ORG"]
    assert [[merge.rule for merge in entity.merges] for entity in companies] == (
        [["shared"]] if one_too else [[], []]
    )


def test_a_shared_address_joins_nearly_equal_companies_only() -> None:
    text = (
        "Northwind Trader Ltd, 12 Harbour Road, Bristol\nNorthwind Traders Ltd., 12 Harbour Road, Bristol\n"
        "Calder & Sons LLP, 12 Harbour Road, Bristol"
    )
    names = ("Northwind Trader Ltd", "Northwind Traders Ltd.", "Calder & Sons LLP")
    entities = resolve(placed(text, *((name, "ORG") for name in names)), text)
    assert [entity.mentions for entity in entities] == [(0, 1), (2,)]


@pytest.mark.parametrize(
    ("text", "value", "name"),
    [
        ("eighteen (18)\nmonths", "P18M", "18 months"),
        ("one-year", "P1Y", "1 year"),
        ("second (2nd) anniversary", "P2Y", "2 years"),
        ("deux (2) ans", "P2Y", "2 ans"),
        ("May 3, 2024", "2024-05-03", "May 3, 2024"),
    ],
)
def test_a_length_of_time_is_named_in_figures(text: str, value: str, name: str) -> None:
    mention = Mention(0, text, "DATE", 0, len(text), 1, None, 1.0, "pattern", 0, value)
    assert [entity.name for entity in resolve([mention])] == [name]


def test_a_name_is_shown_without_soft_hyphens() -> None:
    (entity,) = resolve(mentions_of(("North\u00adwind Traders", "ORG")))
    assert entity.name == "Northwind Traders"
