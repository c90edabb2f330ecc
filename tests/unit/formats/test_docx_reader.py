"""DOCX: everything a reader of the printed document would read, once, in order."""

from __future__ import annotations

import zipfile
from io import BytesIO
from pathlib import Path

import docx
import pytest
from docx.enum.text import WD_BREAK
from PIL import Image

from docpipe.errors import (
    CorruptDocumentError,
    EncryptedDocumentError,
    ExpansionLimitError,
    TooDeepError,
    TooManyPartsError,
)
from docpipe.formats import open_document
from docpipe.formats.base import Limits

W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
STRICT = 'xmlns:w="http://purl.oclc.org/ooxml/wordprocessingml/main"'
MC = 'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
R = 'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'
RELS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
TYPES = '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>'


def relations(**links: str) -> str:
    """`kind_1="target"` links to a part."""
    items = "".join(
        f'<Relationship Id="{key}" Type="{RELS}/{key.partition("_")[0]}" Target="{target}"/>'
        for key, target in links.items()
    )
    namespace = "http://schemas.openxmlformats.org/package/2006/relationships"
    return f'<Relationships xmlns="{namespace}">{items}</Relationships>'


def package(
    body: str, parts: dict[str, str | bytes] | None = None, namespace: str = W, **links: str
) -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", TYPES)
        archive.writestr("_rels/.rels", relations(officeDocument="word/document.xml"))
        document = f"<w:document {namespace} {MC} {R}><w:body>{body}</w:body></w:document>"
        archive.writestr("word/document.xml", document)
        archive.writestr("word/_rels/document.xml.rels", relations(**links))
        for name, content in (parts or {}).items():
            archive.writestr(name, content)
    return buffer.getvalue()


def p(*runs: str) -> str:
    return (
        "<w:p>"
        + "".join(run if run.startswith("<") else f"<w:r><w:t>{run}</w:t></w:r>" for run in runs)
        + "</w:p>"
    )


def pages(data: bytes, limits: Limits | None = None) -> list[list[str]]:
    reader = open_document(data, "a.docx", limits or Limits())
    return [[line.text for line in page.lines] for page in reader.pages()]


def lines(body: str, namespace: str = W) -> list[str]:
    (page,) = pages(package(body, namespace=namespace))
    return page


def test_a_document_by_python_docx_is_read_in_order() -> None:
    document = docx.Document()
    document.core_properties.title = "The title"
    document.sections[0].header.paragraphs[0].text = "header"
    document.sections[0].footer.paragraphs[0].text = "footer"
    document.add_paragraph("one")
    table = document.add_table(2, 3)
    for index, cell in enumerate(c for row in table.rows for c in row.cells):
        cell.text = str(index)
    table.cell(0, 1).merge(table.cell(0, 2))
    document.add_paragraph("two").add_run().add_break(WD_BREAK.PAGE)
    document.add_paragraph("three")
    buffer = BytesIO()
    document.save(buffer)
    reader = open_document(buffer.getvalue(), "a.docx")
    assert [[line.text for line in page.lines] for page in reader.pages()] == [
        ["header", "one", "0\t1 2", "3\t4\t5", "two"],
        ["three", "footer"],
    ]
    assert reader.metadata["title"] == "The title"


@pytest.mark.parametrize("namespace", [W, STRICT])
def test_tracked_insertions_stay_and_deletions_go(namespace: str) -> None:
    body = p(
        "kept ",
        "<w:ins><w:r><w:t>inserted</w:t></w:r></w:ins>",
        "<w:del><w:r><w:delText>deleted</w:delText></w:r></w:del>",
        "<w:moveFrom><w:r><w:t>moved away</w:t></w:r></w:moveFrom>",
    )
    row = "<w:tr><w:trPr><w:del/></w:trPr><w:tc>" + p("deleted row") + "</w:tc></w:tr>"
    assert lines(body + f"<w:tbl>{row}</w:tbl>", namespace) == ["kept inserted"]


@pytest.mark.parametrize(
    "body",
    [
        p("kept ", "<w:del><w:r><w:delText>deleted</w:delText></w:r></w:del>"),
        p("kept ") + f"<w:tbl><w:tr><w:trPr><w:del/></w:trPr><w:tc>{p('deleted')}</w:tc></w:tr></w:tbl>",
    ],
    ids=["words", "row"],
)
def test_what_a_tracked_change_deletes_is_a_warning(body: str) -> None:
    reader = open_document(package(body), "a")
    assert [line.text for page in reader.pages() for line in page.lines] == ["kept"]
    assert [warn.code for warn in reader.warnings] == ["content_hidden"]


def test_a_text_box_is_read_once_after_its_paragraph() -> None:
    box = f"<w:txbxContent>{p('boxed')}</w:txbxContent>"
    choice, fallback = f"<mc:Choice>{box}</mc:Choice>", f"<mc:Fallback>{box}</mc:Fallback>"
    both = f"<w:r><mc:AlternateContent>{choice}{fallback}</mc:AlternateContent></w:r>"
    assert lines(p("anchor", both) + p("next")) == ["anchor", "boxed", "next"]


@pytest.mark.parametrize(
    ("ground", "shown"), [("", []), ("<w:pPr><w:shd w:fill='1F3864'/></w:pPr>", ["white"])]
)
def test_white_words_are_read_only_where_they_may_stand_on_a_colour(ground: str, shown: list[str]) -> None:
    body = f"<w:p>{ground}<w:r><w:rPr><w:color w:val='FFFFFF'/></w:rPr><w:t>white</w:t></w:r></w:p>"
    reader = open_document(package(body + p("black")), "a.docx")
    found = [line.text for page in reader.pages() for line in page.lines if line.text]
    assert found == [*shown, "black"]
    assert [warn.code for warn in reader.warnings] == ["content_hidden"] * (not shown)


def test_words_set_as_a_drawing_are_read() -> None:
    art = (
        "<w:r><w:pict><v:shape xmlns:v='urn:schemas-microsoft-com:vml'><v:textpath string='DRAFT'/></v:shape>"
    )
    assert lines(f"<w:p>{art}</w:pict></w:r></w:p>") == ["DRAFT"]


def test_a_box_for_older_programs_only_is_read() -> None:
    box = f"<mc:Fallback><w:txbxContent>{p('old')}</w:txbxContent></mc:Fallback>"
    assert lines(p(f"<w:r><mc:AlternateContent>{box}</mc:AlternateContent></w:r>")) == ["old"]


def test_content_controls_hyperlinks_and_fields_give_their_text() -> None:
    body = "<w:sdt><w:sdtPr><w:alias/></w:sdtPr><w:sdtContent>" + p("control") + "</w:sdtContent></w:sdt>"
    link = "<w:hyperlink><w:r><w:t>link</w:t></w:r></w:hyperlink>"
    field = "<w:r><w:instrText>PAGE</w:instrText></w:r><w:fldSimple><w:r><w:t>7</w:t></w:r></w:fldSimple>"
    assert lines(body + p("see ", link, field)) == ["control", "see link7"]


def test_breaks_tabs_and_symbols_are_characters() -> None:
    symbols = (
        '<w:r><w:sym w:font="Wingdings" w:char="F0FE"/><w:sym w:font="Symbol" w:char="F061"/>'
        '<w:sym w:font="Arial" w:char="00A7"/><w:noBreakHyphen/></w:r>'
    )
    assert lines(p("a", "<w:r><w:tab/></w:r>", "b", "<w:r><w:br/></w:r>", "c", symbols)) == ["a\tb", "c☑α§-"]


def test_page_breaks_start_pages() -> None:
    before = "<w:p><w:pPr><w:pageBreakBefore/></w:pPr><w:r><w:t>three</w:t></w:r></w:p>"
    body = p("one", '<w:r><w:br w:type="page"/></w:r>', "two") + before
    assert pages(package(body)) == [["one"], ["two"], ["three"]]


def test_nested_tables_follow_their_row() -> None:
    inner = "<w:tbl><w:tr><w:tc>" + p("x") + "</w:tc><w:tc>" + p("y") + "</w:tc></w:tr></w:tbl>"
    outer = (
        "<w:tbl><w:tr><w:tc>" + p("a") + inner + p("b") + "</w:tc><w:tc>" + p("c") + "</w:tc></w:tr></w:tbl>"
    )
    assert lines(outer) == ["a\tc", "x\ty", "b"]


def test_a_huge_grid_span_is_one_cell() -> None:
    cell = '<w:tc><w:tcPr><w:gridSpan w:val="200000000"/></w:tcPr>' + p("wide") + "</w:tc>"
    assert lines(f"<w:tbl><w:tr>{cell}</w:tr></w:tbl>") == ["wide"]


def test_headers_come_first_once_and_notes_and_footers_last() -> None:
    header = f"<w:hdr {W}>{p('head')}</w:hdr>"
    notes = (
        f'<w:footnotes {W}><w:footnote w:type="separator">{p("no")}</w:footnote>'
        f"<w:footnote>{p('note')}</w:footnote></w:footnotes>"
    )
    data = package(
        p("body"),
        {
            "word/h1.xml": header,
            "word/h2.xml": header,
            "word/notes.xml": notes,
            "word/end.xml": f"<w:endnotes {W}><w:endnote>{p('end')}</w:endnote></w:endnotes>",
            "word/f.xml": f"<w:ftr {W}>{p('foot')}</w:ftr>",
        },
        header_1="h1.xml",
        header_2="h2.xml",
        footnotes="notes.xml",
        endnotes="/word/end.xml",
        footer="f.xml",
    )
    assert pages(data) == [["head", "body", "note", "end", "foot"]]


def test_a_missing_part_is_a_warning() -> None:
    reader = open_document(package(p("body"), header="gone.xml"), "a.docx")
    assert [line.text for page in reader.pages() for line in page.lines] == ["body"]
    assert [warn.code for warn in reader.warnings] == ["part_unreadable"]


def test_a_merged_in_page_of_html_is_read_in_its_place() -> None:
    html = "<!doctype html><p>merged</p>"
    data = package(
        p("a") + '<w:altChunk r:id="aFChunk_1"/>' + p("b"), {"word/x.html": html}, aFChunk_1="x.html"
    )
    assert pages(data) == [["a", "merged", "b"]]


def test_a_scan_in_a_document_without_text_is_a_page_with_a_picture() -> None:
    buffer = BytesIO()
    Image.new("RGB", (60, 40)).save(buffer, "PNG")
    parts: dict[str, str | bytes] = {
        "word/media/a.png": buffer.getvalue(),
        "word/media/b.emf": b"\1\0\0\0" + bytes(36) + b" EMF",
    }
    reader = open_document(package(p(""), parts, image_1="media/a.png", image_2="media/b.emf"), "a.docx")
    (page,) = reader.pages()
    assert page.image is not None
    assert (page.image(200).pixels.shape, page.lines, page.part) == ((40, 60, 3), (), "")
    assert [warn.code for warn in reader.warnings] == ["picture_unsupported"]


def test_an_empty_document_has_one_empty_page() -> None:
    assert pages(package(p(""))) == [[]]


def test_a_doctype_is_refused_and_nothing_outside_is_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("SECRET")
    doctype = f'<!DOCTYPE x [<!ENTITY e SYSTEM "file://{secret}">]>'
    evil = f"{doctype}<w:document {W}><w:body>{p('&e;')}</w:body></w:document>"
    data = package("")
    with (
        zipfile.ZipFile(buffer := BytesIO(data), "a") as archive,
        pytest.warns(UserWarning, match="Duplicate"),
    ):
        archive.writestr("word/document.xml", evil)
    with pytest.raises(CorruptDocumentError, match="DOCTYPE"):
        open_document(buffer.getvalue(), "a.docx")


def test_an_archive_that_unpacks_to_too_much_is_refused() -> None:
    bomb = package(p("a"), {"word/media/zeros": bytes(20_000_000)})
    with pytest.raises(ExpansionLimitError):
        open_document(bomb, "a.docx")
    with pytest.raises(ExpansionLimitError):
        open_document(package(p("a" * 5000)), "a.docx", Limits(max_expanded_bytes=4000))


def test_a_size_that_lies_does_not_help() -> None:
    data = bytearray(package(p("a" * 50_000)))
    honest = zipfile.ZipFile(BytesIO(bytes(data))).getinfo("word/document.xml").file_size
    directory = data.rindex(b"word/document.xml", 0, data.rindex(b"word/_rels"))
    data[directory - 22 : directory - 18] = (100).to_bytes(4, "little")
    assert zipfile.ZipFile(BytesIO(bytes(data))).getinfo("word/document.xml").file_size == 100 < honest
    with pytest.raises((ExpansionLimitError, CorruptDocumentError)):
        open_document(bytes(data), "a.docx", Limits(max_expanded_bytes=20_000))


def test_too_many_members_are_refused() -> None:
    with pytest.raises(TooManyPartsError):
        open_document(
            package(p("a"), {f"x{i}": "" for i in range(20)}), "a.docx", Limits(max_archive_members=20)
        )


def test_tables_nested_too_deep_are_refused() -> None:
    table = p("core")
    for _ in range(51):
        table = f"<w:tbl><w:tr><w:tc>{table}</w:tc></w:tr></w:tbl>"
    with pytest.raises(TooDeepError):
        open_document(package(table), "a.docx")


def test_xml_nested_too_deep_is_refused() -> None:
    with pytest.raises(TooDeepError):
        open_document(package("<w:ins>" * 300 + p("core") + "</w:ins>" * 300), "a.docx")


def test_an_encrypted_archive_says_so() -> None:
    data = bytearray(package(p("a")))
    data[data.rindex(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(EncryptedDocumentError):
        open_document(bytes(data), "a.docx")


@pytest.mark.parametrize("body", ["<w:p>", "\x01", "&undefined;"])
def test_broken_xml_is_corrupt(body: str) -> None:
    with pytest.raises(CorruptDocumentError):
        open_document(package(body), "a.docx")


def test_a_truncated_document_is_corrupt() -> None:
    with pytest.raises(CorruptDocumentError):
        open_document(package(p("a"))[:-100], "a.docx")


def numbered(level: int, text: str, number: int = 1) -> str:
    properties = f'<w:pPr><w:numPr><w:ilvl w:val="{level}"/><w:numId w:val="{number}"/></w:numPr></w:pPr>'
    return f"<w:p>{properties}<w:r><w:t>{text}</w:t></w:r></w:p>"


def with_part(body: str, kind: str, xml: str | bytes, name: str | None = None) -> list[list[str]]:
    return pages(
        package(body, {f"word/{name or kind + '.xml'}": xml}, **{f"{kind}_1": name or f"{kind}.xml"})
    )


def run(properties: str, text: str) -> str:
    return f"<w:r><w:rPr>{properties}</w:rPr><w:t>{text}</w:t></w:r>"


def test_paragraphs_have_the_labels_that_word_counts() -> None:
    levels = "".join(
        f'<w:lvl w:ilvl="{depth}"><w:start w:val="1"/><w:numFmt w:val="{form}"/>'
        f'<w:lvlText w:val="{text}"/></w:lvl>'
        for depth, (form, text) in enumerate(
            [("decimal", "Article %1."), ("decimal", "%1.%2"), ("lowerRoman", "(%3)"), ("bullet", "\uf0b7")]
        )
    )
    numbering = (
        f'<w:numbering {W}><w:abstractNum w:abstractNumId="0">{levels}</w:abstractNum>'
        '<w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num></w:numbering>'
    )
    body = "".join(
        numbered(level, text)
        for level, text in [(0, "A"), (1, "b"), (1, "c"), (2, "d"), (2, "e"), (3, "f"), (0, "G"), (1, "h")]
    )
    assert with_part(body + p("plain"), "numbering", numbering) == [
        ["Article 1. A", "1.1 b", "1.2 c", "(i) d", "(ii) e", "• f", "Article 2. G", "2.1 h", "plain"]
    ]


def test_raised_marks_are_apart_from_the_numbers_they_stand_on() -> None:
    raised, lowered = '<w:vertAlign w:val="superscript"/>', '<w:vertAlign w:val="subscript"/>'
    assert lines(
        p("EUR 1,200", run(raised, "3"), " for 5 m", run(raised, "2"), " on 1", run(raised, "st"))
    ) == (["EUR 1,200 ³ for 5 m² on 1st"])
    assert lines(p("CO", run(lowered, "2"))) == ["CO₂"]


def test_notes_carry_the_marks_that_the_text_has() -> None:
    notes = f'<w:footnotes {W}><w:footnote w:id="7"><w:p><w:r><w:footnoteRef/></w:r>' + (
        "<w:r><w:t> Net.</w:t></w:r></w:p></w:footnote></w:footnotes>"
    )
    body = p("EUR 1,200", '<w:r><w:footnoteReference w:id="7"/></w:r>', " a year")
    assert with_part(body, "footnotes", notes) == [["EUR 1,200 ¹ a year", "1 Net."]]


def test_comments_follow_the_paragraph_they_are_on() -> None:
    comments = (
        f'<w:comments {W}><w:comment w:id="0" w:author="Helen">{p("Too much.")}</w:comment></w:comments>'
    )
    body = p("EUR 5", '<w:r><w:commentReference w:id="0"/></w:r>') + p("End")
    assert with_part(body, "comments", comments) == [["EUR 5", "Comment by Helen: Too much.", "End"]]


def test_hidden_text_is_left_out_with_a_warning() -> None:
    reader = open_document(
        package(p("seen", run("<w:vanish/>", " floor"), run('<w:vanish w:val="0"/>', " too"))), "a"
    )
    assert [[line.text for line in page.lines] for page in reader.pages()] == [["seen too"]]
    assert [warn.code for warn in reader.warnings] == ["content_hidden"]


def test_text_that_its_style_hides_is_left_out() -> None:
    styles = (
        f'<w:styles {W}><w:style w:type="paragraph" w:styleId="base"><w:rPr><w:vanish/></w:rPr></w:style>'
        '<w:style w:type="paragraph" w:styleId="secret"><w:basedOn w:val="base"/></w:style></w:styles>'
    )
    secret = '<w:p><w:pPr><w:pStyle w:val="secret"/></w:pPr><w:r><w:t>floor</w:t></w:r></w:p>'
    assert with_part(secret + p("seen"), "styles", styles) == [["seen"]]


def test_form_fields_show_their_state() -> None:
    def field(data: str) -> str:
        return f'<w:r><w:fldChar w:fldCharType="begin"><w:ffData>{data}</w:ffData></w:fldChar></w:r>'

    ticked, empty = (field(f'<w:checkBox><w:default w:val="{state}"/></w:checkBox>') for state in (1, 0))
    entries = "".join(f'<w:listEntry w:val="{name}"/>' for name in ("Germany", "Poland"))
    chosen = field(f'<w:ddList><w:result w:val="1"/>{entries}</w:ddList>')
    assert lines(p(ticked, " a ", empty, " b ", chosen)) == ["☒ a ☐ b Poland"]


def test_equations_are_read_as_a_person_would_write_them() -> None:
    m = 'xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math"'

    def t(text: str) -> str:
        return f"<m:r><m:t>{text}</m:t></m:r>"

    half = f"<m:f><m:num>{t('1')}</m:num><m:den>{t('2')}</m:den></m:f>"
    square = f"<m:sSup><m:e>{t('x')}</m:e><m:sup>{t('2')}</m:sup></m:sSup>"
    assert lines(p(f"<m:oMath>{half}</m:oMath>", " and ", f"<m:oMath>{square}</m:oMath>"), f"{W} {m}") == [
        "1/2 and x²"
    ]


def test_a_section_that_starts_a_page_starts_one() -> None:
    def end(kind: str) -> str:
        section = f'<w:sectPr><w:type w:val="{kind}"/></w:sectPr>'
        return f"<w:p><w:pPr>{section}</w:pPr><w:r><w:t>{kind}</w:t></w:r></w:p>"

    body = end("nextPage") + end("continuous") + p("last") + "<w:sectPr/>"
    assert pages(package(body)) == [["nextPage", "continuous"], ["last"]]


def test_a_scan_between_paragraphs_is_a_page_between_them_and_a_logo_is_none() -> None:
    def png(width: int, height: int) -> bytes:
        buffer = BytesIO()
        Image.new("RGB", (width, height)).save(buffer, "PNG")
        return buffer.getvalue()

    a = 'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"'
    scan, logo = (f'<w:r><w:drawing><a:blip {a} r:embed="image_{n}"/></w:drawing></w:r>' for n in (1, 2))
    parts: dict[str, str | bytes] = {"word/scan.png": png(400, 500), "word/logo.png": png(60, 30)}
    data = package(p("before", logo) + p(scan) + p("after"), parts, image_1="scan.png", image_2="logo.png")
    found = [
        ([line.text for line in page.lines], page.image is not None)
        for page in open_document(data, "a").pages()
    ]
    assert found == [(["before"], False), ([], True), (["after"], False)]


def test_a_chart_gives_its_words_and_an_embedded_file_its_own_pages() -> None:
    c = 'xmlns:c="http://schemas.openxmlformats.org/drawingml/2006/chart"'
    series = "<c:tx><c:v>Net</c:v></c:tx><c:val><c:v>5</c:v><c:v>7</c:v></c:val>"
    chart = f"<c:chartSpace {c}><c:ser>{series}</c:ser></c:chartSpace>"
    parts: dict[str, str | bytes] = {
        "word/chart.xml": chart,
        "word/prices.txt": b"price list",
        "word/x.bin": b"\0\1\2\3" * 9,
    }
    body = (
        p(f'<c:chart {c} r:id="chart_1"/>')
        + p('<w:object><OLEObject r:id="package_1"/></w:object>')
        + (p('<w:object><OLEObject r:id="oleObject_1"/></w:object>'))
    )
    links = {"chart_1": "chart.xml", "package_1": "prices.txt", "oleObject_1": "x.bin"}
    reader = open_document(package(body, parts, **links), "a")
    found = [(page.part, [line.text for line in page.lines]) for page in reader.pages()]
    assert found == [("", ["Net", "5\t7"]), ("prices.txt", ["price list"])]
    assert [warn.code for warn in reader.warnings] == ["attachment_unsupported"]


@pytest.mark.parametrize("look", ['<w:sz w:val="1"/>', '<w:sz w:val="2"/>'])
def test_words_too_small_to_be_read_are_left_out_and_named(look: str) -> None:
    data = package(p("seen") + f"<w:p><w:r><w:rPr>{look}</w:rPr><w:t>unseen</w:t></w:r></w:p>")
    reader = open_document(data, "a.docx")
    assert [line.text for page in reader.pages() for line in page.lines if line.text] == ["seen"]
    assert [warn.code for warn in reader.warnings] == ["content_hidden"]


def test_figures_that_are_moved_up_or_down_by_hand_are_marks() -> None:
    def moved(by: int, text: str) -> str:
        return f'<w:r><w:rPr><w:position w:val="{by}"/></w:rPr><w:t>{text}</w:t></w:r>'

    assert lines(p("EUR 250", moved(8, "7"), " for H", moved(-6, "2"), "O", moved(0, "!"))) == [
        "EUR 250 ⁷ for H₂O!"
    ]


def test_the_mark_of_an_endnote_is_raised() -> None:
    body = p("$320", '<w:r><w:endnoteReference w:id="2"/></w:r>', " million")
    assert lines(body) == ["$320 ⁱ million"]
