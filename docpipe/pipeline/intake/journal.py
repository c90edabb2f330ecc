"""What was taken in before: a small SQLite file, so that a restart reads no file twice for nothing.

It is a memory, not the truth: without it every file is read again, and the store recognises its bytes.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from docpipe.errors import StoreUnavailableError
from docpipe.models.closing import closed_on_failure
from docpipe.models.private_files import make_private_file, make_private_folder

_SCHEMA = """
create table if not exists taken (
    place blob primary key,          -- path or locator, as bytes: names need not be text
    version text not null,           -- changes with the content: size and time, or an ETag
    document_uuid text,              -- null: it cannot be taken in
    error text
) without rowid
"""
_BUSY_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Entry:
    """How a version of a file ended: as a document, or with an error that will not pass."""

    version: str
    document_uuid: str | None
    error: str | None


class Journal:
    """One file; its folder is made when missing."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            make_private_folder(path.parent)
            make_private_file(path)
            self._db = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)
            with closed_on_failure(self._db):
                self._db.execute("pragma journal_mode = wal")
                self._db.execute(_SCHEMA)
        except (sqlite3.Error, OSError) as error:
            raise StoreUnavailableError(f"The journal {path} cannot be opened: {error}.") from error

    def find(self, place: bytes) -> Entry | None:
        """The newest entry of a place. Raises `StoreUnavailableError`."""
        rows = self._run("select version, document_uuid, error from taken where place = ?", place)
        return Entry(*rows[0]) if rows else None

    def note(self, place: bytes, entry: Entry) -> None:
        """Replace the place's entry. Raises `StoreUnavailableError`."""
        values = (entry.version, entry.document_uuid, entry.error)
        self._run(
            "insert into taken values (?, ?, ?, ?) on conflict (place) do update set"
            " version = excluded.version, document_uuid = excluded.document_uuid, error = excluded.error",
            place,
            *values,
        )

    def close(self) -> None:
        self._db.close()

    def _run(self, sql: str, *values: bytes | str | None) -> list[tuple[str, str | None, str | None]]:
        try:
            with closing(self._db.execute(sql, values)) as cursor:
                return cursor.fetchall()
        except sqlite3.OperationalError as error:
            raise StoreUnavailableError(f"The journal {self.path} cannot be used: {error}.") from error
