"""What stands in the way in an existing database, and the changes that clear it."""

from __future__ import annotations

from dataclasses import dataclass

LOOSEN = "until the rollback: docpipe db apply --loosen."

MODES = {"O": "enable", "R": "enable replica", "A": "enable always", "D": "disable"}
"""`pg_trigger.tgenabled` and `pg_rewrite.ev_enabled` as ALTER TABLE says it."""


@dataclass(frozen=True, slots=True)
class Change:
    """SQL, and the SQL that undoes it."""

    told: str
    statement: str
    undo: str
    """Empty where comparing the schema before and after finds it anyway."""
    undo_rows: str = ""
    """SQL that makes the rows fit again; it runs before the schema is undone."""
    early: bool = False
    """Made before the others, and undone after them."""


@dataclass(frozen=True, slots=True)
class Obstacle:
    """One thing that stands in the way."""

    where: str
    what: str
    remedy: str
    changes: tuple[Change, ...] = ()
    """What `docpipe db apply --loosen` does about it."""

    def __str__(self) -> str:
        return f"{self.where}: {self.what} {self.remedy}"
