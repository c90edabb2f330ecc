"""A watched folder: what lies there is submitted once it is whole, and then moved.

A file counts as done when its row is committed, never before; after a crash it is simply still there, and
the store recognises bytes that it has. So nothing is lost, and nothing becomes two documents.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, cast

from docpipe.errors import (
    ConfigurationError,
    DocpipeError,
    SourceChangedError,
    SourceRejectedError,
    SourceUnavailableError,
)
from docpipe.execution.logs import get_logger
from docpipe.models.private_files import make_private_folder
from docpipe.pipeline.intake.choose import Choice
from docpipe.pipeline.intake.journal import Entry, Journal
from docpipe.pipeline.pipeline import Pipeline
from docpipe.sources import SourceLike
from docpipe.sources.allowed import Trusted

log = get_logger(__name__)

_PAUSE_SECONDS = 5.0
"""After a temporary error, before the file is retried."""


@dataclass(frozen=True, slots=True)
class Version:
    """What changes when a file's content does."""

    device: int
    inode: int
    size: int
    modified_ns: int

    @classmethod
    def of(cls, found: os.stat_result) -> Version:
        return cls(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)

    def __str__(self) -> str:
        return f"{self.inode}-{self.size}-{self.modified_ns}"


@dataclass(frozen=True, slots=True)
class Folder:
    """Where to look, and what becomes of files.

    With `done` and `failed` files are moved there; without (in place) they stay, and `journal` remembers
    them. `stable_seconds` is how long size and time of a file must not change before it is taken.
    """

    path: Path
    done: Path | None = None
    failed: Path | None = None
    journal: Path | None = None
    recursive: bool = False
    stable_seconds: float = 5.0
    choice: Choice = field(default_factory=Choice)
    project_id: str | None = None
    priority: int | None = None

    def __post_init__(self) -> None:
        moves = self.done is not None and self.failed is not None
        if moves == (self.journal is not None) or (self.done is None) != (self.failed is None):
            raise ConfigurationError("A watched folder needs either done and failed folders, or a journal.")
        if self.path in (self.done, self.failed):
            raise ConfigurationError(f"{self.path} would be taken in again and again: name another folder.")


@dataclass(slots=True)
class _Seen:
    version: Version
    since: float
    """When this version was first seen, or may be retried."""


class Watcher:
    """Takes files of one folder in. `look` is one round; something else says when to look."""

    def __init__(self, pipeline: Pipeline, folder: Folder) -> None:
        if not folder.path.is_dir():
            raise ConfigurationError(f"{folder.path} is not a folder. Create it, or name another.")
        self._pipeline = pipeline
        self._folder = folder
        self._seen: dict[Path, _Seen] = {}
        self._journal = Journal(folder.journal) if folder.journal else None

    def close(self) -> None:
        if self._journal:
            self._journal.close()

    def look(self) -> float | None:
        """Submit every file that has not changed for long enough.

        Returns:
            Seconds until another file may be whole; None if there is none.
        """
        found = dict(self._files())
        self._seen = {path: self._seen[path] for path in found if path in self._seen}
        waits = [wait for path, version in found.items() if (wait := self._consider(path, version)) > 0]
        return min(waits, default=None)

    def _consider(self, path: Path, version: Version) -> float:
        """Take the file if it is time to; else how long it still has to wait, 0 when it is done with."""
        now = time.monotonic()
        seen = self._seen.get(path)
        if seen is None or seen.version != version:
            seen = self._seen[path] = _Seen(version, now)
        wait = self._folder.stable_seconds - (now - seen.since)
        if wait > 0:
            return wait
        if version.size == 0:
            return 0.0  # made, and not yet written to
        if self._take(path, version):
            del self._seen[path]
            return 0.0
        seen.since = now + _PAUSE_SECONDS
        return _PAUSE_SECONDS + self._folder.stable_seconds

    # --- which files ----------------------------------------------------------------------------

    def _files(self) -> Iterator[tuple[Path, Version]]:
        """The files that are documents and are not done with, oldest first."""
        found = [(path, Version.of(entry)) for path, entry in self._walk(self._folder.path)]
        for path, version in sorted(found, key=lambda pair: pair[1].modified_ns):
            if not self._known(path, version):
                yield path, version

    def _walk(self, folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
        """Regular files only: links, pipes and devices are not followed."""
        try:
            entries = list(os.scandir(folder))
        except OSError as error:
            log.warning("folder_not_read", folder=str(folder), error=str(error))
            return
        for entry in entries:
            try:
                found = entry.stat(follow_symlinks=False)
            except OSError:  # gone meanwhile
                continue
            if stat.S_ISREG(found.st_mode) and self._folder.choice.takes(entry.name):
                yield Path(entry.path), found
            elif stat.S_ISDIR(found.st_mode) and self._enters(entry):
                yield from self._walk(Path(entry.path))

    def _enters(self, entry: os.DirEntry[str]) -> bool:
        own = {self._folder.done, self._folder.failed}
        return (
            self._folder.recursive and Path(entry.path) not in own and self._folder.choice.enters(entry.name)
        )

    def _known(self, path: Path, version: Version) -> bool:
        entry = self._journal.find(os.fsencode(path)) if self._journal else None
        return entry is not None and entry.version == str(version)

    # --- taking ---------------------------------------------------------------------------------

    def _take(self, path: Path, version: Version) -> bool:
        """Submit the file and move it; false if it should be retried later."""
        try:
            uuid = self._submit(path, version)
        except FileNotFoundError:
            return True  # gone meanwhile
        except SourceChangedError:
            return False  # somebody writes to it
        except DocpipeError as error:
            log.warning("file_not_taken", file=str(path), code=error.code, error=str(error))
            if error.retryable or isinstance(error, ConfigurationError):
                return False
            return self._put_away(path, version, Entry(str(version), None, _shown(f"{error} ({error.code})")))
        log.info("file_taken", file=str(path), document=uuid)
        return self._put_away(path, version, Entry(str(version), uuid, None))

    def _submit(self, path: Path, version: Version) -> str:
        folder = self._folder
        with _opened(path) as file:
            whole = _Whole(file, path, version)
            if self._journal is None:  # the file will be moved: the document needs a copy of docpipe's own
                source: SourceLike = cast("BinaryIO", whole)
            else:
                whole.check()
                source = Trusted(path)
            submission = self._pipeline.submit(
                source,
                project_id=folder.project_id,
                priority=folder.priority,
                metadata=self._metadata(path),
            )
        return submission.document_uuid

    def _metadata(self, path: Path) -> Mapping[str, str]:
        relative = path.relative_to(self._folder.path)
        return {"watched_path": os.fsencode(relative).decode("utf-8", "replace")}

    def _put_away(self, path: Path, version: Version, entry: Entry) -> bool:
        """Whether the file is done with; one that cannot be moved stays, and holds up no other."""
        if self._journal:
            self._journal.note(os.fsencode(path), entry)
            return True
        folder = self._folder.done if entry.error is None else self._folder.failed
        assert folder is not None
        try:
            target = self._moved(path, folder)
        except OSError as error:  # it stays, is recognised by its bytes next time, and moved then
            remedy = f"Let docpipe write to {path.parent} and {folder}, or watch with --in-place."
            log.error("file_not_moved", file=str(path), error=str(error), remedy=remedy)
            return False
        if entry.error is not None:
            _note_beside(target, entry.error)
        found = Version.of(target.stat())
        if (found.size, found.modified_ns) != (version.size, version.modified_ns):
            target.rename(
                _free(path)
            )  # a newer file had taken its place at the last moment: that one is next
        return True

    def _moved(self, path: Path, folder: Path) -> Path:
        target = _free(folder / path.relative_to(self._folder.path))
        self._refuse_detour(folder, target.parent)
        make_private_folder(target.parent)
        try:
            path.rename(target)
        except OSError as error:
            if error.errno != errno.EXDEV:  # on another file system a move is a copy
                raise
            aside = target.with_name(f".{target.name}.part")
            shutil.copy2(path, aside)
            aside.replace(target)
            path.unlink()
        return target

    def _refuse_detour(self, folder: Path, into: Path) -> None:
        """Whoever may put files into the watched folder may put links there too: none leads out of it.

        Raises:
            OSError: a folder on the way is a symbolic link.
        """
        own = self._folder.path if folder.is_relative_to(self._folder.path) else folder
        if into.resolve() != own.resolve() / into.relative_to(own):
            raise OSError(errno.ELOOP, "a folder on the way is a symbolic link", str(into))


class _Whole:
    """A file that must not change while it is read: what was submitted is what was looked at."""

    def __init__(self, file: BinaryIO, path: Path, version: Version) -> None:
        self._file, self._path, self._version = file, path, version
        self.name = path.name

    def read(self, size: int = -1) -> bytes:
        block = self._file.read(size)
        if not block and size != 0:
            self.check()
        return block

    def check(self) -> None:
        if Version.of(os.fstat(self._file.fileno())) != self._version:
            raise SourceChangedError(f"{self._path} changes while it is read.")


def _opened(path: Path) -> BinaryIO:
    """The file itself: O_NOFOLLOW refuses a link that took its place, O_NONBLOCK keeps a pipe from blocking.

    Raises:
        FileNotFoundError: it is gone.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise SourceUnavailableError(f"{path} cannot be opened: {error.strerror}.") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise SourceRejectedError(f"{path} is not a regular file.")
    return os.fdopen(descriptor, "rb")


def _shown(text: str) -> str:
    """Text that can be written anywhere; names need not be UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode()


def _note_beside(target: Path, reason: str) -> None:
    """Write the reason into `NAME.error.txt`; it is in the log, too, so failing is no failure."""
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(target.with_name(f"{target.name}.error.txt"), flags, 0o600), "wb") as file:
            file.write(f"{reason}\n".encode())
    except OSError as error:  # the disk is full, or the name too long
        log.warning("reason_not_written", file=str(target), error=str(error))


def _free(target: Path) -> Path:
    """The name, or the first of `name-2`, `name-3`, … that nothing has."""
    number, free = 1, target
    while free.exists():
        number += 1
        free = target.with_name(f"{target.stem}-{number}{target.suffix}")
    return free
