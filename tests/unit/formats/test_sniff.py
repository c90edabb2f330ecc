"""What `detect` calls a file, whatever its name says."""

from __future__ import annotations

import zipfile
from io import BytesIO
from pathlib import Path

import pytest

from docpipe.errors import SourceNotFoundError, SourceRejectedError
from docpipe.formats import detect
from docpipe.formats.sniff import DOCX, ENCRYPTED_OFFICE

MAIL = b"Received: from a by b\nFrom: a@example.org\nSubject: x\n\nHello"
MEMO = b"To: Ann\nFrom: Bob\nDate: today\nRe: the contract\n\nDear Ann"


def zipped(*names: str) -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, "x")
    return buffer.getvalue()


def ole(stream: str) -> bytes:
    return b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600) + stream.encode("utf-16-le")


@pytest.mark.parametrize(
    ("data", "name", "kind"),
    [
        (b"%PDF-1.7\n", "a.txt", "application/pdf"),
        (b"junk \x00\x01\x02\x03" * 9 + b"%PDF-1.4\n", "a", "application/pdf"),
        (b"%PDF 1.4\n1 0 obj\n", "a.pdf", "application/pdf"),
        (b"see 1 0 obj in the file", "a.txt", "text/plain"),
        (zipped("[Content_Types].xml", "word/document.xml"), "a.pdf", DOCX),
        (zipped("[Content_Types].xml", "word/document.xml")[:80], "a.docx", DOCX),
        (
            zipped("[Content_Types].xml", "xl/workbook.xml"),
            "a.docx",
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        ),
        (zipped("a.txt"), "a.docx", "application/x-misnamed"),
        (zipped("a.txt"), "a.xlsx", "application/x-misnamed"),
        (ole("EncryptedPackage"), "a.docx", ENCRYPTED_OFFICE),
        (ole("WordDocument"), "a.docx", "application/msword"),
        (ole("__substg1.0_0037"), "a.eml", "application/vnd.ms-outlook"),
        (MAIL, "a.txt", "message/rfc822"),
        (b"\xef\xbb\xbf" + MAIL, "a", "message/rfc822"),
        (b"Subject: x\n\nHello", "a.eml", "message/rfc822"),
        (MEMO, "memo.txt", "text/plain"),
        (b"\x89PNG\r\n\x1a\n", "a.jpg", "image/png"),
        (b"\xff\xd8\xff\xe0", "a", "image/jpeg"),
        (b"MM\x00*", "a", "image/tiff"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "a", "image/webp"),
        (b"<!-- x -->\n<!DOCTYPE html><p>", "a.txt", "text/html"),
        (b"<!DOCTYPE html><p>404", "a.docx", "application/x-misnamed-html"),
        (b"<html><body>Log in", "a.PDF", "application/x-misnamed-html"),
        (b"<p>half a page</p>", "a.html", "text/html"),
        (b"<p>half a page</p>", "a.txt", "text/plain"),
        (b"<?xml version='1.0'?><svg>", "a.png", "image/svg+xml"),
        (b"# Title\n", "a.md", "text/markdown"),
        ("Größe".encode("utf-16-le") * 9, "a.txt", "text/plain"),
        (b"\x7fELF\x02\x01", "a.txt", "application/x-elf"),
        (b"{\\rtf1 x}", "a.docx", "application/x-misnamed"),
        (b"{\\rtf1 x}", "a.doc", "application/rtf"),
        (bytes(range(256)) * 4, "a.txt", "application/octet-stream"),
    ],
    ids=lambda value: f"{len(value)} bytes" if isinstance(value, bytes) else value,  # ZIPs hold the time
)
def test_content_decides_what_a_file_is(data: bytes, name: str, kind: str) -> None:
    assert detect(data, name) == kind


def test_a_path_is_read_for_its_content(tmp_path: Path) -> None:
    path = tmp_path / "a.docx"
    path.write_bytes(b"%PDF-1.7\n")
    assert detect(path, path.name) == "application/pdf"


def test_a_path_must_lead_to_a_regular_file(tmp_path: Path) -> None:
    with pytest.raises(SourceRejectedError):
        detect(tmp_path, "folder")
    with pytest.raises(SourceNotFoundError):
        detect(tmp_path / "missing", "missing")
