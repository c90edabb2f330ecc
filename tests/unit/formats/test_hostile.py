"""Damaged files of every format end in pages or in a `DocpipeError`, never in another exception."""
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

from email.message import EmailMessage
from io import BytesIO
from pathlib import Path

import docx
import pymupdf
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from docpipe.errors import CorruptDocumentError, DocpipeError
from docpipe.formats import open_document

# Small limits keep a damaged size field from making a run slow.
SETTINGS = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


def picture(kind: str) -> bytes:
    buffer = BytesIO()
    Image.linear_gradient("L").resize((40, 30)).convert("RGB").save(buffer, kind)
    return buffer.getvalue()


def pdf() -> bytes:
    document = pymupdf.open()
    page = document.new_page()
    page.insert_text((50, 50), "Hello")
    page.insert_image(pymupdf.Rect(0, 0, 30, 30), stream=picture("PNG"))
    data: bytes = document.tobytes()
    return data


def word() -> bytes:
    document = docx.Document()
    document.add_paragraph("Hello")
    document.add_table(2, 2).cell(0, 0).text = "cell"
    buffer = BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def mail() -> bytes:
    message = EmailMessage()
    message["From"] = "Änne <a@example.org>"
    message["Subject"] = "Größe"
    message.set_content("plain ä")
    message.add_alternative("<p>html</p>", subtype="html")
    message.add_attachment(picture("PNG"), "image", "png", filename="ä.png")
    return bytes(message)


SEEDS = {
    "a.pdf": pdf(),
    "a.docx": word(),
    "a.eml": mail(),
    "a.html": b"<html><head><meta charset=utf-8><title>t</title></head><body><p hidden>x</p>ok</body></html>",
    "a.txt": "Größe und Länge\fSeite".encode("utf-16"),
    **{f"a.{kind.lower()}": picture(kind) for kind in ("PNG", "JPEG", "TIFF", "WEBP", "BMP", "GIF")},
}


def read_all(data: bytes, name: str) -> None:
    try:
        reader = open_document(data, name)
        for page in reader.pages():
            "".join(line.text for line in page.lines).encode("utf-8")
            if page.image:
                page.image(30)
        reader.close()
    except DocpipeError as error:
        assert str(error)


@pytest.mark.parametrize("name", SEEDS)
def test_the_seed_itself_is_read(name: str) -> None:
    assert list(open_document(SEEDS[name], name).pages())


@pytest.mark.parametrize("name", SEEDS)
@given(data=st.data())
@SETTINGS
def test_a_truncated_file_ends_in_pages_or_a_docpipe_error(name: str, data: st.DataObject) -> None:
    seed = SEEDS[name]
    read_all(seed[: data.draw(st.integers(0, len(seed)))], name)


@pytest.mark.parametrize("name", SEEDS)
@given(data=st.data())
@SETTINGS
def test_flipped_bits_end_in_pages_or_a_docpipe_error(name: str, data: st.DataObject) -> None:
    seed = bytearray(SEEDS[name])
    places = st.integers(0, len(seed) * 8 - 1)
    for bit in data.draw(st.lists(places, min_size=1, max_size=12)):
        seed[bit // 8] ^= 1 << bit % 8
    read_all(bytes(seed), name)


@given(data=st.binary(max_size=300), name=st.sampled_from(list(SEEDS)))
@settings(max_examples=300, deadline=None)
def test_any_bytes_end_in_pages_or_a_docpipe_error(data: bytes, name: str) -> None:
    read_all(data, name)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.pdf", b"%PDF-1.7 and nothing more"),
        ("a.jp2", b"\0\0\0\x0cjP  \r\n\x87\n"),
        ("a.png", b"\x89PNG\r\n\x1a\n"),
    ],
)
def test_the_error_of_a_damaged_file_does_not_say_where_it_lies(
    tmp_path: Path, name: str, data: bytes
) -> None:
    path = tmp_path / "input"
    path.write_bytes(data)
    with pytest.raises(CorruptDocumentError) as error:
        open_document(path, name)
    assert str(tmp_path) not in str(error.value)
    assert name in str(error.value)
