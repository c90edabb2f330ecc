"""Strings that leave a reader can be stored anywhere."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from docpipe.formats.clean import clean, clean_label, clean_line


def test_controls_go_and_line_ends_become_one_kind() -> None:
    assert clean("a\0b\x1b c\r\nd\re\tf\x85g\ud800h\x7f") == "ab c\nd\ne\tf\ng\ufffdh"


def test_c1_controls_are_the_letters_of_windows_that_they_were() -> None:
    assert clean("Control\x97Integrated, the \x93Code\x94, Weber\x92s \x80 1\x85") == (
        "Control—Integrated, the “Code”, Weber’s € 1…"
    )


def test_nothing_that_parts_two_words_is_dropped() -> None:
    assert clean("two\x1ewords\x81here, a\u2028line\u2029more\x02.") == "two words here, a\nline\nmore."


def test_what_tells_a_terminal_or_a_machine_something_goes() -> None:
    assert clean("\x1b[1mBill\x1b[0m of \x1b[31;1m14 May\x1b[0m\x1b[K") == "Bill of 14 May"
    assert clean("\ufeffone\n\ufefftwo") == "one\ntwo"


def test_a_line_stays_one_line() -> None:
    assert clean_line("a\r\nb\nc") == "a b c"


@given(st.text(st.characters(exclude_categories=())))
def test_clean_text_encodes_holds_no_controls_and_stays_as_it_is(text: str) -> None:
    cleaned = clean(text)
    cleaned.encode("utf-8")
    assert not any(ord(c) < 32 and c not in "\t\n" for c in cleaned)
    assert not any(0x7F <= ord(c) <= 0x9F for c in cleaned)
    assert clean(cleaned) == cleaned


def test_a_label_is_no_path_and_reads_in_one_direction() -> None:
    names = ["../../etc/passwd", "C:\\x\\a.pdf", "a\0b.pdf", "x\u202efdp.exe", "..", "dir/", "x" * 300]
    labels = [clean_label(name, "attachment") for name in names]
    assert labels[:6] == ["passwd", "a.pdf", "ab.pdf", "xfdp.exe", "attachment", "attachment"]
    assert len(labels[6]) == 120
