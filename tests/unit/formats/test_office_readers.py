"""Tables, slides and rich text: rows and cells as a person sees them, and warnings for what is not read."""

from __future__ import annotations

import zipfile
from io import BytesIO

import pytest

from docpipe.formats import open_document
from docpipe.formats.number_formats import BUILT_IN, shown_number

RELS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def read(data: bytes, name: str) -> tuple[list[list[str]], list[str]]:
    """The lines of each page, and the codes of the warnings."""
    reader = open_document(data, name)
    pages = [[line.text for line in page.lines] for page in reader.pages()]
    reader.close()
    return pages, [warn.code for warn in reader.warnings]


def package(files: dict[str, str]) -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def relations(*links: tuple[str, str]) -> str:
    items = "".join(
        f'<Relationship Id="r{n}" Type="{RELS}/{kind}" Target="{target}"/>'
        for n, (kind, target) in enumerate(links)
    )
    return f"<Relationships>{items}</Relationships>"


def test_a_workbook_gives_its_cells_as_they_are_shown() -> None:
    sheet = (
        "<worksheet><sheetData><row><c t='s'><v>0</v></c><c r='C1' t='inlineStr'><is><r><t>EUR 12</t></r>"
        "<r><rPr><vertAlign val='superscript'/></rPr><t>3</t></r></is></c>"
        "</row>"
        "<row hidden='1'><c><v>9000</v></c></row>"
        "<row><c s='1'><v>45473</v></c><c s='2'><v>12450</v></c><c t='b'><v>1</v></c></row>"
        "</sheetData></worksheet>"
    )
    data = package(
        {
            "[Content_Types].xml": "<Types/>",
            "_rels/.rels": relations(("officeDocument", "xl/workbook.xml")),
            "xl/workbook.xml": f"<workbook xmlns:r='{RELS}'><sheets><sheet name='Prices' r:id='r0'/>"
            "<sheet name='Notes' state='hidden' r:id='r0'/></sheets></workbook>",
            "xl/_rels/workbook.xml.rels": relations(
                ("worksheet", "s.xml"), ("sharedStrings", "t.xml"), ("styles", "f.xml")
            ),
            "xl/s.xml": sheet,
            "xl/t.xml": "<sst><si><t>Item</t><rPh><t>reading</t></rPh></si></sst>",
            "xl/f.xml": "<styleSheet><numFmts><numFmt numFmtId='164' formatCode='[$EUR] #,##0.00'/></numFmts>"
            "<cellXfs><xf numFmtId='0'/><xf numFmtId='14'/><xf numFmtId='164'/></cellXfs></styleSheet>",
        }
    )
    assert read(data, "a.xlsx") == (
        [["Prices", "Item\t\tEUR 12 ³", "2024-06-30\tEUR 12,450.00\tTRUE"]],
        ["content_hidden", "content_hidden"],
    )


@pytest.mark.parametrize(
    ("value", "code", "shown"),
    [
        ("1200", "", "1200"),
        ("0.1", "General", "0.1"),
        ("12450.5", '#,##0.00\\ "€"', "12,450.50 €"),
        ("-3", "#,##0;(#,##0)", "(3)"),
        ("-1200.5", BUILT_IN["40"], "(1,200.50)"),
        ("-1200.5", BUILT_IN["44"], "$(1,200.50)"),
        ("0", BUILT_IN["43"], "-"),
        ("-1234.5", '_-* #,##0.00 "€"_-;\\-* #,##0.00 "€"_-', "-1,234.50 €"),
        ("-12", "#,##0;[Red]#,##0-", "12-"),
        ("-12", "#,##0", "-12"),
        ("0", '"a;b";"no";"none"', "none"),
        ("12000", "#,##0,", "12"),
        ("2500", '[>=1000000]0.0,,"M";[>=1000]0.0,"K";0', "2.5K"),
        ("12345.5", "0.00E+00", "1.23E+04"),
        ("0.00012", "0.0E-0", "1.2E-4"),
        ("-5", "General;(General)", "(5)"),
        ("3", '"No. "General', "No. 3"),
        ("1.75", "# ?/?", "1 3/4"),
        ("-0.75", "# ?/?", "-3/4"),
        ("0.5", "?/8", "4/8"),
        ("0.999", "# ?/?", "1"),
        ("42", "000000", "000042"),
        ("5551234", "000-0000", "555-1234"),
        ("12345678901", "000-0000", "1234567-8901"),
        ("0.5", "hh:mm:ss.00", "12:00:00"),
        ("1.5", "[h]:mm", "36:00"),
        ("0.125", "0.0%", "12.5%"),
        ("60", "yyyy\\-mm\\-dd", "1900-02-28"),
        ("45473.75", "dd.mm.yyyy hh:mm", "2024-06-30 18:00"),
        ("0.5", "hh:mm", "12:00"),
        ("nan", "0", "nan"),
    ],
)
def test_numbers_are_shown_by_their_format(value: str, code: str, shown: str) -> None:
    assert shown_number(value, code) == shown


def test_a_workbook_counts_its_days_as_it_says_and_formulas_without_a_result_are_named() -> None:
    sheet = (
        "<worksheet><sheetData><row><c r='A1' s='0'><v>44011</v></c>"
        "<c r='B1'><f>A1+1</f></c></row></sheetData></worksheet>"
    )
    data = package(
        {
            "[Content_Types].xml": "<Types/>",
            "_rels/.rels": relations(("officeDocument", "xl/workbook.xml")),
            "xl/workbook.xml": f"<workbook xmlns:r='{RELS}'><workbookPr date1904='1'/>"
            "<sheets><sheet name='S' r:id='r0'/></sheets></workbook>",
            "xl/_rels/workbook.xml.rels": relations(("worksheet", "s.xml"), ("styles", "f.xml")),
            "xl/s.xml": sheet,
            "xl/f.xml": "<styleSheet><cellXfs><xf numFmtId='14'/></cellXfs></styleSheet>",
        }
    )
    assert read(data, "a.xlsx") == ([["S", "2024-06-30"]], ["content_unread"])


def workbook(rows: str) -> bytes:
    """One sheet, `S`."""
    return package(
        {
            "[Content_Types].xml": "<Types/>",
            "_rels/.rels": relations(("officeDocument", "xl/workbook.xml")),
            "xl/workbook.xml": f"<workbook xmlns:r='{RELS}'><sheets>"
            "<sheet name='S' r:id='r0'/></sheets></workbook>",
            "xl/_rels/workbook.xml.rels": relations(("worksheet", "s.xml")),
            "xl/s.xml": f"<worksheet><sheetData>{rows}</sheetData></worksheet>",
        }
    )


def test_a_value_far_to_the_right_stands_in_its_column() -> None:
    rows = "<row><c r='A1'><v>1</v></c><c r='GR1'><v>200</v></c></row><row><c r='BH2'><v>60</v></c></row>"
    [[_, first, second]], warnings = read(workbook(rows), "a.xlsx")
    assert (first, second, warnings) == ("1" + "\t" * 199 + "200", "\t" * 59 + "60", [])


def test_a_workbook_of_almost_nothing_but_empty_cells_says_that_columns_moved() -> None:
    [[_, *lines]], warnings = read(workbook("<row><c r='XFD1'><v>1</v></c></row>" * 100), "a.xlsx")
    assert [line.count("\t") for line in (lines[0], lines[-1])] == [16_383, 50]
    assert warnings == ["content_moved"]


@pytest.mark.parametrize("place", ["min='x' max='2'", "min='2' max='1'", "max='99999999999'"])
def test_columns_that_are_no_numbers_hide_none(place: str) -> None:
    rows = f"</sheetData><cols><col hidden='1' {place}/></cols><sheetData><row><c><v>1</v></c></row>"
    assert read(workbook(rows), "a.xlsx")[0] == [["S", "1"]]


def test_slides_are_pages_with_their_notes_and_what_is_not_read_is_named() -> None:
    def slide(text: str) -> str:
        rows = "<tbl><tr><tc><p><r><t>a</t></r></p></tc><tc><p><r><t>b</t></r></p></tc></tr></tbl>"
        return f"<sld><sp><p><r><t>{text}</t></r><r><rPr baseline='30000'/><t>1</t></r></p></sp>{rows}</sld>"

    data = package(
        {
            "[Content_Types].xml": "<Types/>",
            "_rels/.rels": relations(("officeDocument", "ppt/p.xml")),
            "ppt/p.xml": f"<p xmlns:r='{RELS}'><sldId id='5' r:id='r1'/><sldId r:id='r0'/></p>",
            "ppt/_rels/p.xml.rels": relations(("slide", "s1.xml"), ("slide", "s2.xml")),
            "ppt/s1.xml": slide("EUR 1,200"),
            "ppt/s2.xml": slide("First"),
            "ppt/_rels/s1.xml.rels": relations(
                ("notesSlide", "n.xml"), ("chart", "c.xml"), ("diagramData", "d.xml"), ("video", "v.mp4")
            ),
            "ppt/c.xml": "<c><title><p><r><t>Days at sea</t></r></p></title>"
            "<ser><cat><pt><v>Oden</v></pt></cat><val><pt><v>210</v></pt></val></ser></c>",
            "ppt/d.xml": "<d/>",
            "ppt/n.xml": "<notes><p><r><t>say so</t></r></p></notes>",
        }
    )
    assert read(data, "a.pptx") == (
        [["First ¹", "a\tb"], ["EUR 1,200 ¹", "a\tb", "Days at sea", "Oden", "210", "Notes: say so"]],
        ["content_unread", "content_unread"],
    )


def test_an_open_document_text_gives_paragraphs_rows_and_notes() -> None:
    body = (
        "<tracked-changes><p>gone</p></tracked-changes><p>Price<s c='2'/>5<tab/>net"
        "<note><note-citation>1</note-citation><note-body><p>Without tax.</p></note-body></note></p>"
        "<table><table-row>"
        "<table-cell><p>a</p></table-cell>"
        "<table-cell><p>b</p></table-cell></table-row></table>"
    )
    data = package(
        {
            "mimetype": "application/vnd.oasis.opendocument.text",
            "content.xml": f"<document-content><body><text>{body}</text></body></document-content>",
        }
    )
    assert read(data, "a.odt") == ([["Price  5\tnet 1", "1 Without tax.", "a\tb"]], [])


def test_an_open_document_spreadsheet_gives_what_its_cells_show() -> None:
    body = (
        "<table name='Prices'><table-row><table-cell value='1200.5'><p>1.200,50 €</p></table-cell>"
        "<table-cell number-columns-repeated='2'/><table-cell><p>Kaja</p></table-cell>"
        "<table-cell number-columns-repeated='16380'/></table-row>"
        "<table-row visibility='collapse'><table-cell><p>secret</p></table-cell></table-row>"
        "<table-row number-rows-repeated='2'><table-cell><p>same</p></table-cell></table-row>"
        "<table-row number-rows-repeated='1048570'><table-cell number-columns-repeated='16384'/></table-row>"
        "</table><table name='Old' style-name='ta2'>"
        "<table-row><table-cell><p>gone</p></table-cell></table-row>"
        "</table><table name='Last'><table-row><table-cell><p>end</p></table-cell></table-row></table>"
    )
    styles = (
        "<automatic-styles><style name='ta2'><table-properties display='false'/></style></automatic-styles>"
    )
    data = package(
        {
            "mimetype": "application/vnd.oasis.opendocument.spreadsheet",
            "content.xml": f"<document-content>{styles}<body><spreadsheet>{body}</spreadsheet></body>"
            "</document-content>",
        }
    )
    assert read(data, "a.ods") == (
        [["Prices", "1.200,50 €\t\t\tKaja", "same", "same"], ["Last", "end"]],
        ["content_hidden", "content_hidden"],
    )


def sheet(rows: str) -> bytes:
    """An OpenDocument spreadsheet of one sheet, `S`."""
    body = f"<body><spreadsheet><table name='S'>{rows}</table></spreadsheet></body>"
    return package(
        {
            "mimetype": "application/vnd.oasis.opendocument.spreadsheet",
            "content.xml": f"<document-content>{body}</document-content>",
        }
    )


def test_cells_of_an_open_document_sheet_stand_in_their_columns() -> None:
    cell, gap = "<table-cell><p>{}</p></table-cell>", "<table-cell number-columns-repeated='{}'/>"
    far_apart = cell.format(1) + gap.format(198) + cell.format(200)
    covered = cell.format("a") + "<covered-table-cell number-columns-repeated='2'/>" + cell.format("d")
    rows = f"<table-row>{far_apart}</table-row><table-row>{covered}</table-row>"
    assert read(sheet(rows), "a.ods") == ([["S", "1" + "\t" * 199 + "200", "a\t\t\td"]], [])
    far = f"<table-row>{gap.format(16_383)}{cell.format(1)}</table-row>"
    [[_, *lines]], warnings = read(sheet(far * 100), "a.ods")
    assert [line.count("\t") for line in (lines[0], lines[-1])] == [16_383, 50]
    assert warnings == ["content_moved"]


@pytest.mark.parametrize("count", ["x", "-3", "9" * 30, ""])
def test_counts_of_spaces_and_cells_that_are_no_numbers_count_once(count: str) -> None:
    cell = f"<table-cell number-columns-repeated='{count}'><p>a<s c='{count}'/>b</p></table-cell>"
    assert read(sheet(f"<table-row>{cell}</table-row>"), "a.ods") == ([["S", "a b"]], [])


def test_rich_text_gives_its_words_and_nothing_that_is_hidden() -> None:
    data = (
        rb"{\rtf1\ansi\ansicpg1252{\fonttbl{\f1\fcharset204 Arial;}}{\*\generator x}{\info{\title t}}"
        rb"M\'fcller: EUR 1,200{\super 3} {\f1\'c4}{\v secret}\u8364?{\footnote Net.}\par "
        rb"\trowd a\cell b\cell\row\page last{\pict 0102}}"
    )
    assert read(data, "a.rtf") == (
        [["Müller: EUR 1,200 ³ Д€", "Note: Net.", "", "a\tb"], ["last"]],
        ["content_unread", "content_hidden"],
    )


@pytest.mark.parametrize("sign", [",", ";", "\t"])
def test_separated_values_are_rows_of_cells(sign: str) -> None:
    data = f'Name{sign}Price\n"Weber{sign} Jonas"{sign}"1\n200"\n'.encode()
    shown = "Weber Jonas" if sign == "\t" else f"Weber{sign} Jonas"
    assert read(data, "a.csv") == ([["Name\tPrice", f"{shown}\t1 200"]], [])


def test_source_code_is_named_and_not_read_as_prose() -> None:
    with pytest.raises(Exception, match=r"a\.py is the source code of a program"):
        read(b"import os\n", "a.py")


def test_a_card_is_read_as_its_facts() -> None:
    card = b"BEGIN:VCARD\nFN:Jonas Weber\nADR;TYPE=work:;;Quay 8;Rostock;;18147;\nX-SPAM:no\nEND:VCARD\n"
    assert read(card, "a.vcf") == ([["Name: Jonas Weber", "Address: Quay 8, Rostock, 18147"]], [])


def open_text(body: str, styles: str = "") -> bytes:
    styles = f"<automatic-styles>{styles}</automatic-styles>"
    content = f"<document-content>{styles}<body><text>{body}</text></body></document-content>"
    return package({"mimetype": "application/vnd.oasis.opendocument.text", "content.xml": content})


@pytest.mark.parametrize(
    ("body", "styles"),
    [
        ("<section display='none'><p>unseen</p></section>", ""),
        (
            "<p><span style-name='T1'>unseen</span></p>",
            "<style name='T1'><text-properties display='none'/></style>",
        ),
        ("<p style-name='P1'>unseen</p>", "<style name='P1'><text-properties display='none'/></style>"),
        (
            "<tracked-changes><changed-region><deletion><p>unseen</p></deletion></changed-region></tracked-changes>",
            "",
        ),
        ("<p><hidden-text string-value='unseen' is-hidden='true'/></p>", ""),
    ],
)
def test_hidden_and_deleted_text_of_an_open_document_is_left_out_and_named(body: str, styles: str) -> None:
    pages, warnings = read(open_text(f"{body}<p>seen</p>", styles), "a.odt")
    assert [line for page in pages for line in page if line] == ["seen"]
    assert warnings == ["content_hidden"]


def test_a_hidden_slide_of_an_open_presentation_is_left_out_and_named() -> None:
    styles = "<style name='dp2'><drawing-page-properties visibility='hidden'/></style>"
    body = "<page><p>seen</p></page><page style-name='dp2'><p>unseen</p></page>"
    content = (
        f"<document-content><automatic-styles>{styles}</automatic-styles><body><presentation>{body}"
        "</presentation></body></document-content>"
    )
    data = package({"mimetype": "application/vnd.oasis.opendocument.presentation", "content.xml": content})
    assert read(data, "a.odp") == ([["seen"]], ["content_hidden"])


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (rb"{\rtf1\mac Caf\'8e \'d2so\'d3}", "Café “so”"),
        (rb"{\rtf1\pca gr\'81n}", "grün"),
        (rb"{\rtf1\ansi{\fonttbl{\f1\fcharset2 Wingdings;}}{\f1 \'fe} yes {\f1\u-3928?} no}", "☑ yes ☐ no"),
        (b"{\\rtf1\\ansi one \\bin7 {\\'}}\\\\x two}", "one x two"),
        (b"{\\rtf1\\ansi one {\\pict\\bin9 }}}}}}}}}} two}", "one  two"),
    ],
)
def test_rich_text_of_other_programs_is_read(text: bytes, shown: str) -> None:
    pages, _ = read(text, "a.rtf")
    assert pages == [[shown]]


@pytest.mark.parametrize("code", ["0.00", "# ?/?", "#,##0 0", "General", "0%"])
def test_a_number_of_thirty_digits_is_shown(code: str) -> None:
    assert shown_number("1e29", code).replace(",", "").replace(" ", "").startswith("1" + "0" * 29)


def test_items_of_lists_of_an_open_document_have_their_labels() -> None:
    styles = (
        "<list-style name='L1'><list-level-style-number level='1' num-format='1' num-suffix='.'/>"
        "<list-level-style-number level='2' num-format='a' num-prefix='(' num-suffix=')' start-value='3'/>"
        "<list-level-style-number level='3' num-format='1' display-levels='3'/></list-style>"
        "<list-style name='L2'><list-level-style-bullet level='1'/></list-style>"
    )
    body = (
        "<list style-name='L1'><list-item><p>Buy</p><p>now</p><list><list-item><p>pumps</p><list><list-item>"
        "<p>large</p></list-item></list></list-item></list></list-item>"
        "<list-header><p>Note</p></list-header><list-item start-value='7'><p>Sell</p></list-item></list>"
        "<list style-name='L2'><list-item><p>dot</p></list-item></list>"
        "<list style-name='L1' continue-numbering='true'><list-item><p>Go on</p></list-item></list>"
        "<list style-name='L1'><list-item><p>Anew</p></list-item></list>"
    )
    assert read(open_text(body, styles), "a.odt")[0] == [
        ["1. Buy", "now", "(c) pumps", "1.c.1 large", "Note", "7. Sell", "dot", "8. Go on", "1. Anew"]
    ]


def test_letters_of_rich_text_that_are_written_as_two_halves_are_one() -> None:
    assert read(rb"{\rtf1\uc1 \u-10179?\u-8702? \uc0\u-10179 \u-8702 end\u-8702}", "a.rtf")[0] == [
        ["😂 😂end"]
    ]
