"""Full disks, folders that are gone, users without a home: each is told, and nothing is left behind."""

from __future__ import annotations

import io
import logging
import os
import pwd
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from docpipe.errors import ConfigurationError, NoRoomError, StoreUnavailableError
from docpipe.execution.isolation.folders import Folders
from docpipe.execution.job import Job
from docpipe.execution.plan import BUILT_IN, StageSpec
from docpipe.execution.policy import Policy
from docpipe.models import StageOutput
from docpipe.pipeline.pipeline import Pipeline
from docpipe.pipeline.settings import Settings
from docpipe.sources import Sources
from docpipe.stores.sqlite.store import SqliteStore
from tests.engines import OPTIONS, doing

TEXT = b"Ann met Bob. " * 400
LARGE = bytes(3 << 20)
"""More than the small disk holds."""


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A disk of 2 MB."""
    disk = tmp_path / "small"
    disk.mkdir()
    if os.geteuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", disk]).returncode:
        pytest.skip("only root may mount a small disk, and not everywhere")
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)  # a failed test may still have files open


def files(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*") if path.is_file()]


def test_uploads_on_a_full_disk_wait_for_room_and_leave_nothing(small: Path) -> None:
    sources = Sources(uploads=str(small))
    with pytest.raises(NoRoomError, match=r"No space left on device.*Make room"):
        sources.take_in(LARGE, "large.txt")
    assert files(small) == []
    assert sources.take_in(b"small", "small.txt").copied  # the disk has room for this


def test_temporary_files_on_a_full_disk_wait_for_room_and_leave_nothing(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(small))
    sources = Sources(uploads=str(tmp_path / "uploads"))
    taken = sources.take_in(LARGE, "large.txt")
    with (
        pytest.raises(NoRoomError, match="No space left on device"),
        sources.fetch(taken.uri, taken.digest, ""),
    ):
        pass
    with pytest.raises(NoRoomError):
        sources.take_in(io.BytesIO(LARGE * 6), "larger.txt")
    assert files(small) == []


class Disk(logging.Handler):
    """Filled by something else than docpipe, which makes room when docpipe first warns."""

    def __init__(self, folder: Path) -> None:
        super().__init__(logging.WARNING)
        self._filler = folder / "filler"

    def fill(self) -> None:
        with suppress(OSError), self._filler.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))

    def make_room(self) -> None:
        self._filler.unlink(missing_ok=True)

    def emit(self, record: logging.LogRecord) -> None:
        self.make_room()


@pytest.fixture
def disk(small: Path) -> Iterator[Disk]:
    logger, disk = logging.getLogger("docpipe"), Disk(small)
    logger.addHandler(disk)
    yield disk
    logger.removeHandler(disk)


def test_a_document_goes_on_when_there_is_room_for_temporary_files_again(
    small: Path, disk: Disk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = on(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(small))
    disk.fill()
    document = pipeline.process(TEXT, name="note.txt")
    first, *others = pipeline.attempts(document.document_uuid)
    assert (first.ended, first.error and first.error.code) == ("retried", "no_room")
    assert (document.status, {each.ended for each in others}) == ("completed", {"complete"})
    pipeline.store.close()


def test_a_document_goes_on_when_there_is_room_for_the_store_again(small: Path, disk: Disk) -> None:
    def fill_and_chunk(job: Job) -> StageOutput:
        disk.fill()
        return BUILT_IN[1].load()(job)

    pipeline = on(small, (BUILT_IN[0], doing(BUILT_IN[1], fill_and_chunk), *BUILT_IN[2:]))
    pipeline.store.documents()
    disk.fill()
    with pytest.raises(StoreUnavailableError, match=r"disk is full\. Make room there"):
        pipeline.process(TEXT, name="note.txt")
    disk.make_room()
    assert pipeline.process(TEXT, name="note.txt").status == "completed"
    pipeline.store.close()


def on(folder: Path, stages: Sequence[StageSpec] = BUILT_IN) -> Pipeline:
    return Pipeline(
        store=SqliteStore(folder / "docpipe.db"),
        sources=Sources(uploads=folder.parent / "uploads"),
        stages=stages,
        options=OPTIONS,
        policy=Policy(backoff_seconds=0.001),
    )


@pytest.fixture(params=["gone", "a file"])
def unusable(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """TMPDIR was lost while the process ran."""
    folder = tmp_path / "tmp"
    if request.param == "a file":
        folder.touch()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))


@pytest.mark.usefixtures("unusable")
def test_a_folder_for_temporary_files_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    taken = Sources(uploads=str(tmp_path / "uploads")).take_in(b"Some text.", "note.txt")
    sources = Sources(uploads=str(tmp_path / "uploads"))
    with (
        pytest.raises(NoRoomError, match=r"cannot be made.*TMPDIR"),
        sources.fetch(taken.uri, taken.digest, ""),
    ):
        pass
    with pytest.raises(NoRoomError, match=r"cannot be made.*TMPDIR"):
        Folders()


def test_a_user_without_a_home_is_told_what_to_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def unknown(uid: int) -> pwd.struct_passwd:
        raise KeyError(uid)

    for name in ("HOME", "XDG_DATA_HOME", "DOCPIPE_STORE", "SUPABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    with pytest.raises(ConfigurationError, match="Set HOME, or DOCPIPE_STORE and DOCPIPE_UPLOADS"):
        Settings().embedded_store  # noqa: B018 - the property raises
    monkeypatch.setenv("DOCPIPE_STORE", f"sqlite://{tmp_path / 'd.db'}")
    assert Settings().sources().uploads is None
    assert Settings().store_name == f"sqlite://{tmp_path / 'd.db'}"
