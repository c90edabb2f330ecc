"""What a file is, by its content; the name only decides between kinds that look alike."""

from __future__ import annotations

import re
import zipfile
from io import BytesIO
from pathlib import Path, PurePath

from docpipe.formats.base import Data
from docpipe.formats.charset import unmistakable_charset

PDF = "application/pdf"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
EML = "message/rfc822"
HTML = "text/html"
MARKDOWN = "text/markdown"
TEXT = "text/plain"
IMAGES = ("image/png", "image/jpeg", "image/tiff", "image/gif", "image/bmp", "image/webp")
ENCRYPTED_OFFICE = "application/x-encrypted-ooxml"
MISNAMED_HTML = "application/x-misnamed-html"
BINARY = "application/octet-stream"

KINDS = {
    "application/zip": "a ZIP archive",
    "application/epub+zip": "an EPUB book",
    "application/gzip": "a gzip archive",
    "application/x-7z-compressed": "a 7z archive",
    "application/vnd.rar": "a RAR archive",
    "application/rtf": "an RTF document",
    "application/postscript": "a PostScript file",
    "application/msword": "a Word 97-2003 document (.doc)",
    "application/vnd.ms-excel": "an Excel 97-2003 workbook (.xls)",
    "application/vnd.ms-powerpoint": "a PowerPoint 97-2003 presentation (.ppt)",
    "application/vnd.ms-outlook": "an Outlook message (.msg)",
    "application/x-ole-storage": "an OLE2 compound file",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "an Excel workbook",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": "a PowerPoint presentation",
    "application/vnd.oasis.opendocument.text": "an OpenDocument text",
    "application/x-elf": "a Linux program",
    "application/vnd.microsoft.portable-executable": "a Windows program",
    "application/vnd.sqlite3": "an SQLite database",
    "application/fdf": "a PDF form's data (FDF)",
    "image/svg+xml": "an SVG drawing",
    "image/emf": "a Windows drawing (EMF)",
    "image/wmf": "a Windows drawing (WMF)",
    "image/heif": "a HEIF picture",
    "image/vnd.adobe.photoshop": "a Photoshop picture",
    MISNAMED_HTML: "a web page under another format's name, as a download that failed leaves it",
    BINARY: "binary data of an unknown kind",
}

_HEAD = 65_536
_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"II*\0", "image/tiff"),
    (b"MM\0*", "image/tiff"),
    (b"II+\0", "image/tiff"),
    (b"MM\0+", "image/tiff"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"8BPS\0", "image/vnd.adobe.photoshop"),
    (b"\x7fELF", "application/x-elf"),
    (b"SQLite format 3\0", "application/vnd.sqlite3"),
    (b"{\\rtf", "application/rtf"),
    (b"\xd7\xcd\xc6\x9a", "image/wmf"),
    (b"%FDF-", "application/fdf"),
    (b"%!PS", "application/postscript"),
    (b"\xc5\xd0\xd3\xc6", "application/postscript"),
    (b"\x1f\x8b\x08", "application/gzip"),
    (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (b"Rar!\x1a\x07", "application/vnd.rar"),
)
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_OLE_STREAMS = (
    ("EncryptedPackage", ENCRYPTED_OFFICE),
    ("__substg1.0_", "application/vnd.ms-outlook"),
    ("WordDocument", "application/msword"),
    ("PowerPoint Document", "application/vnd.ms-powerpoint"),
    ("Workbook", "application/vnd.ms-excel"),
)
_ZIP_FOLDERS = (
    ("word/", DOCX),
    ("xl/", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ("ppt/", "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
)
_DOCX_SUFFIXES = frozenset({".docx", ".docm", ".dotx", ".dotm"})
_NEVER_HTML = _DOCX_SUFFIXES | {".pdf", ".png", ".jpg", ".jpeg", ".tif", ".tiff", ".gif", ".webp", ".bmp"}
_HEADER_NAME = re.compile(rb"([!-9;-~]{1,70})[ \t]*:")
_MAIL_HEADERS = frozenset(
    b"from to cc subject date sender reply-to received return-path message-id mime-version content-type"
    b" content-transfer-encoding delivered-to dkim-signature authentication-results x-mailer".split()
)
_MEMO_HEADERS = frozenset(b"from to cc subject date sender reply-to".split())
_PDF_WORDS = re.compile(rb"%PDF|\b\d+ \d+ obj\b|\bxref\b|\btrailer\b")
_MARKUP_START = re.compile(
    rb"(?:\s|<!--.*?-->|<\?xml[^>]*>|<!doctype\s+svg[^>]*>)*+<(!doctype\s+html|html|head|body|svg)\b",
    re.I | re.S,
)
_TAG = re.compile(rb"<(?:p|div|table|br|span|a|h[1-6]|ul|font)\b[^<>]*+>", re.I)
_CONTROLS = "\ufffd\x7f" + "".join(map(chr, [*range(0x09), *range(0x0E, 0x1B), *range(0x1C, 0x20)]))
_MAX_CONTROL_SHARE = 0.05


def detect(data: Data, name: str) -> str:
    """The MIME type of a document; `application/octet-stream` for unknown binary data."""
    head = _read_head(data)
    suffix = PurePath(name).suffix.lower()
    return (
        _by_magic(head)
        or _zip_kind(head, data, suffix)
        or _ole_kind(head, data)
        or (EML if _is_mail(head, suffix) else None)
        or (PDF if _is_pdf(head, suffix) else None)
        or (_text_kind(head, suffix) if _is_text(head) else BINARY)
    )


def _read_head(data: Data) -> bytes:
    if isinstance(data, bytes):
        return data[:_HEAD]
    with data.open("rb") as file:
        return file.read(_HEAD)


def _by_magic(head: bytes) -> str | None:
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "image/webp"
    if head.startswith(b"BM") and head[6:10] == bytes(4) and head[15:18] == bytes(3):
        return "image/bmp"
    if head.startswith(b"MZ") and b"\0" in head[:64]:
        return "application/vnd.microsoft.portable-executable"
    if head.startswith(b"\x01\0\0\0") and head[40:44] == b" EMF":
        return "image/emf"
    if head[4:12] in {b"ftypheic", b"ftypheix", b"ftypmif1", b"ftypavif"}:
        return "image/heif"
    return PDF if head[:64].lstrip(b"\xef\xbb\xbf\0\t\r\n\f ").startswith(b"%PDF-") else None


def _zip_kind(head: bytes, data: Data, suffix: str) -> str | None:
    if not head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return None
    try:
        with zipfile.ZipFile(BytesIO(data) if isinstance(data, bytes) else data) as archive:
            return _archive_kind(archive, suffix)
    except (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError, OSError):
        damaged_docx = suffix in _DOCX_SUFFIXES or b"[Content_Types].xml" in head
        return DOCX if damaged_docx else "application/zip"


def _archive_kind(archive: zipfile.ZipFile, suffix: str) -> str:
    names = archive.namelist()
    if "[Content_Types].xml" in names:
        for folder, kind in _ZIP_FOLDERS:
            if any(name.startswith(folder) for name in names):
                return kind
        if suffix in _DOCX_SUFFIXES:
            return DOCX
    if names and names[0] == "mimetype" and archive.getinfo("mimetype").file_size < 100:
        kind = archive.read("mimetype").decode("ascii", "replace").strip()
        return kind if kind in KINDS else "application/zip"
    return "application/zip"


def _ole_kind(head: bytes, data: Data) -> str | None:
    if not head.startswith(_OLE):
        return None
    content = data.read_bytes() if isinstance(data, Path) else data
    for stream, kind in _OLE_STREAMS:
        if stream.encode("utf-16-le") in content:
            return kind
    return "application/x-ole-storage"


def _is_pdf(head: bytes, suffix: str) -> bool:
    """Whether there is a PDF header near the start; a damaged one needs the name's help."""
    return b"%PDF-" in head[:1024] or (suffix == ".pdf" and bool(_PDF_WORDS.search(head)))


def _text_kind(head: bytes, suffix: str) -> str:
    if found := _MARKUP_START.match(head.removeprefix(b"\xef\xbb\xbf")):
        html = MISNAMED_HTML if suffix in _NEVER_HTML else HTML
        return "image/svg+xml" if found[1].lower() == b"svg" else html
    if suffix in {".html", ".htm", ".xhtml"} and _TAG.search(head):
        return HTML
    return MARKDOWN if suffix in {".md", ".markdown"} else TEXT


def _is_text(head: bytes) -> bool:
    sample = head.decode(unmistakable_charset(head) or "latin-1", "replace")
    return sum(map(sample.count, _CONTROLS)) <= _MAX_CONTROL_SHARE * len(sample)


def _is_mail(head: bytes, suffix: str) -> bool:
    """Whether the text starts with an RFC 5322 header block.

    Without the name's help it takes a header no typed memo has, because reading a memo
    ("To: … From: … Re: …") as mail would lose its other lines.
    """
    found = _mail_headers(head)
    if suffix in {".eml", ".mht", ".mhtml"}:
        return bool(found)
    return bool(found & _MEMO_HEADERS) and bool(found - _MEMO_HEADERS)


def _mail_headers(head: bytes) -> set[bytes]:
    found: set[bytes] = set()
    lines = head.removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n").splitlines()
    for number, line in enumerate(lines):
        if number == 0 and line.startswith((b"From ", b">From ")):
            continue
        if line[:1] in {b" ", b"\t"} and found:
            continue
        if not (header := _HEADER_NAME.match(line)):
            break
        found.add(header[1].lower())
    return found & _MAIL_HEADERS
