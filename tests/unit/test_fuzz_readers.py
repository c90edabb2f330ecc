"""Damaged and odd documents, end to end: through the process that reads, and through the whole pipeline."""

from __future__ import annotations

import json
from collections.abc import Iterator
from email.message import EmailMessage
from io import BytesIO
from pathlib import Path

import docx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from docpipe import errors
from docpipe.execution.isolation.reader_process import ReaderProcess
from docpipe.execution.options import Options
from docpipe.formats.base import Limits
from docpipe.models import Document, StageOutput
from docpipe.pipeline.pipeline import Pipeline
from docpipe.sources import Sources
from docpipe.stores.sqlite.store import SqliteStore
from tests.engines import OPTIONS
from tests.unit.formats.test_hostile import SEEDS

LIMITS = Limits(
    max_memory_bytes=500_000_000, max_render_pixels=2_000_000, max_image_pixels=4_000_000, max_seconds=30.0
)
FUZZ = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
"""About a minute for all formats."""
EXPECTED = (
    errors.CorruptDocumentError,
    errors.DocumentTooLargeError,
    errors.EmptyDocumentError,
    errors.EncryptedDocumentError,
    errors.ReadingMemoryError,
    errors.UnsupportedFormatError,
)


@pytest.fixture(scope="module")
def reader() -> Iterator[ReaderProcess]:
    reader = ReaderProcess(Options(ocr_engine="tests.engines:OneLine", ocr_dpi=72, limits=LIMITS))
    yield reader
    reader.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


def read_damaged(reader: ReaderProcess, folder: Path, data: bytes, name: str) -> None:
    """Ends in a sound output or in an error that says what is wrong; the same process serves on."""
    path = folder / name
    path.write_bytes(data)
    try:
        check(reader.read(path, name, lambda *_: None))
    except EXPECTED as error:
        assert storable(str(error))


def check(output: StageOutput) -> None:
    text, pages = output.text or "", output.pages or ()
    assert text.strip()
    assert storable(text)
    assert storable(json.dumps(dict(output.metadata or {})))
    assert all(storable(warn.message) for warn in output.warnings)
    assert [page.number for page in pages] == list(range(1, len(pages) + 1))
    spans = [(page.start, page.end) for page in pages]
    assert spans == sorted(spans)
    for page in pages:
        assert 0 <= page.start <= page.end <= len(text)
        assert all(page.start <= line.start < line.end <= page.end for line in page.lines)


def storable(text: str) -> bool:
    """Whether Postgres and JSON can hold it."""
    return "\0" not in text and text.encode("utf-8", "replace").decode("utf-8") == text


@pytest.mark.parametrize("name", SEEDS)
def test_the_seed_itself_is_read(reader: ReaderProcess, folder: Path, name: str) -> None:
    path = folder / name
    path.write_bytes(SEEDS[name])
    check(reader.read(path, name, lambda *_: None))


@pytest.mark.parametrize("name", SEEDS)
@given(data=st.data())
@FUZZ
def test_a_truncated_document_ends_well(
    reader: ReaderProcess, folder: Path, name: str, data: st.DataObject
) -> None:
    seed = SEEDS[name]
    read_damaged(reader, folder, seed[: data.draw(st.integers(1, len(seed)))], name)


@pytest.mark.parametrize("name", SEEDS)
@given(data=st.data())
@FUZZ
def test_a_document_with_flipped_bits_ends_well(
    reader: ReaderProcess, folder: Path, name: str, data: st.DataObject
) -> None:
    seed = bytearray(SEEDS[name])
    places = st.integers(0, len(seed) * 8 - 1)
    for bit in data.draw(st.lists(places, min_size=1, max_size=12)):
        seed[bit // 8] ^= 1 << bit % 8
    read_damaged(reader, folder, bytes(seed), name)


@pytest.mark.parametrize("name", SEEDS)
@given(data=st.data())
@FUZZ
def test_a_document_with_a_piece_repeated_or_missing_ends_well(
    reader: ReaderProcess, folder: Path, name: str, data: st.DataObject
) -> None:
    seed = SEEDS[name]
    ends = st.integers(0, len(seed))
    first, second, times = data.draw(ends), data.draw(ends), data.draw(st.sampled_from([0, 2, 40]))
    start, end = sorted((first, second))
    damaged = seed[:start] + seed[start:end] * times + seed[end:]
    read_damaged(reader, folder, damaged or b"\n", name)


# --- text that databases cannot hold -------------------------------------------------------------------


ODD = st.sampled_from([chr(code) for code in (0x00, 0x01, 0x08, 0x0B, 0x0C, 0x1B, 0x7F, 0x85, 0x9F)])
LONE = st.sampled_from(["\ud800", "\udbff", "\udc00", "\udfff", "\udc80"])
WORDS = st.sampled_from(["Ann", "met", "Bob", "Zoë", "Émile", "\U0001f600", "e\u0301", "\ufeff", "\uffff"])
GAPS = st.sampled_from([" ", "\n", "\r\n", "\t", ". "])
TEXTS = st.lists(st.one_of(WORDS, GAPS, ODD, LONE), min_size=1, max_size=60).map(lambda parts: "".join(parts))


def as_text(text: str) -> tuple[str, bytes]:
    """UTF-16 may hold lone surrogates, and so U+0000."""
    mostly_text = text + "\nAnn met Bob." * 100  # else it counts as binary
    return "odd.txt", b"\xff\xfe" + mostly_text.encode("utf-16-le", "surrogatepass")


def as_html(text: str) -> tuple[str, bytes]:
    escaped = "".join(f"&#{ord(c)};" if ord(c) > 126 or ord(c) < 32 else c for c in text)
    return "odd.html", f"<html><body><p>{escaped}</p></body></html>".encode("ascii")


def as_mail(text: str) -> tuple[str, bytes]:
    message = EmailMessage()
    message["From"], message["Subject"] = "ann@example.org", "Odd"
    message.set_content("Ann")
    data = bytes(message).replace(b"Ann", text.encode("utf-8", "surrogatepass"))
    return "odd.eml", data.replace(b'charset="utf-8"', b"charset=utf-8").replace(b"7bit", b"8bit")


def as_word(text: str) -> tuple[str, bytes]:
    document = docx.Document()
    document.add_paragraph("".join(c for c in text if c in "\n\t" or (c.isprintable() and c < "\ud800")))
    document.core_properties.title = "Odd"
    buffer = BytesIO()
    document.save(buffer)
    return "odd.docx", buffer.getvalue()


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    folder = tmp_path_factory.mktemp("odd")
    store = SqliteStore(folder / "docpipe.db")
    yield Pipeline(None, store=store, sources=Sources(uploads=folder / "uploads"), options=OPTIONS)
    store.close()


@pytest.mark.parametrize("write", [as_text, as_html, as_mail, as_word])
@given(text=TEXTS)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_odd_characters_are_cleaned_without_shifting_an_offset(
    pipeline: Pipeline, write: object, text: str
) -> None:
    assert callable(write)
    name, data = write(text)
    try:
        document = pipeline.process(data, name=name)
    except (errors.EmptyDocumentError, errors.UnsupportedFormatError):
        return
    assert_sound(document)
    assert document == pipeline.get(document.document_uuid)


def assert_sound(document: Document) -> None:
    text = document.text
    assert storable(text)
    assert not any(0xD800 <= ord(c) <= 0xDFFF or c in "\x01\x08\x0b\x0c\r\x1b\x7f\x85\x9f" for c in text)
    assert [text[chunk.start : chunk.end] for chunk in document.chunks] == [c.text for c in document.chunks]
    assert [text[m.start : m.end] for m in document.mentions] == [m.text for m in document.mentions]
    found = {m.text for m in document.mentions}
    assert all(name in found or f"{name}" not in text.split() for name in ("Ann", "Bob"))
    for page in document.pages:
        assert all(page.start <= line.start < line.end <= page.end for line in page.lines)
        assert "\n" not in "".join(text[line.start : line.end] for line in page.lines)
    for relation in document.relations:
        assert text[relation.evidence.start : relation.evidence.end].strip()


def test_an_error_keeps_no_character_that_a_database_refuses(pipeline: Pipeline) -> None:
    with pytest.raises(errors.CorruptDocumentError) as raised:
        pipeline.process(b"%PDF-1.7\nnot one\n%%EOF", name="odd\0\ud800.pdf")
    assert raised.value.document_uuid is not None
    status = pipeline.status(raised.value.document_uuid)
    assert status.error is not None
    assert storable(status.error.message + status.error.traceback + status.name)
