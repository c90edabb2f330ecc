"""Attempts in SQLite: `sql/*_docpipe_attempts.sql`, inside the transaction of the caller."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any

from docpipe.models import Failure
from docpipe.models.status import AttemptEnd
from docpipe.stores import ledger_rules as rules

_BEGIN = """
insert into docpipe_attempts (
    token, document_uuid, run, stage, first_page, last_page, attempt, task_id, worker, started_at)
values (:token, :document_uuid, :run, :stage, :first_page, :last_page, :attempt, :task_id, :worker, :at)
"""
_END = """
update docpipe_attempts
   set ended = ?, ended_at = ?, error_code = ?, error_class = ?, error_message = ?, error_traceback = ?
 where token = ? and ended is null
"""
_STOP = "update docpipe_attempts set ended = ?, ended_at = ? where document_uuid = ? and ended is null"


def begin(db: sqlite3.Connection, row: Mapping[str, Any], at: str) -> None:
    """`row`: of the stage or the range, as its claim leaves it."""
    db.execute(_BEGIN, {"first_page": None, "last_page": None} | dict(row) | {"at": at})


def end(
    db: sqlite3.Connection, token: int | None, ended: AttemptEnd, at: str, failure: Failure | None = None
) -> None:
    """What was noted before stays."""
    told: tuple[str | None, ...] = (None,) * 4
    if failure is not None:
        told = (failure.code, failure.error_class, failure.message, failure.traceback)
    db.execute(_END, (ended, at, *told, token))


def lose(db: sqlite3.Connection, row: Mapping[str, Any], at: str) -> None:
    """The newest attempt at a row, if it never said how it ended."""
    lapsed = row["lease_expires_at"] or at
    end(db, row["token"], AttemptEnd.LOST, min(lapsed, at), rules.lost())


def fail(db: sqlite3.Connection, row: Mapping[str, Any], failure: Failure, at: str) -> None:
    """The row failed for good."""
    ended = rules.ended(failure.code, again=False)
    if ended is AttemptEnd.LOST:
        lose(db, row, at)
    else:
        end(db, row["token"], ended, at, failure)


def stop(db: sqlite3.Connection, document_uuid: str, ended: AttemptEnd, at: str) -> None:
    """The run was over before the document's open attempts had ended."""
    db.execute(_STOP, (ended, at, document_uuid))
