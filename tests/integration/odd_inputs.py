"""Two hundred odd things that hosts hand over, each made anew for every way to run."""

from __future__ import annotations

import array
import io
import mmap
import os
import socket
import struct
import zipfile
import zlib
from collections import ChainMap, Counter, OrderedDict
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from functools import partial
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any
from uuid import UUID

import pymupdf

TEXT = b"Ann met Bob."
_AES = 5
"""As PyMuPDF numbers it."""
UUID_TEXT = "6ab4b8f7-0000-4000-8000-000000000000"


@dataclass(frozen=True)
class Odd:
    """One call of `submit`, or of `process`."""

    what: str
    source: Callable[[Path], Any]
    """Made anew for each call, in this folder."""
    told: dict[str, Any] = field(default_factory=dict)


def given(what: str, source: object, **told: Any) -> Odd:
    return Odd(what, lambda _: source, told)


def text(what: str, **told: Any) -> Odd:
    """A good text in a project of its own, with something odd about it."""
    return given(what, f"Ann met Bob about {what}.".encode(), **({"name": "note.txt"} | told))


def made(what: str, source: Callable[[Path], Any], **told: Any) -> Odd:
    return Odd(what, source, {"name": "note.txt"} | told)


def content(name: str, data: bytes | Callable[[], bytes]) -> Odd:
    """Bytes of a file under this name."""
    return Odd(f"content of {name}", lambda _: data if isinstance(data, bytes) else data(), {"name": name})


class PathLike:
    def __init__(self, path: Any) -> None:
        self.path = path

    def __fspath__(self) -> Any:
        return self.path


class Reader:
    """Reads what it is told to, block by block."""

    def __init__(self, *blocks: Any, name: Any = "note.txt") -> None:
        self._blocks, self.name = list(blocks), name

    def read(self, size: int = -1) -> Any:
        if size == 0:
            return b""
        block = self._blocks.pop(0) if self._blocks else b""
        if isinstance(block, Exception):
            raise block
        return block


class Upload:
    """As web frameworks have it."""

    def __init__(self, file: Any, filename: Any) -> None:
        self.file, self.filename = file, filename

    async def read(self, size: int = -1) -> bytes:
        return bytes(self.file.read(size))


class Colour(Enum):
    RED = "red"


class Number(IntEnum):
    ONE = 1


def odd_inputs() -> list[Odd]:
    """All of them."""
    return [*_kinds(), *_files(), *_paths(), *_names(), *_projects(), *_metadata(), *_reading(), *_contents()]


# --- kinds of sources -------------------------------------------------------------------------------


def _kinds() -> Iterator[Odd]:
    for what, source in {
        "bytes": TEXT,
        "bytearray": bytearray(TEXT),
        "memoryview": memoryview(TEXT),
        "every second byte": memoryview(b"A n n   m e t   B o b . ")[::2],
        "view of numbers": memoryview(array.array("I", [0x206E6E41, 0x2074656D])),
        "view of two dimensions": memoryview(bytes(TEXT)).cast("B", (3, 4)),
        "array": array.array("B", TEXT),
        "no bytes": b"",
        "no bytearray": bytearray(),
        "None": None,
        "True": True,
        "number": 7,
        "negative number": -1,
        "float": 1.5,
        "list of bytes": [TEXT],
        "list of paths": ["a.txt"],
        "tuple": (TEXT, "note.txt"),
        "dict": {"file": TEXT},
        "set": frozenset({TEXT}),
        "object": object(),
        "class": Path,
        "function": len,
    }.items():
        yield given(what, source, name="note.txt")
    yield given("bytes without a name", TEXT)
    yield made("generator", lambda _: (block for block in [TEXT]))
    yield made("mapped memory", _mapped)
    yield made("string buffer", lambda _: io.StringIO("Ann met Bob."))


def _mapped(_: Path) -> mmap.mmap:
    memory = mmap.mmap(-1, len(TEXT))
    memory[:] = TEXT
    return memory


def _files() -> Iterator[Odd]:
    yield made("file in memory", lambda _: io.BytesIO(TEXT))
    yield made("file without a name", lambda _: io.BytesIO(TEXT), name=None)
    yield made("file read to its end", lambda _: _at_end(io.BytesIO(TEXT)))
    yield made("closed file", lambda _: _closed(io.BytesIO(TEXT)))
    yield made("file open for writing", lambda folder: (folder / "new").open("wb"))
    yield made("file in text mode", lambda folder: _written(folder, "t.txt").open())
    yield made("file by its descriptor", _by_descriptor, name=None)
    yield made("unbuffered file", lambda folder: _written(folder, "u.txt").open("rb", buffering=0), name=None)
    for what, reader in {
        "reads None": (None,),
        "reads text, then": (TEXT, "text"),
        "reads numbers": (7,),
        "reads a list": ([1],),
        "reads a bytearray": (bytearray(TEXT),),
        "reads a memoryview": (memoryview(TEXT),),
        "breaks with OSError": (TEXT, OSError(5, "Input/output error")),
        "breaks with ValueError": (TEXT, ValueError("seek of closed file")),
        "breaks with a time-out": (TimeoutError("timed out"),),
        "breaks with KeyError": (KeyError("x"),),
    }.items():
        yield made(f"file that {what}", partial(_reader, reader))
    for name in ("", 7, b"note.txt", None, Path("note.txt"), "a\0b"):
        yield made(f"file named {name!r}", partial(_named_reader, name), name=None)
        yield made(f"upload of {name!r}", partial(_upload, name), name=None)
    yield made("upload of no file", lambda _: Upload(None, "note.txt"), name=None)
    yield made("upload of an upload", lambda _: Upload(Upload(io.BytesIO(TEXT), "a"), "note.txt"), name=None)


def _reader(blocks: tuple[Any, ...], _: Path) -> Reader:
    return Reader(*blocks)


def _named_reader(name: object, _: Path) -> Reader:
    return Reader(TEXT, name=name)


def _upload(name: object, _: Path) -> Upload:
    return Upload(io.BytesIO(TEXT), name)


def _spelt(spell: Callable[[Path], Any], folder: Path) -> Any:
    return spell(_written(folder, "plain.txt"))


def _at_end(file: io.BytesIO) -> io.BytesIO:
    file.read()
    return file


def _closed(file: io.BytesIO) -> io.BytesIO:
    file.close()
    return file


def _by_descriptor(folder: Path) -> Any:
    return os.fdopen(os.open(_written(folder, "fd.txt"), os.O_RDONLY), "rb")


def _written(folder: Path, name: str, data: bytes = TEXT) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


# --- paths ------------------------------------------------------------------------------------------


def _paths() -> Iterator[Odd]:
    spellings: dict[str, Callable[[Path], Any]] = {
        "path": lambda path: path,
        "path as text": str,
        "path-like": PathLike,
        "path-like of bytes": lambda path: PathLike(os.fsencode(path)),
        "path-like of a number": lambda _: PathLike(7),
        "address of a file": lambda path: path.as_uri(),
        "address in capitals": lambda path: path.as_uri().replace("file", "FILE"),
        "address of a host": lambda path: f"file://elsewhere{path}",
        "address with a query": lambda path: f"{path.as_uri()}?x=1",
        "address with a fragment": lambda path: f"{path.as_uri()}#x",
        "address that hides a slash": lambda path: f"{path.parent.as_uri()}%2Fnote.txt",
        "address with dots": lambda path: f"{path.parent.as_uri()}/./note.txt",
        "path with dots": lambda path: path.parent / "x" / ".." / path.name,
        "path with a slash at its end": lambda path: f"{path}/",
        "path as bytes": os.fsencode,
    }
    for what, spell in spellings.items():
        yield made(what, partial(_spelt, spell), name=None)
    for what, source in {
        "empty path": "", "blank path": " ", "NUL in a path": "a\0b.txt",
        "surrogate in a path": "a\ud800.txt", "line break in a path": "a\nb.txt", "dot": ".", "dots": "..",
        "root": "/", "home": "~", "home of nobody": "~nobody-at-all/a.txt", "long name": "a" * 300,
        "long path": "/".join("a" * 4000), "drive": "C:\\a.txt", "share": r"\\server\share\a.txt",
        "no scheme": "://a", "scheme alone": "file://", "unknown scheme": "ftp://host/a.txt",
        "data": "data://text/plain,Ann", "no bucket": "s3:///key",
        "forbidden address": "https://example.org/a.pdf",
        "address with a user": "https://a:secret@example.org/a.pdf", "http": "http://example.org/a.pdf",
        "storage that is not set up": "supabase://bucket/a.pdf", "memory": "/proc/self/environ",
        "zeros": "/dev/zero", "nothing": "/dev/null", "standard input": "/dev/stdin",
    }.items():  # fmt: skip
        yield given(what, source)
    yield made("gone", lambda folder: folder / "gone.txt", name=None)
    yield made("folder", lambda folder: folder, name=None)
    yield made("file as a folder", lambda folder: _written(folder, "plain.txt") / "a.txt", name=None)
    yield made("pipe", lambda folder: _special(folder / "pipe", os.mkfifo), name=None)
    yield made("socket", lambda folder: _special(folder / "s", _bind), name=None)
    yield made("link", lambda folder: _link(folder / "link.txt", _written(folder, "plain.txt")), name=None)
    yield made("link to nothing", lambda folder: _link(folder / "no.txt", folder / "gone"), name=None)
    yield made("link to itself", lambda folder: _link(folder / "loop.txt", folder / "loop.txt"), name=None)
    yield made("link to a folder", lambda folder: _link(folder / "up", folder), name=None)
    for name in (
        "a.pdf.part",
        "b.crdownload",
        "c%20d.txt",
        "e?f.txt",
        "g#h.txt",
        "\u202eexe.txt",
        "i\tj.txt",
    ):
        yield made(f"file {name!r}", partial(_written, name=name), name=None)
    yield made("file that is no text", lambda folder: _undecodable(folder), name=None)


def _special(path: Path, make: Callable[[Path], object]) -> Path:
    if not path.exists():
        make(path)
    return path


def _bind(path: Path) -> None:
    with closing(socket.socket(socket.AF_UNIX)) as server:
        server.bind(os.path.relpath(path))  # the whole path is too long for a socket


def _link(path: Path, target: Path) -> Path:
    if not path.is_symlink():
        path.symlink_to(target)
    return path


def _undecodable(folder: Path) -> str:
    return str(_written(folder, os.fsdecode(b"caf\xe9.txt")))


# --- what is told beside ----------------------------------------------------------------------------


def _names() -> Iterator[Odd]:
    names: list[Any] = [
        "", " ", ".", "/", "a/b.txt", "a\\b.txt", "a\0.txt", "a\nb.txt", "a\x1b[31m.txt",
        "\u202etxt.exe", "\ud800.txt", "e\u0301.txt", "a" * 255 +
        "a" * 10_000, "text", "text.pdf", "text.docx", ".txt", 7, b"a.txt", ["a.txt"],
        True, Path("a.txt"), PurePosixPath("b/a.txt"), PathLike("a.txt"), PathLike(b"a.txt"),
        "'; drop table source_documents; --.txt",
    ]  # fmt: skip
    for number, name in enumerate(names):
        yield text(f"the name {number}, a {type(name).__name__}", name=name)


def _projects() -> Iterator[Odd]:
    projects: list[Any] = [
        "", " ", UUID(UUID_TEXT), UUID_TEXT, 7, 7.0, True, b"p", ["p"],
        {"id": "p"}, Path("p"), "a\0b", "\ud800", "\N{GRINNING FACE}", "a\nb",
        "p" * 10_000, "'; --",
    ]  # fmt: skip
    for number, project in enumerate(projects):
        yield text(f"the project {number}, a {type(project).__name__}", project_id=project)


def _metadata() -> Iterator[Odd]:
    kept: list[Any] = [
        None, True, 0, -0.0, 1.0, 1e22, 1e-300, 1.7e308, 0.1, 2**53, "\\u0000", "\N{GRINNING FACE}",
        "e\u0301", "\x1b", (1, 2), date(2026, 1, 2), datetime(2026, 1, 2, tzinfo=UTC), time(1, 2),
        UUID(UUID_TEXT), Decimal("1.50"), Decimal("NaN"), Path("a"), Number.ONE, "x" * 100_000,
        {"a": {"b": [None]}}, {1: "a", "1": "b"}, {None: 1}, {True: 1}, {1.5: 1}, {"": 1}, _nested(50),
        Counter("aab"), {"docpipe": {"reading": {"engine": "x"}}},
    ]  # fmt: skip
    yield text("metadata of all kinds", metadata={f"it{number}": each for number, each in enumerate(kept)})
    refused: list[Any] = [
        10**5000, float("nan"), float("inf"), "\0", "\ud800", b"bytes", {1}, timedelta(1), 1j, object(),
        Colour.RED, range(3), {(1, 2): 1}, {"\0": 1}, _nested(2000), MappingProxyType({"a": 1}),
    ]  # fmt: skip
    for number, value in enumerate(refused):
        yield text(f"metadata with a {type(value).__name__}, value {number}", metadata={"it": value})
    for whole in ([], "text", 7, [("a", 1)]):
        yield text(f"metadata that is {whole!r}", metadata=whole)
    for good in (MappingProxyType({"a": 1}), ChainMap({"a": 1}, {"b": 2}), OrderedDict(a=1)):
        yield text(f"metadata that is a {type(good).__name__}", metadata=good)


def _nested(depth: int) -> list[Any]:
    found: list[Any] = []
    for _ in range(depth):
        found = [found]
    return found


def _reading() -> Iterator[Odd]:
    for dpi in (0, 71, 72, 600, 601, -200, "200", 200.0, True, float("nan"), [200]):
        yield text(f"dpi {dpi!r}", dpi=dpi)
    languages: list[Any] = [
        [], ["eng"], "eng", b"eng", ("eng", "deu"), {"eng"}, [1], [None], [""], ["eng;x"], ["../eng"],
        ["x" * 99], iter(["eng"]),
    ]  # fmt: skip
    for number, each in enumerate(languages):
        yield text(f"languages {number}", languages=each)
    for engine in (
        "",
        "nope",
        "tests.engines:OneLine",
        "tests.engines:Unsure",
        "os:system",
        7,
        ["rapidocr"],
        "a\0b",
    ):
        yield text(f"engine {engine!r}", engine=engine)
    for again in (True, None, "yes", 1):
        yield text(f"reprocess {again!r}", reprocess=again)


# --- contents ---------------------------------------------------------------------------------------


def _contents() -> Iterator[Odd]:
    for name, data in {
        "nul.txt": b"\0", "nuls.txt": b"Ann\0met\0Bob.", "blank.txt": b" \n\t ", "bom.txt": b"\xef\xbb\xbf",
        "utf16.txt": "Ann met Bob.".encode("utf-16"), "half16.txt": "Ann met Bob.".encode("utf-16")[:-1],
        "utf32.txt": "Ann met Bob.".encode("utf-32"), "latin.txt": b"caf\xe9",
        "broken.txt": b"Ann \xff\xfe\xfd Bob", "control.txt": bytes(range(256)),
        "surrogate.txt": b"\xed\xa0\x80 Ann", "long-line.txt": b"a" * 50_000,
        "returns.txt": b"Ann\rmet\rBob.", "noncharacter.txt": "Ann \uffff met \ufffe Bob.".encode(),
        "a.json": b'{"a": [1, 2]}', "a.csv": b"name,age\nAnn,7\n", "a.xml": b"<a><b/></a>",
        "a.svg": b"<svg/>", "a.html": b"<p>Ann met <b>Bob", "empty.html": b"<html></html>",
        "a.md": b"# Ann\n\nmet *Bob*", "a.rtf": rb"{\rtf1 Ann met Bob.}", "open.rtf": rb"{\rtf1 {{{{ Ann",
        "a.eml": b"From: a@b\n\nAnn met Bob.", "bare.eml": b"From: a@b\n",
        "part.eml": b"Content-Type: multipart/mixed; boundary=X\n\n--X\n", "head.pdf": b"%PDF-1.7",
        "eof.pdf": b"%PDF-1.7\n%%EOF", "text.pdf": b"Ann met Bob.", "a.exe": b"MZ\0\0" * 20,
        "a.docx": b"PK\3\4", "a.xlsx": b"PK\5\6" + bytes(18),
        "a.doc": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504), "a.png": b"\x89PNG\r\n\x1a\n",
        "a.jpg": b"\xff\xd8\xff\xe0", "a.gif": b"GIF89a", "a.tif": b"II*\0", "a.bmp": b"BM",
        "a.webp": b"RIFF\0\0\0\0WEBP", "a.heic": b"\0\0\0\x18ftypheic", "a.gz": zlib.compress(TEXT),
        "a.7z": b"7z\xbc\xaf'\x1c", "a.mbox": b"From a\nFrom: a@b\n\nAnn writes.\n", "a.msg": b"Ann",
        "a.odt": b"PK\3\4", "a.zip": b"PK\3\4junk", "a": b"Ann met Bob.",
    }.items():  # fmt: skip
        yield content(name, data)
    yield content("no-members.zip", lambda: _zip())
    yield content("bomb.docx", lambda: _zip(("word/document.xml", b"<a>" * 200_000)))
    yield content("no-document.docx", lambda: _zip(("[Content_Types].xml", b"<Types/>")))
    yield content("climbs.zip", lambda: _zip(("../a.txt", b"Ann climbs."), ("/b.txt", b"Bob climbs.")))
    yield content("no-pages.pdf", _pdf_without_pages)
    yield content("blank.pdf", lambda: _pdf(""))
    yield content("good.pdf", lambda: _pdf("Ann met Bob."))
    yield content("cut.pdf", lambda: _pdf("Ann met Bob.")[:400])
    yield content("locked.pdf", lambda: _pdf("Ann met Bob.", encryption=_AES, user_pw="x"))
    yield content("dot.png", lambda: _png(1, 1))
    yield content("wide.png", lambda: _png(2**31 - 1, 2**31 - 1))
    yield content("flat.png", lambda: _png(100_000, 1))
    yield content("good.png", lambda: _png(60, 20))


def _zip(*members: tuple[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members:
            file.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def _pdf(words: str, **saved: Any) -> bytes:
    with pymupdf.open() as file:  # type: ignore[no-untyped-call]
        page = file.new_page()
        if words:
            page.insert_text((72, 72), words)
        return bytes(file.tobytes(no_new_id=True, **saved))


def _pdf_without_pages() -> bytes:
    return (
        b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj\n"
    )


def _png(width: int, height: int) -> bytes:
    """A white picture; of a large one the pixels are missing."""
    rows = b"" if width * height > 10**6 else (b"\0" + b"\xff" * width) * height
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*each) for each in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
