"""Readers of Office files, mails and PDFs take time in proportion to what is in them."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable

import pytest

from docpipe.formats import open_document
from tests.growth import growth
from tests.unit.formats.compound import Tree, compound

Make = Callable[[int], bytes]
_W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_S = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_TYPES = '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>'


def _package(parts: dict[str, str]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as archive:
        for name, content in {"[Content_Types].xml": _TYPES, **parts}.items():
            archive.writestr(name, content)
    return made.getvalue()


def _links(*links: tuple[str, str, str]) -> str:
    entries = "".join(f'<Relationship Id="{i}" Type="x/{kind}" Target="{to}"/>' for i, kind, to in links)
    return f"<Relationships>{entries}</Relationships>"


def _numbered(form: str, count: int) -> str:
    return "".join(form.format(number) for number in range(count))


# --- Word -------------------------------------------------------------------------------------------


def _docx(body: str, **others: str) -> bytes:
    names = {"styles", "numbering", "comments", "chart"} & set(others)
    parts = {f"word/{name}.xml": f'<w:{name} xmlns:w="{_W}">{others[name]}</w:{name}>' for name in names}
    document = f'<w:document xmlns:w="{_W}" xmlns:m="m" xmlns:v="v"><w:body>{body}</w:body></w:document>'
    links = _links(*((name, name, f"{name}.xml") for name in sorted(names)))
    return _package({**parts, "word/document.xml": document, "word/_rels/document.xml.rels": links})


_RUN = "<w:r><w:t>a</w:t></w:r>"
_LONG_RUN = f"<w:r><w:t>{'a' * 50}</w:t></w:r>"
_WHITE = '<w:r><w:rPr><w:color w:val="FFFFFF"/></w:rPr><w:t>a</w:t></w:r>'
_STYLED = f'<w:p><w:pPr><w:pStyle w:val="S"/></w:pPr>{_RUN}</w:p>'
_LISTED = f'<w:p><w:pPr><w:numPr><w:ilvl w:val="{{}}"/><w:numId w:val="1"/></w:numPr></w:pPr>{_RUN}</w:p>'
_NOTE = '<w:r><w:footnoteReference w:id="{}"/></w:r>'
_COMMENT = f'<w:comment w:id="{{}}"><w:p>{_RUN}</w:p></w:comment>'
_ART = '<w:r><w:pict><v:shape><v:textpath string="a"/></v:shape></w:pict></w:r>'
_CHART = '<w:r><w:drawing><c:chart xmlns:c="c" c:id="chart"/></w:drawing></w:r>'


def _equation(inside: str) -> bytes:
    return _docx(f"<w:p><m:oMath>{inside}</m:oMath></w:p>")


def _in_a_style(inside: str, count: int) -> bytes:
    return _docx(_STYLED * count, styles=f'<w:style w:styleId="S">{inside}</w:style>')


def _in_a_list(paragraphs: str, levels: str) -> bytes:
    numbers = f'<w:abstractNum w:abstractNumId="1">{levels}</w:abstractNum>'
    use = '<w:num w:numId="1"><w:abstractNumId w:val="1"/></w:num>'
    return _docx(paragraphs, numbering=numbers + use)


WORD: dict[str, Make] = {
    "white runs of a paragraph": lambda n: _docx(f"<w:p>{_WHITE * n}</w:p>"),
    "white paragraphs": lambda n: _docx(f"<w:p>{_WHITE}</w:p>" * n),
    "long runs of a paragraph": lambda n: _docx(f"<w:p>{_LONG_RUN * 4 * n}</w:p>"),
    "marks of notes": lambda n: _docx(f"<w:p>{_numbered(_NOTE, n)}</w:p>"),
    "a style of many parts": lambda n: _in_a_style("<w:x/>" * n, n),
    "a style of many properties": lambda n: _in_a_style(f"<w:rPr>{'<w:x/>' * n}</w:rPr>", n),
    "levels of a list": lambda n: _in_a_list(
        _numbered(_LISTED, n), _numbered('<w:lvl w:ilvl="{}"><w:lvlText w:val="1"/></w:lvl>', n)
    ),
    "a long label": lambda n: _in_a_list(
        _LISTED.format(0) * n, f'<w:lvl w:ilvl="0"><w:lvlText w:val="{"%1 " * n}"/></w:lvl>'
    ),
    "fractions": lambda n: _equation("<m:f><m:num><m:t>a</m:t></m:num><m:den><m:t>b</m:t></m:den></m:f>" * n),
    "terms in brackets": lambda n: _equation(f"<m:d>{'<m:e><m:t>a</m:t></m:e>' * n}</m:d>"),
    "rows of a matrix": lambda n: _equation(f"<m:m>{'<m:mr><m:e><m:t>a</m:t></m:e></m:mr>' * n}</m:m>"),
    "WordArt": lambda n: _docx(f"<w:p>{_ART * n}</w:p>"),
    "comments": lambda n: _docx(f"<w:p>{_RUN}</w:p>", comments=_numbered(_COMMENT, n)),
    "a chart placed often": lambda n: _docx(
        f"<w:p>{_CHART * (n // 8)}</w:p>", chart="<w:p><w:t>a</w:t></w:p>" * n
    ),
}


# --- workbooks, slides, OpenDocument ------------------------------------------------------------------


def _xlsx(rows: str, code: str = "0", strings: str = "", sheets: int = 1) -> bytes:
    sheet = '<sheet name="a" r:id="s"/>' * sheets
    formats = f'<numFmts><numFmt numFmtId="200" formatCode="{code}"/></numFmts>'
    styles = f'{formats}<cellXfs><xf numFmtId="200"/></cellXfs>'
    links = (("s", "worksheet", "s.xml"), ("f", "styles", "f.xml"), ("t", "sharedStrings", "t.xml"))
    return _package(
        {
            "_rels/.rels": _links(("r", "officeDocument", "xl/workbook.xml")),
            "xl/workbook.xml": f'<workbook xmlns="{_S}" xmlns:r="r"><sheets>{sheet}</sheets></workbook>',
            "xl/_rels/workbook.xml.rels": _links(*links),
            "xl/s.xml": f'<worksheet xmlns="{_S}">{rows}</worksheet>',
            "xl/f.xml": f'<styleSheet xmlns="{_S}">{styles}</styleSheet>',
            "xl/t.xml": f'<sst xmlns="{_S}">{strings}</sst>',
        }
    )


def _pptx(slide: str, charts: int = 0, chart: str = "", slides: int = 1) -> bytes:
    shown = '<sldId r:id="s"/>' * slides
    shown = f'<p xmlns:r="r">{shown}</p>'
    links = _links(*((f"c{n}", "chart", "c.xml") for n in range(charts)))
    return _package(
        {
            "_rels/.rels": _links(("r", "officeDocument", "ppt/p.xml")),
            "ppt/p.xml": shown,
            "ppt/_rels/p.xml.rels": _links(("s", "slide", "s.xml")),
            "ppt/s.xml": f"<sld>{slide}</sld>",
            "ppt/_rels/s.xml.rels": links,
            "ppt/c.xml": f"<c>{chart}</c>",
            "ppt/presentation.xml": shown,
        }
    )


def _open_document(kind: str, body: str, styles: str = "") -> bytes:
    names = 'xmlns:o="o" xmlns:t="t" xmlns:x="x" xmlns:s="s"'
    held = f"<o:automatic-styles>{styles}</o:automatic-styles><o:body><o:{kind}>{body}</o:{kind}></o:body>"
    content = f"<o:document-content {names}>{held}</o:document-content>"
    mime = f"application/vnd.oasis.opendocument.{kind}"
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("mimetype", mime)
        archive.writestr("content.xml", content)
    return made.getvalue()


def _ods(rows: str) -> bytes:
    return _open_document("spreadsheet", f'<t:table t:name="a">{rows}</t:table>')


def _odt(inside: str, styles: str = "") -> bytes:
    return _open_document("text", f"<x:p>{inside}</x:p>", styles)


_NUMBER = '<row><c s="0"><v>{}</v></c></row>'
_TEXT = '<row><c t="s"><v>0</v></c></row>'
_CODES = ("0", "0-", "&quot;a&quot;", ";", "[&lt;1]0;", "?", "# ", "#/", "0E+", "y", "[", "\\a", "_a", "*")
_CELL = "<t:table-cell{}><x:p>a</x:p></t:table-cell>"
_INNER = "<t:table-row><t:table-cell><t:table>{}</t:table></t:table-cell></t:table-row>"
_SUPER = '<s:style s:name="s"><s:text-properties s:text-position="super 58%"/></s:style>'


def _in_format(code: str) -> Make:
    return lambda n: _xlsx(_NUMBER.format(5) * n, code * n)


def _repeated(count: int) -> str:
    cell = _CELL.format(' t:number-columns-repeated="9999"')
    return f'<t:table-row t:number-rows-repeated="9999">{cell}</t:table-row>' * count


def _nested(depth: int) -> str:
    text = "<x:p>a</x:p>"
    for _ in range(depth):
        row = f'<t:table-row><t:table-cell t:number-columns-repeated="50">{text}</t:table-cell></t:table-row>'
        text = f"<t:table>{row}</t:table>"
    return f"<t:table-row><t:table-cell>{text}</t:table-cell></t:table-row>"


OFFICE: dict[str, tuple[str, Make]] = {
    **{f"a format of {code}": ("a.xlsx", _in_format(code)) for code in _CODES},
    "tiny numbers as fractions": ("a.xlsx", lambda n: _xlsx(_NUMBER.format(f"1e-{n * 60}"), "?/?")),
    "many digits": ("a.xlsx", lambda n: _xlsx(_NUMBER.format("0." + "1" * n), "# ?/?")),
    "cells far to the right": ("a.xlsx", lambda n: _xlsx('<row><c r="XFD1"><v>1</v></c></row>' * (n // 8))),
    "spans of hidden columns": (
        "a.xlsx",
        lambda n: _xlsx('<col hidden="1" min="1" max="16384"/>' * (n // 8)),
    ),
    "texts of a run": ("a.xlsx", lambda n: _xlsx(_TEXT, strings=f"<si><r>{'<t>a</t>' * n}</r></si>")),
    "runs of a string": ("a.xlsx", lambda n: _xlsx(_TEXT, strings=f"<si>{'<r><t>a</t></r>' * n}</si>")),
    "sheets of one part": ("a.xlsx", lambda n: _xlsx(_NUMBER.format(5) * n, sheets=n // 16)),
    "texts of a slide's run": ("a.pptx", lambda n: _pptx(f"<p><r>{'<t>a</t>' * n}</r></p>")),
    "runs of a slide": ("a.pptx", lambda n: _pptx(f"<p>{'<r><t>a</t></r>' * n}</p>")),
    "a slide's chart named often": ("a.pptx", lambda n: _pptx("", n // 16, "<p><t>a</t></p>" * n)),
    "series of a chart": (
        "a.pptx",
        lambda n: _pptx("", 1, "<ser><tx><v>a</v></tx><val><v>1</v></val></ser>" * n),
    ),
    "a slide shown often": ("a.pptx", lambda n: _pptx("<p><r><t>a</t></r></p>" * n, slides=n // 16)),
    "rows of a sheet": ("a.ods", lambda n: _ods(f"<t:table-row>{_CELL.format('')}</t:table-row>" * n)),
    "cells of a row": ("a.ods", lambda n: _ods(f"<t:table-row>{_CELL.format('') * n}</t:table-row>")),
    "rows that are repeated": ("a.ods", lambda n: _ods(_repeated(n // 16))),
    "repeated cells in each other": ("a.ods", lambda n: _ods(_nested(min(n // 256, 30)))),
    "rows in rows": (
        "a.ods",
        lambda n: _ods(_INNER.format(f"<t:table-row>{_CELL.format('')}</t:table-row>") * n),
    ),
    "spans of a text": ("a.odt", lambda n: _odt("<x:span>a</x:span>" * n)),
    "raised letters of a text": ("a.odt", lambda n: _odt('<x:span x:style-name="s">a</x:span>' * n, _SUPER)),
    "notes of a text": (
        "a.odt",
        lambda n: _odt("<x:note><x:note-body><x:p>a</x:p></x:note-body></x:note>" * n),
    ),
}


# --- mails and texts ----------------------------------------------------------------------------------


def _mail(body: str, head: str) -> bytes:
    return f"From: a@b.example\nMessage-ID: <1>\nMIME-Version: 1.0\n{head}\n\n{body}".encode()


def _report(fields: str) -> bytes:
    body = f"--x\nContent-Type: message/delivery-status\n\n{fields}\n--x--\n"
    return _mail(body, 'Content-Type: multipart/report; boundary="x"')


def _calendar(lines: str) -> bytes:
    return f"BEGIN:VCALENDAR\nVERSION:2.0\n{lines}END:VCALENDAR\n".encode()


def _message(count: int) -> bytes:
    names = [f"__attach_version1.0_#{number:08X}" for number in range(count)]
    tree: Tree = {"__substg1.0_0037001E": b"subject"}
    for name in names:
        tree[name] = {"__substg1.0_3701000D": {"__substg1.0_1000001E": b"a"}}
    return compound(tree)


_FLOWED = "Content-Type: text/plain; format=flowed"
_PLAIN = "Content-Type: text/plain"
MAILS: dict[str, tuple[str, Make]] = {
    "wrapped lines": ("a.eml", lambda n: _mail("abcdefgh \n" * 8 * n, _FLOWED)),
    "wrapped lines whose space goes": (
        "a.eml",
        lambda n: _mail("abcdefgh \n" * 8 * n, f"{_FLOWED}; delsp=yes"),
    ),
    "fields of a report": ("a.eml", lambda n: _report(_numbered("X{}: a\n", n))),
    "uuencoded files": ("a.eml", lambda n: _mail("begin 644 a\n#0V%T\n`\nend\na\n" * n, _PLAIN)),
    "uuencoded files without end": ("a.eml", lambda n: _mail("begin 644 a\n#0V%T\n" * n, _PLAIN)),
    "attachments of Outlook": ("a.msg", lambda n: _message(n // 32)),
    "events in events": ("a.ics", lambda n: _calendar("BEGIN:VEVENT\n" * n + "SUMMARY:a\n" * n)),
    "parameters of an event": ("a.ics", lambda n: _calendar(f"SUMMARY{';A=b' * n}:x\n")),
    "mails of a mailbox": ("a.mbox", lambda n: b"From a b\nFrom: a\n\nb\n\n" * n),
    "quotes of a mailbox": ("a.mbox", lambda n: b"From a b\nFrom: a\n\n" + b">From b\n" * n),
    "Chinese between marks": ("a.txt", lambda n: b"~{<:Ky2;~}a\n" * n),
    "marks of Chinese without end": ("a.txt", lambda n: b"~{<:Ky2;" * n),
    "escapes of Japanese": ("a.txt", lambda n: b"\x1b$B$$\x1b(Ba" * n),
    "columns": ("a.csv", lambda n: b"a,b\n" + b"a," * n),
    "quotes of columns": ("a.csv", lambda n: b"a,b\n" + b'"a",' * n),
    "letters of rich text in halves": ("a.rtf", lambda n: b"{\\rtf1 " + b"\\u-10179?" * n + b"}"),
    "binary parts of rich text": ("a.rtf", lambda n: b"{\\rtf1 " + b"\\bin1 x" * n + b"}"),
    "items of a text": (
        "a.odt",
        lambda n: _odt("<x:list><x:list-item><x:p>a</x:p></x:list-item></x:list>" * n),
    ),
    "lists inside the items of a text": (
        "a.odt",
        lambda n: _odt("<x:list>" + "<x:list-item><x:list/></x:list-item>" * n + "</x:list>"),
    ),
    "hidden rich text": ("a.rtf", lambda n: b"{\\rtf1 " + b"\\v a\\v0 b" * n + b"}"),
    "groups of rich text": ("a.rtf", lambda n: b"{\\rtf1 " + b"{" * n + b"a" + b"}" * n + b"}"),
}


# --- PDF ----------------------------------------------------------------------------------------------

_IMAGE = "<</Type/XObject/Subtype/Image/Width 1/Height 1/BitsPerComponent 8/ColorSpace/DeviceGray/Length 1>>"


def _pdf(content: str, objects: list[str] | None = None, page: str = "", catalog: str = "") -> bytes:
    """A large page; `objects` are numbered from 7 on, 6 is a picture `/I`."""
    resources = "<</Font<</F 5 0 R>>/XObject<</I 6 0 R>>>>"
    made = [
        f"<</Type/Catalog/Pages 2 0 R {catalog}>>",
        "<</Type/Pages/Kids[3 0 R]/Count 1>>",
        f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 8000 14000]/Contents 4 0 R/Resources{resources}{page}>>",
        f"<</Length {len(content)}>>stream\n{content}\nendstream",
        "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
        f"{_IMAGE}stream\nA\nendstream",
        *(objects or []),
    ]
    body, places = "%PDF-1.7\n", []
    for number, item in enumerate(made, 1):
        places.append(f"{len(body):010} 00000 n \n")
        body += f"{number} 0 obj\n{item}\nendobj\n"
    table = f"xref\n0 {len(made) + 1}\n0000000000 65535 f \n{''.join(places)}"
    return f"{body}{table}trailer<</Size {len(made) + 1}/Root 1 0 R>>\nstartxref\n{len(body)}\n%%EOF".encode()


def _each(form: str, count: int, step: int = 60) -> str:
    """The form at places in rows: its `{x}`, `{y}`, and the same moved a little."""
    across = 7900 // step
    places = [(10 + n % across * step, 10 + n // across * step) for n in range(count)]
    return "".join(form.format(x=x, y=y, r=x + 5, u=y + 5, l=x - 5, d=y - 5, a=x + 2) for x, y in places)


def _words(form: str, count: int, before: str = "") -> str:
    return f"BT /F 8 Tf {before} {_each(form, count)} ET "


_WORD = "1 0 0 1 {x} {y} Tm (ab) Tj "
_TITLE = "BT /F 10 Tf 1 0 0 1 100 13900 Tm (A title) Tj ET "
_RING = "{r} {y} m {r} {u} {x} {u} {x} {u} c {l} {u} {l} {y} {l} {y} c {l} {d} {x} {d} {x} {d} c h "
_DOT = "{a} {y} m {a} {u} {x} {u} {x} {u} c h f "
_DROP = "/F 20 Tf 1 0 0 1 {x} {y} Tm (A) Tj /F 8 Tf 1 0 0 1 {a} {u} Tm (bc) Tj "
_SHORT = "100 {0}.{1:02} m 110 {0}.{1:02} l S 500.{1:02} {0} m 500.{1:02} {2} l S "


def _short_lines(count: int) -> str:
    return "".join(_SHORT.format(100 + n // 100, n % 100, 110 + n // 100) for n in range(count))


def _annotated(count: int, form: str) -> bytes:
    objects = [form.format(n, n % 90 * 20, n // 90 * 20) for n in range(count)]
    numbers = " ".join(f"{7 + n} 0 R" for n in range(count))
    fields = f"/AcroForm<</Fields[{numbers}]>>" if "/Widget" in form else ""
    return _pdf(_TITLE, objects, f"/Annots[{numbers}]", fields)


PDFS: dict[str, Make] = {
    "the same word": lambda n: _pdf(_words(_WORD, n)),
    "frames": lambda n: _pdf(_TITLE + _each("{x} {y} 10 10 re S ", n, 22)),
    "frames of two areas": lambda n: _pdf(
        _TITLE + _each("0 g {x} {y} 10 10 re f 1 g {x}.5 {y}.5 9 9 re f ", n, 22)
    ),
    "rings with dots": lambda n: _pdf(_TITLE + _each(f"{_RING} S {_DOT}", n // 2, 14)),
    "papers with outlines": lambda n: _pdf(_TITLE + _each(f"1 g {_RING} f 0 g {_RING} S {_DOT}", n // 2, 14)),
    "short lines": lambda n: _pdf(_TITLE + _short_lines(n // 2)),
    "white words": lambda n: _pdf(_words(_WORD, n, "1 g")),
    "words under paper, and anew": lambda n: _pdf(
        _words(_WORD, n // 2) + "1 g 0 0 8000 14000 re f 0 g " + _words(_WORD, n // 2)
    ),
    "words under papers": lambda n: _pdf(_words(_WORD, n // 2) + _each("1 g {l} {d} 20 20 re f ", n // 2)),
    "words on pictures": lambda n: _pdf(_words(_WORD, n, "3 Tr") + _each("q 5 0 0 5 {x} {y} cm /I Do Q ", n)),
    "a line in black and white": lambda n: _pdf(
        "BT /F 1 Tf 1 0 0 1 10 100 Tm " + "0 g (a ) Tj 1 g (b ) Tj " * (n // 2) + "ET"
    ),
    "drop caps": lambda n: _pdf(f"BT {_each(_DROP, n // 2)} ET"),
    "notes": lambda n: _annotated(
        n // 4, "<</Type/Annot/Subtype/Text/Rect[{1} {2} {1} {2}]/Contents(note)>>"
    ),
    "marks without words": lambda n: _annotated(n // 4, "<</Type/Annot/Subtype/Square/Rect[{1} {2} 9 9]>>"),
    "boxes of a form": lambda n: _annotated(
        n // 8, "<</Type/Annot/Subtype/Widget/FT/Btn/T(a{0})/Rect[{1} {2} {1}.9 {2}.9]/AS/Off>>"
    ),
}

DOCUMENTS: dict[str, tuple[str, Make]] = {
    **{kind: ("a.docx", make) for kind, make in WORD.items()},
    **OFFICE,
    **MAILS,
    **{kind: ("a.pdf", make) for kind, make in PDFS.items()},
}


def _read(data: bytes, name: str) -> None:
    reader = open_document(data, name)
    try:
        for _ in reader.pages():
            pass
    finally:
        reader.close()


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_a_reader_is_linear_in(kind: str) -> None:
    name, make = DOCUMENTS[kind]
    made: dict[int, bytes] = {}
    assert growth(lambda size: _read(made.setdefault(size, make(size)), name)) is None
