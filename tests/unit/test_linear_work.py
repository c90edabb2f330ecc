"""Readers and stages take time in proportion to their input, also where it is made to be slow."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable

import pytest

from docpipe.engines.ports import Span
from docpipe.formats import open_document
from docpipe.formats.pdf_backwards import turned_round
from docpipe.formats.pdf_layer import Layer, Piece
from docpipe.formats.pdf_outlines import lines_of_outlines
from docpipe.formats.sniff import detect
from docpipe.models import Line, Method, Page
from docpipe.stages.entities.patterns import find_patterns
from docpipe.stages.entities.short_names import companies_by_short_name
from docpipe.stages.entities.vat import find_vat_numbers
from docpipe.stages.text.places import locate
from tests.growth import growth

_W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_TYPES = b'<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>'


def _docx(body: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("[Content_Types].xml", _TYPES)
        archive.writestr(
            "word/document.xml", f'<w:document xmlns:w="{_W}"><w:body>{body}</w:body></w:document>'
        )
    return made.getvalue()


def _mail(body: str, head: str = "") -> bytes:
    return f"From: a@b.example\nTo: c@d.example\nMessage-ID: <1>\nMIME-Version: 1.0\n{head}\n{body}".encode()


def _parts(count: int, part: str) -> bytes:
    head = 'Content-Type: multipart/mixed; boundary="x"\n'
    return _mail("".join(f"--x\n{part}\n" for _ in range(count)) + "--x--\n", head)


_ATTACHED = 'Content-Type: text/plain\nContent-Disposition: attachment; filename="a.txt"\n\nhello'

_RUN = "<w:r><w:t>a</w:t></w:r>"
_PARAGRAPH = f"<w:p>{_RUN}</w:p>"
_CELL = f"<w:tc>{_PARAGRAPH}</w:tc>"
_BOX = f"<w:r><w:txbxContent>{_PARAGRAPH}</w:txbxContent></w:r>"
_BREAK = '<w:p><w:r><w:t>a</w:t><w:br w:type="page"/></w:r></w:p>'


def _numbered(form: str, count: int) -> str:
    return "".join(form.format(number) for number in range(count))


DOCX: dict[str, Callable[[int], str]] = {
    "docx of many paragraphs": lambda n: _PARAGRAPH * (n // 8),
    "docx of one paragraph": lambda n: f"<w:p>{_RUN * (n // 8)}</w:p>",
    "docx of many cells": lambda n: f"<w:tbl><w:tr>{_CELL * (n // 8)}</w:tr></w:tbl>",
    "docx of many rows": lambda n: f"<w:tbl>{f'<w:tr>{_CELL}</w:tr>' * (n // 8)}</w:tbl>",
    "docx of many page breaks": lambda n: _BREAK * (n // 32),
    "docx of many text boxes": lambda n: f"<w:p>{_BOX * (n // 8)}</w:p>",
}
TEXT: dict[str, Callable[[int], bytes]] = {
    "text of many lines": lambda n: b"a\n" * n,
    "text of one line": lambda n: b"a" * n,
    "text of blank lines": lambda n: b"\n \t" * n,
    "text of many pages": lambda n: b"a\f" * (n // 8),
    "text of guessed letters": lambda n: b"caf\xe9 " * n,
}
HTML: dict[str, Callable[[int], str]] = {
    "html of many paragraphs": lambda n: "<p>a" * (n // 2),
    "html deeply nested": lambda n: "<div>" * n,
    "html of open formats": lambda n: "<b><i><a>" * (n // 32),
    "html of a wide table": lambda n: "<table><tr>" + "<td>a" * n,
    "html of many attributes": lambda n: f"<p {_numbered('a{}=1 ', n // 8)}>a",
    "html of many entities": lambda n: "&amp;" * n,
    "html of a long list": lambda n: "<ol>" + "<li>a" * (n // 5),
    "html of a list that begins deep": lambda n: "<ol><li>" + "<div>" * (n // 5) + "a",
    "html of many lists": lambda n: "<ol><li>a</ol>" * (n // 14),
    "html of white words": lambda n: "<p style='color:#fff'><b>a</b>" * (n // 31),
    "html of white words in white words": lambda n: "<b><i style='color:#fff'>a" * (n // 27),
    "html of raised words": lambda n: "<i style='vertical-align:super'>1</i>" * (n // 38),
    "html of pictures inside": lambda n: "<img src=data:image/png;base64,aaaa>" * (n // 36),
    "html of many styles": lambda n: "<p style='color:red'>a" * (n // 22),
    "html of many marks": lambda n: "<sup>1</sup>" * (n // 12),
    "html of many fields": lambda n: "<input value=a>" * (n // 15),
    "html of many choices": lambda n: "<select>" + "<option>a" * (n // 9),
    "html of a drawing of many words": lambda n: "<svg>" + "<text>a</text>" * (n // 14),
    "html of many drawings": lambda n: "<svg><text>a</text></svg>" * (n // 24),
    "html of many figures": lambda n: "<figure><figcaption>a</figcaption></figure>" * (n // 44),
    "html of a figure of many parts": lambda n: "<figure>" + "<p>a" * (n // 4),
    "html of drawings in drawings": lambda n: "<svg><text>a</text>" * (n // 19),
    "html of many cells of one paragraph": lambda n: "<table><tr>" + "<td><p>a</p></td>" * (n // 17),
    "html of marks in marks": lambda n: "<sup><sub>1" * n,
    "html of lists in lists": lambda n: "<ol><li><p>a" * n,
    "html of options in spans": lambda n: "<span><option>a" * 2 * n,
    "html of fields in labels": lambda n: "<label><input>" * n,
    "html of words in words of a drawing": lambda n: "<svg>" + "<text>a" * n,
    "html of tables in tables": lambda n: "<table><tr><td><div>" * (n // 20),
}
MAIL: dict[str, Callable[[int], bytes]] = {
    "mail of many lines": lambda n: _mail("a\n" * n),
    "mail of many parts": lambda n: _parts(n // 64, "Content-Type: text/plain\n\nhello"),
    "mail of many attachments": lambda n: _parts(n // 128, _ATTACHED),
    "mail with many recipients": lambda n: _mail("a", "Cc: " + "a@b.example, " * (n // 64) + "\n"),
    "mail with a long subject": lambda n: _mail("a", "Subject: " + "word " * (n // 8) + "\n"),
    "mail with an encoded subject": lambda n: _mail("a", "Subject: " + "=?utf-8?q?a?= " * (n // 64) + "\n"),
    "mail of boundaries": lambda n: _parts(1, "--x" * n),
    "mail with many headers": lambda n: _mail("a", _numbered("X-{}: a\n", n // 8)),
    "mail with a long parameter": lambda n: _parts(1, f'Content-Type: text/plain; name="{"a" * n}"\n\na'),
    "mail with many parameters": lambda n: _parts(
        1, f"Content-Type: text/plain{_numbered('; a{}=b', n // 64)}"
    ),
}


def _html(body: str) -> bytes:
    return f"<html>{body}".encode()


def _after(wrap: Callable[[str], bytes], body: Callable[[int], str]) -> Callable[[int], bytes]:
    return lambda size: wrap(body(size))


DOCUMENTS: dict[str, tuple[str, Callable[[int], bytes]]] = {
    **{kind: ("a.docx", _after(_docx, body)) for kind, body in DOCX.items()},
    **{kind: ("a.txt", body) for kind, body in TEXT.items()},
    **{kind: ("a.html", _after(_html, body)) for kind, body in HTML.items()},
    **{kind: ("a.eml", body) for kind, body in MAIL.items()},
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


HEADS = {
    "comments": b"<!--x-->",
    "comments in comments": b"<!--",
    "comments that end twice": b"<!----->-->",
    "declarations": b"<?xml ",
    "drawings": b"<!doctype svg ",
    "tags": b"<p ",
    "spaces": b" ",
    "header names": b"a: b\n",
}


@pytest.mark.parametrize("kind", HEADS)
def test_telling_a_type_is_linear_in(kind: str) -> None:
    assert growth(lambda size: detect(HEADS[kind] * size, "a.html")) is None


TEXTS = {
    "VAT numbers that are none": "ES1.",
    "VAT numbers in pieces": "VAT ES 1 2 ",
    "VAT numbers without end": "ES1",
    "IBANs that are none": "DE12 ",
    "companies without form": "Acme ",
    "companies": "Acme Ltd ",
    "legal forms": " Inc",
    "addresses": "www.a",
    "brackets in addresses": "www.a))((",
    "mails": "a.b@c.",
    "amounts": "1,000",
    "dates": "3 May ",
    "phones": "+1 (2) ",
    "agreements": "Master-Services ",
    "capitals": "A",
    "blank lines": "\n",
    "cases": "Case No. ",
}


@pytest.mark.parametrize("kind", TEXTS)
def test_exact_patterns_are_linear_in(kind: str) -> None:
    assert growth(lambda size: find_patterns(TEXTS[kind] * (size // len(TEXTS[kind])))) is None


@pytest.mark.parametrize("kind", TEXTS)
def test_the_vat_recogniser_is_linear_in(kind: str) -> None:
    text = TEXTS[kind]
    assert growth(lambda size: list(find_vat_numbers(text * (size // len(text)), 0, size))) is None


@pytest.mark.parametrize("letters", ["א", "אa 1", "א1-", "א\u05b0", "אל", "א$", "אA."])
def test_a_line_from_right_to_left_is_linear_in(letters: str) -> None:
    def turn(size: int) -> None:
        text = letters[0] + (letters[1:] or letters) * (size // len(letters))
        chars = [{"c": c, "bbox": (float(n), 0.0, n + (c != "ל"), 9.0)} for n, c in enumerate(text)]
        spans = [{"chars": chars}]
        piece = Piece("אב", (0.0, 0.0, 9.0, 9.0), 9.0, (1, 0), 9.0, 0, 0)
        turned_round(Layer([piece]), lambda: [{"number": 0, "lines": [{"spans": spans}]}])

    assert growth(turn) is None


@pytest.mark.parametrize("kind", ["one row", "a column", "a grid"])
def test_lines_of_outlines_are_linear_in(kind: str) -> None:
    def count(size: int) -> None:
        step = {"one row": (6, 0), "a column": (0, 12)}.get(kind, (6, 12))
        boxes = [(n * step[0], n * step[1], n * step[0] + 5, n * step[1] + 9) for n in range(size)]
        looks = {"stroked": False, "isrect": False, "alpha": 255, "color": 0}
        lines_of_outlines([{"bbox": box, **looks} for box in boxes])

    assert growth(count) is None


def test_places_are_linear_in_the_mentions_of_one_long_line() -> None:
    def places(size: int) -> None:
        text = "ab@cd.de " * (size // 9)
        line = Line(0, len(text), (0.0, 0.0, 600.0, 10.0), words=tuple(map(float, range(2 * (size // 9)))))
        page = Page(1, 0, len(text), 600.0, 800.0, Method.TEXT, lines=(line,))
        for start in range(0, len(text), 9):
            locate(text, [page], start, start + 8)

    assert growth(places) is None


def test_short_names_are_linear_in_companies_that_begin_alike() -> None:
    def short_names(size: int) -> None:
        names = [f"Acme {number:08d} Ltd." for number in range(size // 40)]
        text = " Acme pays. ".join(names)
        places = [Span(start, start + 18, "ORG") for start in range(0, len(text), 30)]
        companies_by_short_name(text, places, places)

    assert growth(short_names) is None
