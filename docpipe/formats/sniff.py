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
CSV = "text/csv"
CALENDAR = "text/calendar"
VCARD = "text/vcard"
RTF = "application/rtf"
MBOX = "application/mbox"
MSG = "application/vnd.ms-outlook"
TNEF = "application/ms-tnef"
SIGNED = "application/pkcs7-mime"
ZIP = "application/zip"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
XLSB = "application/vnd.ms-excel.sheet.binary.macroenabled.12"
XLS = "application/vnd.ms-excel"
PPTX = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
ODT = "application/vnd.oasis.opendocument.text"
ODP = "application/vnd.oasis.opendocument.presentation"
ODS = "application/vnd.oasis.opendocument.spreadsheet"
TEXT = "text/plain"
IMAGES = (
    *("image/png", "image/jpeg", "image/tiff", "image/gif", "image/bmp", "image/webp"),
    *("image/jp2", "image/avif"),
)
HEIF = "image/heif"
ENCRYPTED_OFFICE = "application/x-encrypted-ooxml"
MISNAMED_HTML = "application/x-misnamed-html"
BINARY = "application/octet-stream"

MISNAMED = "application/x-misnamed"
SOURCE_CODE = "text/x-source-code"

KINDS = {
    "application/epub+zip": "an EPUB book",
    "application/gzip": "a gzip archive",
    "application/x-bzip2": "a bzip2 archive",
    "application/x-xz": "an xz archive",
    "application/x-tar": "a tar archive",
    "application/x-7z-compressed": "a 7z archive",
    "application/vnd.rar": "a RAR archive",
    "application/vnd.ms-cab-compressed": "a cabinet archive",
    "application/java-archive": "a Java program",
    "application/postscript": "a PostScript file",
    "application/msword": "a Word 97-2003 document (.doc)",
    "application/vnd.ms-powerpoint": "a PowerPoint 97-2003 presentation (.ppt)",
    "application/vnd.ms-outlook-pst": "an Outlook data file (.pst)",
    "application/vnd.visio": "a Visio drawing",
    "application/x-mspublisher": "a Publisher document",
    "application/x-ole-storage": "a file of an old Office program (an OLE2 compound file)",
    "application/onenote": "a OneNote section",
    "application/vnd.wordperfect": "a WordPerfect document",
    "application/vnd.ms-xpsdocument": "an XPS document",
    "application/vnd.apple.pages": "a Pages, Numbers or Keynote document",
    "application/vnd.oasis.opendocument.graphics": "an OpenDocument drawing",
    "application/x-elf": "a Linux program",
    "application/vnd.microsoft.portable-executable": "a Windows program",
    "application/x-mach-binary": "a macOS program",
    "application/wasm": "a WebAssembly program",
    "application/vnd.sqlite3": "an SQLite database",
    "application/vnd.ms-access": "an Access database",
    "application/vnd.apache.parquet": "a Parquet table",
    "application/fdf": "a PDF form's data (FDF)",
    "application/acad": "an AutoCAD drawing",
    "image/svg+xml": "an SVG drawing",
    "image/emf": "a Windows drawing (EMF)",
    "image/wmf": "a Windows drawing (WMF)",
    "image/jxl": "a JPEG XL picture",
    "image/vnd.djvu": "a DjVu document",
    "image/vnd.adobe.photoshop": "a Photoshop picture",
    "audio": "a sound",
    "video": "a video",
    "font": "a font",
    SOURCE_CODE: "the source code of a program",
    MISNAMED_HTML: "a web page under another format's name, as a download that failed leaves it",
    MISNAMED: "a file of another format than its name says",
    BINARY: "binary data of an unknown kind",
}
"""What docpipe recognises and does not read, in words."""

REMEDIES = {
    "application/vnd.ms-outlook-pst": "Export its mails as EML or MSG.",
    MISNAMED: "Give it the right suffix.",
    MISNAMED_HTML: "Download it again.",
    **dict.fromkeys(
        [kind for kind, words in KINDS.items() if words.endswith("archive")],
        "Unpack it and submit the files in it.",
    ),
}
"""What can be done about it, where that is not to convert it."""

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
    (b"{\\rtf", RTF),
    (b'x\x9f>"', TNEF),
    (b"!BDN", "application/vnd.ms-outlook-pst"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "image/jp2"),
    (b"\xff\x4f\xff\x51", "image/jp2"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "image/jxl"),
    (b"\xff\x0a\xfa", "image/jxl"),
    (b"AT&TFORM", "image/vnd.djvu"),
    (b"\xffWPC", "application/vnd.wordperfect"),
    (b"\xe4\x52\x5c\x7b\x8c\xd8\xa7\x4d\xae\xb1\x53\x78\xd0\x29\x96\xd3", "application/onenote"),
    (b"BZh", "application/x-bzip2"),
    (b"\xfd7zXZ\0", "application/x-xz"),
    (b"MSCF\0\0\0\0", "application/vnd.ms-cab-compressed"),
    (b"\0asm", "application/wasm"),
    (b"\xcf\xfa\xed\xfe", "application/x-mach-binary"),
    (b"\xca\xfe\xba\xbe", "application/java-archive"),
    (b"\0\x01\0\0Standard ", "application/vnd.ms-access"),
    (b"PAR1", "application/vnd.apache.parquet"),
    (b"AC10", "application/acad"),
    (b"ID3", "audio"),
    (b"OggS", "audio"),
    (b"fLaC", "audio"),
    (b"\x1aE\xdf\xa3", "video"),
    (b"\x00\x00\x01\xba", "video"),
    (b"OTTO\0", "font"),
    (b"wOF", "font"),
    (b"\xd7\xcd\xc6\x9a", "image/wmf"),
    (b"%FDF-", "application/fdf"),
    (b"%!PS", "application/postscript"),
    (b"\xc5\xd0\xd3\xc6", "application/postscript"),
    (b"\x1f\x8b\x08", "application/gzip"),
    (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (b"Rar!\x1a\x07", "application/vnd.rar"),
)
_HEIF_BRANDS = frozenset([b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1"])
_AVIF_BRANDS = frozenset([b"avif", b"avis"])
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_OLE_STREAMS = (
    ("EncryptedPackage", ENCRYPTED_OFFICE),
    ("__substg1.0_", "application/vnd.ms-outlook"),
    ("WordDocument", "application/msword"),
    ("PowerPoint Document", "application/vnd.ms-powerpoint"),
    ("Workbook", XLS),
    ("VisioDocument", "application/vnd.visio"),
    ("Quill", "application/x-mspublisher"),
)
_ZIP_PARTS = (
    ("word/", DOCX),
    ("xl/workbook.bin", XLSB),
    ("xl/", XLSX),
    ("ppt/", PPTX),
    ("visio/", "application/vnd.visio"),
    ("FixedDocSeq", "application/vnd.ms-xpsdocument"),
    ("FixedDocumentSequence", "application/vnd.ms-xpsdocument"),
)
_ZIP_SIGNS = (
    ("Index/Document.iwa", "application/vnd.apple.pages"),
    ("Index.zip", "application/vnd.apple.pages"),
    ("META-INF/MANIFEST.MF", "application/java-archive"),
)
_CODE_SUFFIXES_WORDS = """
.py .pyw .js .mjs .ts .tsx .jsx .java .c .h .cc .cpp .hpp .cs .go .rs .rb .php .sh .bash .zsh .bat .cmd
.ps1 .vbs .css .scss .less .swift .kt .kts .scala .pl .pm .lua .r .m .mm .sql .asm .vb .dart .ipynb .tf
"""
_CODE_SUFFIXES = frozenset(_CODE_SUFFIXES_WORDS.split())
_DOCX_SUFFIXES = frozenset({".docx", ".docm", ".dotx", ".dotm"})
_STRICT_SUFFIXES = _DOCX_SUFFIXES | {
    ".xlsx",
    ".xlsm",
    ".pptx",
    ".odt",
    ".ods",
    ".odp",
    ".pdf",
    ".png",
    ".jpg",
    ".jpeg",
    ".tif",
    ".tiff",
    ".gif",
    ".webp",
    ".bmp",
}
_SIGNED_OR_SEALED = re.compile(rb"\x2a\x86\x48\x86\xf7\x0d\x01(?:\x07[\x02\x03\x06]|\x09\x10\x01\x17)")
_MAILBOX_LINE = re.compile(rb"From [^\r\n]{1,300}\r?\n[!-9;-~]{1,70}:")
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
_FRAGMENT = re.compile(rb"\s*+<[a-z][a-z0-9]{0,20}[\s>/]", re.I)
_CARD_START = re.compile(rb"(?:\xef\xbb\xbf)?\s*+BEGIN:(?:VCALENDAR|VCARD)\b", re.I)
_CONTROLS = "\ufffd\x7f" + "".join(map(chr, [*range(0x09), *range(0x0E, 0x1B), *range(0x1C, 0x20)]))
_MAX_CONTROL_SHARE = 0.05
_FEW_CONTROLS = 3


def detect(data: Data, name: str) -> str:
    """The MIME type of a document; `application/octet-stream` for unknown binary data."""
    head = read_head(data)
    suffix = PurePath(name).suffix.lower()
    return (
        _misnamed_rtf(head, suffix)
        or _by_magic(head)
        or _signed_kind(head, suffix)
        or _zip_kind(head, data, suffix)
        or _ole_kind(head, data)
        or (MBOX if _is_mailbox(head, data, suffix) else None)
        or (EML if _is_mail(head, suffix) else None)
        or (PDF if _is_pdf(head, suffix) else None)
        or (_text_kind(head, suffix) if _is_text(head) else BINARY)
    )


def read_head(data: Data) -> bytes:
    """Its first 64 KiB."""
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
    if head[4:8] == b"ftyp":
        return _media_kind(head[8:12])
    if head[257:262] == b"ustar":
        return "application/x-tar"
    if head.startswith(b"RIFF"):
        return {b"WAVE": "audio", b"AVI ": "video"}.get(head[8:12])
    return PDF if head[:64].lstrip(b"\xef\xbb\xbf\0\t\r\n\f ").startswith(b"%PDF-") else None


def _media_kind(brand: bytes) -> str:
    if brand in _AVIF_BRANDS:
        return "image/avif"
    return HEIF if brand in _HEIF_BRANDS else "video"


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
        for part, kind in _ZIP_PARTS:
            if any(name.startswith(part) for name in names):
                return kind
        if suffix in _DOCX_SUFFIXES:
            return DOCX
    if names and names[0] == "mimetype" and archive.getinfo("mimetype").file_size < 100:
        return archive.read("mimetype").decode("ascii", "replace").strip()
    for name, kind in _ZIP_SIGNS:
        if name in names:
            return kind
    return MISNAMED if suffix in _STRICT_SUFFIXES else ZIP


def _misnamed_rtf(head: bytes, suffix: str) -> str | None:
    return MISNAMED if head.startswith(b"{\\rtf") and suffix in _STRICT_SUFFIXES else None


def _signed_kind(head: bytes, suffix: str) -> str | None:
    """A message in its signature, in binary form or in letters."""
    if head[:1] == b"\x30" and _SIGNED_OR_SEALED.search(head[:64]):
        return SIGNED
    in_letters = head.startswith((b"-----BEGIN PKCS7", b"-----BEGIN CMS", b"-----BEGIN PKCS #7"))
    return SIGNED if in_letters or (suffix in {".p7m", ".p7s"} and head.startswith(b"MI")) else None


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
        html = MISNAMED_HTML if suffix in _STRICT_SUFFIXES else HTML
        return "image/svg+xml" if found[1].lower() == b"svg" else html
    if _CARD_START.match(head):
        return VCARD if b"VCARD" in head[:40].upper() else CALENDAR
    if suffix in {".html", ".htm", ".xhtml"} and (_TAG.search(head) or _FRAGMENT.match(head)):
        return HTML
    if suffix in _CODE_SUFFIXES or head.startswith(b"#!/"):
        return SOURCE_CODE
    if suffix in {".csv", ".tsv"}:
        return CSV
    return MARKDOWN if suffix in {".md", ".markdown"} else TEXT


def _is_text(head: bytes) -> bool:
    head = _without_padding(head)
    sample = head.decode(unmistakable_charset(head) or "latin-1", "replace")
    controls = sum(map(sample.count, _CONTROLS))
    return controls <= max(_MAX_CONTROL_SHARE * len(sample), min(_FEW_CONTROLS, len(sample) // 2))


def _without_padding(head: bytes) -> bytes:
    """Without the NULs that fill a block up behind a text of one byte to a letter."""
    bare = head.rstrip(b"\0")
    return bare if bare and b"\0" not in bare else head


def _is_mailbox(head: bytes, data: Data, suffix: str) -> bool:
    """Whether several mails stand one after the other, or one in a file that is named as a mailbox."""
    if not _MAILBOX_LINE.match(head):
        return False
    content = data.read_bytes() if isinstance(data, Path) else data
    starts = re.finditer(rb"\n\r?\n(?=From )", content)
    return suffix == ".mbox" or any(_MAILBOX_LINE.match(content, start.end()) for start in starts)


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
