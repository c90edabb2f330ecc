"""HTML: what a reader would see."""

from __future__ import annotations

from base64 import b64encode
from io import BytesIO

import pytest
from PIL import Image

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


@pytest.mark.parametrize(
    "style",
    [
        "height:0; overflow:hidden",
        "width: 0px;overflow: hidden",
        "clip-path:inset(100%)",
        "clip-path: inset(50% 50% 50% 50%)",
        "position:absolute;clip:rect(0,0,0,0)",
        "position:absolute; clip: rect(1px, 1px, 1px, 1px)",
        "color:#fff;background:#fff",
        "background-color: White; color: white",
        "color:#FFFFFF",
        "color:rgb(255, 255, 255)",
        "color:transparent",
    ],
)
def test_words_that_a_style_hides_by_size_clip_or_colour_are_left_out(style: str) -> None:
    lines, _ = read(f"<!doctype html><p style='{style}'>unseen<p>seen".encode())
    assert lines == ["seen"]


@pytest.mark.parametrize(
    "markup",
    [
        "<p style='height:0'>seen",
        "<p style='line-height:0.9;overflow:hidden'>seen",
        "<p style='clip-path:inset(5px)'>seen",
        "<p style='color:#fff;background:#003'>seen",
        "<div style='background:navy'><p style='color:#fff'>seen</p></div>",
        "<table bgcolor=navy><tr><td><font style='color:white'>seen</font></table>",
        "<style>body{background:#111}</style><p style='color:white'>seen",
        "<p style='border-color:white'>seen",
    ],
)
def test_words_in_white_on_a_colour_and_those_that_hang_out_of_their_box_are_seen(markup: str) -> None:
    assert read(f"<!doctype html>{markup}".encode())[0] == ["seen"]


def test_marks_that_a_style_raises_stand_apart_from_their_number() -> None:
    lines, _ = read(
        "<!doctype html><meta charset=utf-8><p>1.200,00 €<span style='vertical-align:super'>3</span>"
        " for 120 m"
        "<span style='font-size:60%; vertical-align: super'>2</span>, H"
        "<span style='vertical-align:sub'>2</span>O".encode()
    )
    assert lines == ["1.200,00 € ³ for 120 m², H₂O"]


def test_what_is_typed_into_a_field_for_a_password_is_not_shown() -> None:
    assert read(b"<!doctype html><p>Key <input type=password value=secret> given")[0] == ["Key given"]


def test_a_picture_inside_the_page_is_a_page_of_its_own_and_a_logo_is_none() -> None:
    def source(width: int, height: int) -> str:
        buffer = BytesIO()
        Image.new("L", (width, height), 255).save(buffer, "PNG")
        return f"<img src='data:image/png;base64,{b64encode(buffer.getvalue()).decode()}'>"

    markup = f"<!doctype html><p>Above{source(400, 300)}{source(20, 20)}<img src='https://a.example/b.png'>"
    reader = open_document(markup.encode(), "page.html")
    pages = list(reader.pages())
    reader.close()
    assert [page.image is not None for page in pages] == [False, True]
    assert reader.warnings == []


def test_a_picture_inside_the_page_that_is_broken_costs_itself() -> None:
    reader = open_document(
        b"<!doctype html><p>Above<img src='data:image/png;base64,iVBORw0KGgoAAAA'>", "a.html"
    )
    assert [line.text for page in reader.pages() for line in page.lines] == ["Above"]
    assert [warn.code for warn in reader.warnings] == ["attachment_corrupt"]
