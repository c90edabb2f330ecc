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
    assert [line.split() for line in lines] == [["a", "b"], ["c", "d"]]


def test_the_declared_charset_is_used() -> None:
    lines, metadata = read("<html><meta charset='windows-1251'><p>Договор".encode("cp1251"))
    assert lines == ["Договор"]
    assert metadata["charset"] == "cp1251"


def test_numeric_entities_cannot_bring_controls_in() -> None:
    lines, _ = read(b"<!doctype html><p>a&#0;b&#xD800;c&#x1b;d")
    assert lines == ["a\ufffdb\ufffdcd"]
