"""Hostile files made here, a few of each kind: enough to see that none hurts a worker."""

from __future__ import annotations

import os
import struct
import zipfile
import zlib
from collections.abc import Callable
from email.message import EmailMessage
from io import BytesIO
from pathlib import Path

from tests.acceptance.conftest import FOLDER
from tests.acceptance.hostile.cases import Case

SECRET = "the-canary-sings"
_TYPES = (
    b'<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    b'<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    b'<Override PartName="/word/document.xml" ContentType="application/'
    b'vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>'
)
_RELATIONS = (
    b'<?xml version="1.0"?>'
    b'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    b'<Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/'
    b'officeDocument" Target="word/document.xml"/></Relationships>'
)
_WORD = b"http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_MEGABYTE = b" " * 1_000_000


def write_cases(folder: Path, canary: Path, port: int) -> list[Case]:
    """Write the files into `folder`; some name the file `canary` or a program on `port` of this machine."""
    cases = []
    for name, (accept, wanted, make) in _made(canary, port).items():
        path = folder / name
        content = make()
        path.write_bytes(content)
        cases.append(_case(path, accept, wanted))
    return [*cases, *_no_files(folder, canary)]


def _case(path: Path, accept: str, wanted: str = "") -> Case:
    contained = (wanted,) if wanted else ()
    return Case(path.name, path, accept.split("|"), contained, must_not_contain=(SECRET,))


def _no_files(folder: Path, canary: Path) -> list[Case]:
    """What leads to other files, or to none."""
    (folder / "link.txt").symlink_to(canary)
    (folder / "zero.txt").symlink_to("/dev/zero")
    os.mkfifo(folder / "pipe.txt")
    (folder / "folder.txt").mkdir()
    names = ("link.txt", "zero.txt", "pipe.txt", "folder.txt")
    return [_case(folder / name, "error:rejected") for name in names]


Made = dict[str, tuple[str, str, Callable[[], bytes]]]


def _made(canary: Path, port: int) -> Made:
    """Name to: how it may end, what its text holds, what makes it."""
    half = (FOLDER / "contract.pdf").read_bytes()[:20_000]
    return {
        "half.pdf": ("ok|error:corrupt|error:empty", "", lambda: half),
        "half.pdf.crdownload": ("error:rejected", "", lambda: half),
        "laughs.pdf": ("ok|error:timeout|error:memory|error:corrupt|error:empty", "", laughing_forms),
        "outside.pdf": ("ok|error:empty|error:corrupt", "", lambda: pdf_pointing_to(canary)),
        "zeros.docx": ("error:expansion_limit", "", packed_zeros),
        "entity.docx": ("ok|error:corrupt|error:empty", "", lambda: word_with_entity(canary)),
        "laughs.docx": ("error:corrupt|error:expansion_limit", "", word_with_laughs),
        "password.docx": ("error:encrypted", "", password_protected),
        "login.docx": ("error:unsupported", "", lambda: b"<!DOCTYPE html><html><body>Log in</body></html>"),
        "login.pdf": ("error:unsupported", "", lambda: b"<html><body>404 Not found</body></html>"),
        "refs.html": ("ok", "Nothing else is read", lambda: page_pointing_to(canary, port)),
        "matryoshka.eml": ("ok|error:too_deep", "", nested_mail),
        "subject.eml": ("ok|error:too_large|error:too_many_parts|error:expansion_limit", "", long_subject),
        "bomb.png": ("error:too_many_pixels", "", lambda: png_header(60_000, 60_000)),
        "heavy.png": ("error:memory|error:timeout", "", heavy_picture),
        "circle.tif": ("error:corrupt", "", circle_of_pictures),
        "program.pdf": ("error:unsupported", "", lambda: b"\x7fELF" + bytes(5000)),
        "nothing.txt": ("error:empty", "", lambda: b""),
        "blanks.txt": ("error:empty", "", lambda: b" \n\t" * 1000),
        "nul.txt": (
            "ok",
            "after",
            lambda: "be\0fore \ud800 after".ljust(2000).encode("utf-16", "surrogatepass"),
        ),
        "word.txt": ("ok", "", lambda: b"a" * 1_000_000),
        "-rf ..%2f$(reboot).txt": ("ok", "only a name", lambda: b"Only a name."),
    }


def odd_characters() -> bytes:
    """What no database takes, in enough text not to count as binary data."""
    return "be\0fore \ud800 after".ljust(2000).encode("utf-16", "surrogatepass")


# --- PDF ----------------------------------------------------------------------------------------


def _pdf(*objects: bytes) -> bytes:
    """The objects, numbered from 1, as a file; number 1 is the catalog."""
    data, places = b"%PDF-1.7\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    head = b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    trailer = b"trailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, len(data))
    return data + head + table + trailer


def _stream(entries: bytes, content: bytes) -> bytes:
    return b"<<%s/Length %d>>\nstream\n%s\nendstream" % (entries, len(content), content)


def _page(resources: bytes, content: bytes) -> tuple[bytes, ...]:
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Resources<<%s>>/Contents 4 0 R>>" % resources
    tree = b"<</Type/Pages/Kids[3 0 R]/Count 1>>"
    return b"<</Type/Catalog/Pages 2 0 R>>", tree, page, _stream(b"", content)


def laughing_forms() -> bytes:
    """Forms that draw the next one ten times each, ten deep: 10^10 paths in 2 kB."""
    box = b"/Type/XObject/Subtype/Form/BBox[0 0 600 800]"
    forms = [
        _stream(b"%s/Resources<</XObject<</F %d 0 R>>>>" % (box, number), b"/F Do " * 10)
        for number in range(6, 15)
    ]
    return _pdf(*_page(b"/XObject<</F 5 0 R>>", b"/F Do"), *forms, _stream(box, b"0 0 m 9 9 l S"))


def pdf_pointing_to(canary: Path) -> bytes:
    """A picture whose bytes lie in another file, and an action that opens it."""
    named = str(canary).encode()
    picture = b"/Type/XObject/Subtype/Image/Width 8/Height 8/BitsPerComponent 8/ColorSpace/DeviceGray"
    catalog, *rest = _page(b"/XObject<</I 5 0 R>>", b"600 0 0 800 0 0 cm /I Do")
    opened = catalog.replace(b">>", b"/OpenAction<</S/Launch/F(%s)>>>>" % named)
    return _pdf(opened, *rest, _stream(picture + b"/F(%s)" % named, b""))


# --- Word, web page, mail -----------------------------------------------------------------------


def _docx(*parts: bytes) -> bytes:
    """A Word document of which `parts`, one after the other, are the text's part."""
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("[Content_Types].xml", _TYPES)
        archive.writestr("_rels/.rels", _RELATIONS)
        with archive.open("word/document.xml", "w") as text:
            for part in parts:
                text.write(part)
    return buffer.getvalue()


def _paragraph(text: bytes) -> bytes:
    paragraph = b"<w:p><w:r><w:t>%s</w:t></w:r></w:p>" % text
    return b'<w:document xmlns:w="%s"><w:body>%s</w:body></w:document>' % (_WORD, paragraph)


def packed_zeros() -> bytes:
    """400 MB of blanks."""
    return _docx(b"<?xml version='1.0'?>", *[_MEGABYTE] * 400, _paragraph(b"the end"))


def word_with_entity(canary: Path) -> bytes:
    return _docx(
        b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY c SYSTEM "file://%s">]>' % str(canary).encode(),
        _paragraph(b"Before &c; after"),
    )


def word_with_laughs() -> bytes:
    laughs = b"".join(b'<!ENTITY l%d "%s">' % (n, b"&l%d;" % (n - 1) * 10) for n in range(1, 12))
    return _docx(b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY l0 "ha">%s]>' % laughs, _paragraph(b"&l11;"))


def password_protected() -> bytes:
    """What Word writes under a password: an OLE file that holds the encrypted package."""
    head = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504)
    return head + "EncryptedPackage".encode("utf-16-le") + bytes(2048)


def page_pointing_to(canary: Path, port: int) -> bytes:
    far = f"http://127.0.0.1:{port}/"
    return (
        f"<html><head><link rel=stylesheet href='{far}'><script src='{far}'></script></head><body>"
        f"<img src='file://{canary}'><iframe src='file://{canary}'></iframe><img src='{far}'>"
        "Nothing else is read.</body></html>"
    ).encode()


def nested_mail() -> bytes:
    """A mail in a mail in a mail, fifty deep."""
    mail = EmailMessage()
    mail["From"] = "ann@example.org"
    mail.set_content("the innermost")
    for _ in range(50):
        outer = EmailMessage()
        outer["From"] = "ann@example.org"
        outer.add_attachment(mail)
        mail = outer
    return bytes(mail)


def long_subject() -> bytes:
    """20,000 encoded words, for which Python's own parser needs gigabytes."""
    return b"From: ann@example.org\nSubject: %s\n\nThe text.\n" % (b"=?utf-8?q?a?= " * 20_000)


# --- pictures -----------------------------------------------------------------------------------


def png_header(width: int, height: int) -> bytes:
    """A picture of one colour that promises any number of pixels."""
    return _png(width, height, _GRAY, b"")


def heavy_picture() -> bytes:
    """As many pixels as are allowed, half of them dark, in 2 MB: 1.3 GB when it is laid on white."""
    side = 9990
    row = b"\0" + b"\x10" * (2 * side) + b"\xf0" * (2 * side)
    return _png(side, side, _RED_GREEN_BLUE_ALPHA, row * side)


_GRAY, _RED_GREEN_BLUE_ALPHA = (1, 0), (8, 6)
"""Bits of a sample, and PNG's colour type."""


def _png(width: int, height: int, pixels: tuple[int, int], rows: bytes) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, *pixels, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(rows, 1))
        + chunk(b"IEND", b"")
    )


def circle_of_pictures() -> bytes:
    """A TIFF whose first picture, half of it black, is also the one after it."""
    entries = {256: 8, 257: 8, 258: 1, 259: 1, 262: 0, 273: 8, 277: 1, 278: 8, 279: 8}
    tags = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries.items())
    pixels = b"\xf0" * 8
    first = 8 + len(pixels)
    directory = struct.pack("<H", len(entries)) + tags + struct.pack("<I", first)
    return b"II*\0" + struct.pack("<I", first) + pixels + directory
