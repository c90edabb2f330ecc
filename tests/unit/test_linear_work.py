"""Readers and stages take time in proportion to their input, also where it is made to be slow."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable

import pytest

from docpipe.formats import open_document
from docpipe.formats.sniff import detect
from docpipe.stages.aliases import find_aliases
from docpipe.stages.entities import EntityOptions, find_mentions
from docpipe.stages.patterns import find_patterns
from docpipe.stages.vat import find_vat_numbers
from tests.growth import growth

_W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_TYPES = b'<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>'


def _docx(body: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("[Content_Types].xml", _TYPES)
        archive.writestr("word/document.xml", f'<w:document xmlns:w="{_W}"><w:body>{body}</w:body></w:document>')
    return made.getvalue()


def _cell(text: str) -> str:
    return f"<w:tc><w:p><w:r><w:t>{text}</w:t></w:r></w:p></w:tc>"


def _mail(body: str, head: str = "") -> bytes:
    return f"From: a@b.example\nTo: c@d.example\nMessage-ID: <1>\nMIME-Version: 1.0\n{head}\n{body}".encode()


def _parts(count: int, part: str) -> bytes:
    head = 'Content-Type: multipart/mixed; boundary="x"\n'
    return _mail("".join(f"--x\n{part}\n" for _ in range(count)) + "--x--\n", head)


_ATTACHED = 'Content-Type: text/plain\nContent-Disposition: attachment; filename="a.txt"\n\nhello'

DOCUMENTS: dict[str, tuple[str, Callable[[int], bytes]]] = {
    "text of many lines": ("a.txt", lambda n: b"a\n" * n),
    "text of one line": ("a.txt", lambda n: b"a" * n),
    "text of blank lines": ("a.txt", lambda n: b"\n \t" * n),
    "text of many pages": ("a.txt", lambda n: b"a\f" * (n // 8)),
    "text of guessed letters": ("a.txt", lambda n: b"caf\xe9 " * n),
    "docx of many paragraphs": ("a.docx", lambda n: _docx("<w:p><w:r><w:t>a</w:t></w:r></w:p>" * (n // 8))),
    "docx of one paragraph": ("a.docx", lambda n: _docx("<w:p>" + "<w:r><w:t>a</w:t></w:r>" * (n // 8) + "</w:p>")),
    "docx of many cells": ("a.docx", lambda n: _docx(f"<w:tbl><w:tr>{_cell('a') * (n // 8)}</w:tr></w:tbl>")),
    "docx of many rows": ("a.docx", lambda n: _docx("<w:tbl>" + f"<w:tr>{_cell(chr(98))}</w:tr>" * (n // 8) + "</w:tbl>")),
    "docx of many page breaks": ("a.docx", lambda n: _docx('<w:p><w:r><w:t>a</w:t><w:br w:type="page"/></w:r></w:p>' * (n // 32))),
    "docx of many text boxes": ("a.docx", lambda n: _docx("<w:p>" + "<w:r><w:txbxContent><w:p><w:r><w:t>a</w:t></w:r></w:p></w:txbxContent></w:r>" * (n // 8) + "</w:p>")),
    "html of many paragraphs": ("a.html", lambda n: b"<html><p>a" * (n // 2)),
    "html deeply nested": ("a.html", lambda n: b"<html>" + b"<div>" * n + b"a"),
    "html of open formats": ("a.html", lambda n: b"<html>" + b"<b><i><a>" * (n // 32) + b"a"),
    "html of a wide table": ("a.html", lambda n: b"<html><table><tr>" + b"<td>a" * n),
    "html of many attributes": ("a.html", lambda n: b"<html><p " + b" ".join(b"a%d=1" % i for i in range(n // 8)) + b">a"),
    "html of many entities": ("a.html", lambda n: b"<html>" + b"&amp;" * n),
    "mail of many lines": ("a.eml", lambda n: _mail("a\n" * n)),
    "mail of many parts": ("a.eml", lambda n: _parts(n // 32, "Content-Type: text/plain\n\nhello")),
    "mail of many attachments": ("a.eml", lambda n: _parts(n // 64, _ATTACHED)),
    "mail with many recipients": ("a.eml", lambda n: _mail("a", "Cc: " + "a@b.example, " * (n // 64) + "\n")),
    "mail with a long subject": ("a.eml", lambda n: _mail("a", "Subject: " + "word " * (n // 8) + "\n")),
    "mail with an encoded subject": ("a.eml", lambda n: _mail("a", "Subject: " + "=?utf-8?q?a?= " * (n // 64) + "\n")),
    "mail of boundaries": ("a.eml", lambda n: _parts(1, "--x" * n)),
    "mail with many headers": ("a.eml", lambda n: _mail("a", "".join(f"X-{i}: a\n" for i in range(n // 8)))),
    "mail with a long parameter": ("a.eml", lambda n: _parts(1, f'Content-Type: text/plain; name="{"a" * n}"\n\nhello')),
    "mail with many parameters": ("a.eml", lambda n: _parts(1, "Content-Type: text/plain" + "".join(f"; a{i}=b" for i in range(n // 32)) + "\n\nhello")),
}  # fmt: skip


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
    assert growth(lambda size: list(find_vat_numbers(text * (4 * size // len(text)), 0, 4 * size))) is None
