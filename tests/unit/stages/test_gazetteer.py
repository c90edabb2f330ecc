from __future__ import annotations

from docpipe.stages.entities.gazetteer import Gazetteer


def found(text: str, *entries: tuple[str, str]) -> list[tuple[str, str]]:
    return [(text[span.start : span.end], span.label) for span in Gazetteer(entries).find(text)]


def test_names_are_found_as_whole_words_as_written_or_in_capitals() -> None:
    entries = ("Acme Holdings", "ORG"), ("Ness", "LOCATION")
    text = "Acme Holdings, ACME HOLDINGS, acme holdings, Acme Holdingson, Loch Ness, happiness"
    assert found(text, *entries) == [
        ("Acme Holdings", "ORG"),
        ("ACME HOLDINGS", "ORG"),
        ("Ness", "LOCATION"),
    ]


def test_the_longer_of_two_names_is_found() -> None:
    assert found("by Acme Holdings plc", ("Acme", "ORG"), ("Acme Holdings", "BRAND")) == [
        ("Acme Holdings", "BRAND")
    ]


def test_names_may_begin_and_end_with_signs() -> None:
    assert found("(“Yahoo!”) .NET", ("Yahoo!", "ORG"), (".NET", "PRODUCT")) == [
        ("Yahoo!", "ORG"),
        (".NET", "PRODUCT"),
    ]


def test_the_last_label_holds_and_names_without_letters_are_left_out() -> None:
    assert found("Acme ---", ("Acme", "ORG"), ("Acme", "BRAND"), ("---", "X")) == [("Acme", "BRAND")]
