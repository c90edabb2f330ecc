"""Readers that other packages bring, as their entry points name them, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from docpipe import Pipeline
from docpipe.errors import ConfigurationError, CorruptDocumentError
from docpipe.formats import plugins
from docpipe.formats.base import RawPage, Reader, TextLine, TextReader
from docpipe.formats.request import ReadRequest
from docpipe.testing import check_reader

READER = """
from docpipe import RawPage, TextLine, TextReader
from docpipe.errors import CorruptDocumentError

file_type = "text/x-shout"

def sniff(head, name):
    return head.startswith(b"SHOUT")

def open_reader(request):
    lines = request.content().decode().splitlines()[1:]
    if not lines:
        raise CorruptDocumentError(f"{request.name} shouts nothing.")
    return TextReader(file_type, [RawPage(None, None, tuple(TextLine(line.upper()) for line in lines))])
"""


@pytest.fixture
def installed(tmp_path: Path) -> Callable[..., Path]:
    """A folder of packages with a reader in it, as pip leaves one."""

    def install(code: str = READER, value: str = "shout_reader") -> Path:
        packages = tmp_path / "site-packages"
        metadata = packages / "shout_reader-1.0.dist-info"
        metadata.mkdir(parents=True)
        (packages / "shout_reader.py").write_text(code)
        (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: shout-reader\nVersion: 1.0\n")
        (metadata / "entry_points.txt").write_text(f"[docpipe.readers]\nshout = {value}\n")
        return packages

    return install


def docpipe(packages: Path, *arguments: str) -> tuple[int, str]:
    env = {**os.environ, "PYTHONPATH": str(packages), "XDG_DATA_HOME": str(packages.parent / "data")}
    command = [str(Path(sys.executable).with_name("docpipe")), *arguments]
    done = subprocess.run(command, env=env, cwd=packages.parent, capture_output=True, text=True)
    return done.returncode, done.stdout or done.stderr


def ran(packages: Path, **files: bytes) -> list[dict[str, Any]]:
    """What one process says of the files, by the name of their type."""
    paths = [packages.parent / f"a.{kind}" for kind in files]
    for path, content in zip(paths, files.values(), strict=True):
        path.write_bytes(content)
    lines = docpipe(packages, "run", "--json", *map(str, paths))[1].splitlines()
    return [json.loads(line) for line in lines]


def test_a_reader_of_another_package_reads_in_the_sandbox_and_attachments_too(
    installed: Callable[..., Path],
) -> None:
    mail = (
        b"From: a@b.example\nSubject: x\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=-\n\n"
        b'---\nContent-Type: application/octet-stream; name="a.shout"\n\nSHOUT\nhear all\n-----\n'
    )
    shouted, mailed = ran(installed(), shout=b"SHOUT\nhear ye", eml=mail)
    assert shouted["text"] == "HEAR YE"
    assert "HEAR ALL" in mailed["text"]


@pytest.fixture
def import_from(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path], None]]:
    """Lets this process find packages there, for this test."""

    def found(packages: Path) -> None:
        monkeypatch.syspath_prepend(packages)
        monkeypatch.delitem(sys.modules, "shout_reader", raising=False)
        plugins.installed.cache_clear()

    yield found
    monkeypatch.undo()
    sys.modules.pop("shout_reader", None)
    plugins.installed.cache_clear()


@pytest.mark.parametrize(
    ("code", "value", "remedy"),
    [
        ("import not_there", "shout_reader", "Install what it needs"),
        ("", "shout_reader:gone", "Install what it needs"),
        ("file_type = 'text/x-shout'", "shout_reader", "Update its package"),
    ],
)
def test_a_reader_that_cannot_be_loaded_is_named(
    installed: Callable[..., Path],
    import_from: Callable[[Path], None],
    code: str,
    value: str,
    remedy: str,
) -> None:
    import_from(installed(code, value))
    with pytest.raises(ConfigurationError, match=rf"The reader shout \({value}\).*{remedy}"):
        plugins.claiming(b"A letter.", "a.txt")


def test_a_document_says_which_reader_cannot_be_loaded(installed: Callable[..., Path]) -> None:
    (found,) = ran(installed("import not_there"), txt=b"A letter.")
    assert found["error"]["code"] == "configuration"
    assert "The reader shout (shout_reader)" in found["error"]["message"]


def test_the_doctor_lists_readers_of_other_packages_and_refuses_a_broken_one(
    installed: Callable[..., Path], import_from: Callable[[Path], None], docpipe_eager: Pipeline
) -> None:
    def found() -> tuple[bool, str]:
        plugins.installed.cache_clear()
        return next(
            (each.ok, each.message)
            for each in docpipe_eager.examine(consumers=False)
            if each.check == "readers"
        )

    packages = installed()
    import_from(packages)
    assert found() == (True, "brought by other packages: shout")
    (packages / "shout_reader-1.0.dist-info" / "entry_points.txt").write_text("[docpipe.readers]\nx = gone\n")
    ok, message = found()
    assert not ok
    assert "The reader x (gone)" in message


class Exemplary:
    file_type = "text/x-shout"

    def sniff(self, head: bytes, name: str) -> bool:
        return head.startswith(b"SHOUT\n")

    def open_reader(self, request: ReadRequest) -> Reader:
        _, *lines = request.content().decode().split("\n")
        if not lines:
            raise CorruptDocumentError(f"{request.name} shouts nothing.")
        return TextReader(self.file_type, [RawPage(None, None, tuple(map(TextLine, lines)))])


class Greedy(Exemplary):
    def sniff(self, head: bytes, name: str) -> bool:
        return True


class Blind(Exemplary):
    def sniff(self, head: bytes, name: str) -> bool:
        return False


class Silent(Exemplary):
    def open_reader(self, request: ReadRequest) -> Reader:
        return TextReader(self.file_type, [RawPage(None, None)])


class Fragile(Exemplary):
    def open_reader(self, request: ReadRequest) -> Reader:
        if len(request.content()) < 10:
            raise IndexError("list index out of range")
        return super().open_reader(request)


class Fickle(Exemplary):
    def __init__(self) -> None:
        self._words: Iterator[str] = iter(("one", "two"))

    def open_reader(self, request: ReadRequest) -> Reader:
        return TextReader(self.file_type, [RawPage(None, None, (TextLine(next(self._words)),))])


class Misnamed(Exemplary):
    file_type = "shout"


def test_a_reader_that_keeps_the_contract_passes() -> None:
    pages = check_reader(Exemplary(), b"SHOUT\nhear ye", "a.shout")
    assert [[line.text for line in page.lines] for page in pages] == [["hear ye"]]


@pytest.mark.parametrize(
    ("reader", "message"),
    [
        (Greedy(), "takes foreign.bin"),
        (Blind(), "is not of the reader"),
        (Silent(), "has text or a picture"),
        (Fragile(), "raised IndexError"),
        (Fickle(), "differently the second time"),
        (Misnamed(), "not a MIME type"),
    ],
)
def test_a_reader_that_breaks_the_contract_is_told_how(reader: Exemplary, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_reader(reader, b"SHOUT\nhear ye", "a.shout")
