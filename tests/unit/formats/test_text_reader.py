"""Plain text: charsets and pages."""

from __future__ import annotations

import pytest

from docpipe.formats import open_document
from docpipe.formats.base import Limits
from docpipe.formats.charset import safe_charset
from docpipe.formats.text import decode

GERMAN = "Der Käufer überweist die Größe des Betrags in Zürich. " * 20


def page_texts(data: bytes, name: str = "a.txt", limits: Limits | None = None) -> list[list[str]]:
    reader = open_document(data, name, limits or Limits())
    return [[line.text for line in page.lines] for page in reader.pages()]


@pytest.mark.parametrize(
    "charset",
    ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be", "cp1252"],
)
def test_german_is_read_in_every_charset(charset: str) -> None:
    decoded = decode(GERMAN.encode(charset))
    assert (decoded.text, decoded.certain) == (GERMAN, True)


def test_japanese_escapes_are_not_taken_for_ascii() -> None:
    assert decode("契約書".encode("iso2022_jp")).text == "契約書"


def test_names_that_begin_with_letters_beyond_ascii_are_latin() -> None:
    text = 'name,town\r\n"Sørensen, Åse",Århus\r\n'
    assert decode(text.encode("cp1252")).text == text


def test_chinese_between_marks_is_not_taken_for_ascii() -> None:
    assert decode("合同编号 2024".encode("hz")).text == "合同编号 2024"
    assert decode(b"if x ~{ab~} then").text == "if x ~{ab~} then"


def test_terminal_colours_are_not_taken_for_japanese() -> None:
    assert decode(b"\x1b[31mred\x1b[0m").text == "\x1b[31mred\x1b[0m"


def test_a_declared_charset_is_used_when_it_is_safe_and_fits() -> None:
    assert decode("Größe".encode("cp850"), "cp850").text == "Größe"
    assert decode("Größe".encode(), "utf-16").text == "Größe"
    assert decode(rb"\u0000", "unicode_escape").text == r"\u0000"


@pytest.mark.parametrize(
    "name", ["unicode_escape", "rot13", "utf-7", "idna", "undefined", "nonsense", "", "a\0b", None]
)
def test_charsets_that_run_escapes_or_do_not_exist_are_refused(name: str | None) -> None:
    assert safe_charset(name) is None


def test_a_guess_that_may_be_wrong_is_a_warning() -> None:
    reader = open_document(b"caf\xe9 4770", "a.txt")
    assert [line.text for page in reader.pages() for line in page.lines] == ["café 4770"]
    assert [warn.code for warn in reader.warnings] == ["charset_guessed"]


def test_form_feeds_start_pages_and_blank_lines_stay_single() -> None:
    assert page_texts(b"\n\none\r\n\r\n\r\ntwo  \n\fthree\n\f") == [["one", "", "two"], ["three"]]


def test_a_long_text_is_cut_into_pages_between_lines() -> None:
    limits = Limits(max_page_characters=10)
    assert page_texts(b"aaaa\nbbbb\ncccc\n" + b"d" * 25, limits=limits) == [
        ["aaaa", "bbbb"],
        ["cccc"],
        ["d" * 10],
        ["d" * 10],
        ["d" * 5],
    ]


def test_markdown_is_read_as_it_is_written() -> None:
    assert page_texts(b"# Title\n\n* item\n", "a.md") == [["# Title", "", "* item"]]


def test_blank_text_gives_one_empty_page() -> None:
    assert page_texts(b" \n\n ") == [[]]


def test_a_charset_of_one_byte_is_believed_only_where_utf8_does_not_fit() -> None:
    assert [decode("Größe €".encode(), name).text for name in ("us-ascii", "latin-1", "cp1251", None)] == (
        ["Größe €"] * 4
    )
    assert decode("Größe".encode("latin-1"), "latin-1").text == "Größe"


def test_a_few_bytes_that_are_not_utf8_cost_themselves_only() -> None:
    decoded = decode("Größe Müller".encode() + b" Stra\xdfe, gr\xc3")
    assert (decoded.text, decoded.charset, decoded.certain) == (
        "Größe Müller Straße, gr\ufffd",
        "utf-8",
        False,
    )
    assert [warn.message for warn in decoded.warnings()] == [
        "2 byte(s) are not utf-8; their letters may be wrong."
    ]


@pytest.mark.parametrize("text", ["Größe Müller Straße", "déjà reçu à la mairie"])
@pytest.mark.parametrize("charset", ["cp850", "cp1252"])
def test_a_short_latin_text_is_not_taken_for_another_alphabet(text: str, charset: str) -> None:
    decoded = decode((text + "\n").encode(charset))
    assert (decoded.text, decoded.certain) == (text + "\n", False)


@pytest.mark.parametrize("charset", ["iso8859-2", "cp1250"])
def test_polish_is_read_in_both_of_its_charsets(charset: str) -> None:
    text = "Umowa z dnia 7 czerwca między Łódzką Hutą a Śląskim Źródłem: 8 730,50 zł, żądanie zapłaty.\n"
    assert decode((text * 3).encode(charset)).text == text * 3


@pytest.mark.parametrize("charset", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize(
    "text",
    [
        "乙は鉄橋運輸株式会社とする。\n代金は1,250,000円",
        "합의서 갑은 회사이다.\n1,250원",
        "Договор 12 на поставку",
    ],
)
def test_utf16_without_a_mark_is_read_in_any_script(text: str, charset: str) -> None:
    assert page_texts(text.encode(charset)) == [text.split("\n")]


def test_a_text_with_a_few_control_characters_is_text() -> None:
    assert page_texts(b"\x01Pay\x02\x03") == [["Pay"]]


RUSSIAN = "Договор поставки от 12 июня 2024 года, цена 12 450,00 рублей."
POLISH = "Umowa z dnia 7 czerwca między Łódzką Hutą a Źródłem: 8 730,50."


@pytest.mark.parametrize(
    ("text", "charsets"),
    [
        (RUSSIAN, "cp866 cp855 cp1251 koi8-r iso8859-5 mac-cyrillic"),
        ("Σύμβαση προμήθειας ξυλείας της 12ης Ιουνίου 2024.", "cp737 cp869 cp1253 iso8859-7 mac-greek"),
        ("הסכם אספקת עצים מיום 12 ביוני 2024, תל אביב.", "cp862 cp1255"),
        (POLISH, "cp852 cp1250 iso8859-2 mac-latin2"),
        ("Kereste sözleşmesi, otuz gün içinde ödeyecektir.", "cp857 cp1254 mac-turkish"),
        ("Der Käufer zahlt dreißig Tage nach der Übergabe in Köln.", "cp437 cp850 cp1252 mac-roman"),
        ("عقد توريد الخشب المؤرخ في 12 يونيو 2024 في القاهرة", "cp1256 iso8859-6"),
    ],
)
def test_a_text_that_does_not_declare_its_charset_is_read(text: str, charsets: str) -> None:
    read = {name: decode(text.encode(name)).text for name in charsets.split()}
    assert read == dict.fromkeys(charsets.split(), text)


def test_a_text_that_is_filled_up_with_nul_is_a_text() -> None:
    assert page_texts(b"The price is EUR 5.\n" + b"\0" * 600) == [["The price is EUR 5."]]


def test_a_next_line_between_two_words_is_a_line_end_and_an_ellipsis_is_none() -> None:
    assert page_texts(b"price EUR 5\x85due in June") == [["price EUR 5", "due in June"]]
    assert page_texts(b"wait\x85 then pay\n") == [["wait… then pay"]]


@pytest.mark.parametrize("text", ["Board—The Board agrees", "wait… then pay", "don’t do “that”", "schön"])
def test_a_short_text_with_signs_of_windows_is_in_its_charset(text: str) -> None:
    assert decode(text.encode("cp1252")).text == text


def test_a_sign_of_currency_that_nobody_writes_is_the_euro_of_latin_9() -> None:
    decoded = decode("Die Gebühr beträgt 1.200,50 € für die Größe, oder € 300.\n".encode("iso8859-15"))
    assert decoded.text == "Die Gebühr beträgt 1.200,50 € für die Größe, oder € 300.\n"
