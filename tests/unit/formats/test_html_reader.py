"""HTML: what a reader would see."""

from __future__ import annotations

from docpipe.formats import open_document


def read(markup: bytes) -> tuple[list[str], dict[str, str]]:
    reader = open_document(markup, "page.html")
    return [line.text for page in reader.pages() for line in page.lines if line.text], reader.metadata


def test_only_visible_text_is_read() -> None:
    lines, metadata = read(
        b"<!doctype html><html><head><title>The \n title</title><style>p{}</style></head><body>"
        b"<p>One &amp; <b>two</b></p><script>bad()</script><template>bad</template>"
        b"<div style='color:red; DISPLAY:none'>bad</div><div style='display: none'>bad</div>"
        b"<p hidden>bad</p><p style='visibility:hidden'>bad</p><!-- bad --><p>three</p></body></html>"
    )
    assert lines == ["One & two", "three"]
    assert metadata == {"charset": "utf-8", "title": "The title"}


def test_cells_of_a_row_share_a_line() -> None:
    lines, _ = read(
        b"<!doctype html><table><tr><td>a</td><td>b</td></tr><tr><td>c</td><td>d</td></tr></table>"
    )
    assert lines == ["a\tb", "c\td"]


def test_cells_whose_words_stand_in_a_paragraph_share_a_line_too_and_empty_ones_keep_their_place() -> None:
    lines, _ = read(
        b"<!doctype html><table><tr><td><p>Net <b>sum</b></p><td></td><td><div>EUR 5</div></table>"
    )
    assert lines == ["Net sum\t\tEUR 5"]


def test_the_words_of_a_drawing_are_read() -> None:
    lines, _ = read(
        b"<!doctype html><p>Sales <svg><path d='M0 0'/><text>in 2024</text><text>EUR 5</text></svg></p>"
    )
    assert [" ".join(line.split()) for line in lines] == ["Sales in 2024 EUR 5"]


def test_the_declared_charset_is_used() -> None:
    lines, metadata = read("<html><meta charset='windows-1251'><p>Договор".encode("cp1251"))
    assert lines == ["Договор"]
    assert metadata["charset"] == "cp1251"


def test_numeric_entities_cannot_bring_controls_in() -> None:
    lines, _ = read(b"<!doctype html><p>a&#0;b&#xD800;c&#x1b;d")
    assert lines == ["a\ufffdb\ufffdc d"]


def test_items_of_ordered_lists_have_the_labels_a_browser_shows() -> None:
    markup = (
        b"<!doctype html><ol><li>One<ol type=a><li>Buy</li><li><p>Seller</p></li></ol></li><li>Two</li></ol>"
        b"<ol start=7><li>Seven</li><li value=12>Twelve</li></ol>"
        b"<ol type=I reversed><li>b</li><li>a</li></ol>"
    )
    lines, _ = read(markup)
    assert [line.strip() for line in lines if line.strip()] == (
        ["1. One", "a. Buy", "b. Seller", "2. Two", "7. Seven", "12. Twelve", "II. b", "I. a"]
    )


def test_raised_marks_are_apart_from_the_numbers_they_stand_on() -> None:
    lines, _ = read(
        b"<!doctype html><p>EUR 1,200<sup>3</sup> for m<sup>2</sup>, the 1<sup>st</sup>CO<sub>2</sub>"
    )
    assert lines == ["EUR 1,200 ³ for m², the 1stCO₂"]


def test_fields_show_what_is_in_them() -> None:
    lines, _ = read(
        b"<!doctype html><p><textarea>typed</textarea><input value=field><input type=checkbox checked>yes"
        b"<input type=radio>no<select><option>one<option selected>two</select><input type=hidden value=token>"
    )
    assert [" ".join(line.split()) for line in lines] == ["typed field ☒ yes ☐ no two"]


def test_what_style_sheets_hide_is_not_read() -> None:
    lines, _ = read(
        b"<!doctype html><style>.h, #i { color: red; display : none }</style><p class=h>a<p id=i>b"
        b"<p style='Visibility : hidden'>c<p style='font-size:0'>d<p style='font-size:0.9em'>seen"
        b"<p style='position:absolute; left:-9999px'>e<p style='max-height:0;overflow:hidden'>f"
        b"<p style='left:-5px'>too"
        b"<p style='opacity:0'>e"
    )
    assert lines == ["seen", "too"]


def test_a_declared_charset_of_one_byte_gives_way_to_utf8() -> None:
    lines, _ = read("<!doctype html><meta charset=iso-8859-1><p>Jürgen zahlt 5 €".encode())
    assert lines == ["Jürgen zahlt 5 €"]


def test_the_words_of_a_figure_are_read_unless_it_is_hidden() -> None:
    lines, _ = read(
        b"<p>a<figure><img src=x><figcaption>Fig. 1: <b>Old</b> mill</figcaption></figure>"
        b"<figure><table><tr><td>x<td>y</table><figure>inner</figure></figure>"
        b"<figure style='display:none'>gone</figure>"
    )
    assert [line for line in lines if line] == ["a", "Fig. 1: Old mill", "x\ty", "inner"]
