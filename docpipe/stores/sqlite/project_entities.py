"""Graphs and the entities of projects in SQLite; what the functions of `sql/*_docpipe_entities.sql` do."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, replace
from typing import Any

from docpipe.models import EntityDecision, EntityLink, EntityMember, EntityName, Ref, own_key
from docpipe.stores import result_rows, rows
from docpipe.stores.sqlite import ledger
from docpipe.stores.sqlite.file import SqliteFile
from docpipe.stores.values import Found, Linking, Ties

_AMONG = "in (select value from json_each(?))"
_BOTH_NAMED = " and ".join(
    f"exists (select 1 from docpipe_entity_names n where n.project_id = :project and n.key = :{key})"  # noqa: S608
    for key in ("key_a", "key_b")
)

_IN_BLOCK = "select key from docpipe_entity_blocks where project_id = ? and block = ? limit ?"
_MANY = 200
"""What more names share tells little of any two of them, and other blocks of theirs are smaller."""


class SqliteGraph(SqliteFile):
    """The part of `SqliteStore` that `GraphStore` describes."""

    def slice(self, ref: Ref, part: str, *, start: int, limit: int) -> Sequence[Any]:
        order = "number" if part == "pages" else '"index"'
        found = self._rows(
            f"select * from docpipe_{part} where document_uuid = ? and run = ?"  # noqa: S608
            f" order by {order} limit ? offset ?",
            *(ref.document_uuid, ref.run, limit, start),
        )
        return [result_rows.VALUE_OF[part](row) for row in found]

    def link(self, ref: Ref, names: Sequence[EntityName]) -> Linking | None:
        with self._transaction() as db:
            return link(db, ref, names)

    def link_by(self, ref: Ref, links: Sequence[EntityLink]) -> bool:
        with self._transaction() as db:
            project = _linkable(db, ref)
            if project is None:
                return False
            db.executemany(
                "insert into docpipe_entity_links (project_id, key_a, key_b, rule, score)"
                f" select :project, :key_a, :key_b, :rule, :score where {_BOTH_NAMED} on conflict do nothing",
                [asdict(link) | {"project": project} for link in links],
            )
            _mark_linked(db, ref, project)
            return True

    def unlinked(
        self, project_id: str | None = None, *, seconds: float | None = None, limit: int = 100
    ) -> list[Ref]:
        found = self._rows(
            "select r.document_uuid, r.run from docpipe_runs r join source_documents d"
            " on d.document_uuid = r.document_uuid and d.docpipe_result_run = r.run"
            " where r.unlinked and coalesce(d.project_id, '') = coalesce(?, d.project_id, '')"
            " and r.finished_at >= ? order by r.finished_at limit ?",
            *(project_id, "" if seconds is None else ledger.now(-seconds), limit),
        )
        return [Ref(row["document_uuid"], row["run"]) for row in found]

    def ties(self, project_id: str, keys: Collection[str]) -> Ties:
        asked = json.dumps(sorted(keys))
        found = {
            table: self._rows(
                f"select * from {table} where project_id = ? and key_a {_AMONG}"  # noqa: S608
                f" union select * from {table} where project_id = ? and key_b {_AMONG}",
                *(project_id, asked, project_id, asked),
            )
            for table in ("docpipe_entity_links", "docpipe_entity_decisions")
        }
        links, decisions = found.values()
        return Ties(tuple(map(rows.link_of, links)), tuple(map(rows.decision_of, decisions)))

    def keys(self, project_id: str, *, text: str = "", after: str = "", limit: int = 100) -> list[str]:
        found = self._rows(
            "select distinct key from docpipe_entity_names where project_id = ? and key > ?"
            " and (? = '' or instr(spellings, ?) > 0) order by key limit ?",
            *(project_id, after, text, text, limit),
        )
        return [row["key"] for row in found]

    def members(self, project_id: str, keys: Collection[str]) -> list[EntityMember]:
        found = self._rows(
            f"select * from docpipe_entity_names where project_id = ? and key {_AMONG}"  # noqa: S608
            ' order by document_uuid, "index"',
            *(project_id, json.dumps(sorted(keys))),
        )
        return [rows.member_of(row) for row in found]

    def member(self, document_uuid: str, index: int) -> tuple[str, EntityMember] | None:
        found = self._rows(
            'select * from docpipe_entity_names where document_uuid = ? and "index" = ?'
            " order by run desc limit 1",
            *(document_uuid, index),
        )
        return (found[0]["project_id"], rows.member_of(found[0])) if found else None

    def relations_of(self, members: Sequence[EntityMember], *, skip: int, limit: int) -> list[Found]:
        asked = json.dumps([[each.document_uuid, each.run, each.index] for each in members])
        found = self._rows(
            "select r.* from docpipe_relations r where exists (select 1 from json_each(?) a"
            " where a.value ->> 0 = r.document_uuid and a.value ->> 1 = r.run"
            ' and a.value ->> 2 in (r.source, r.target)) order by r.document_uuid, r."index"'
            " limit ? offset ?",
            *(asked, limit, skip),
        )
        return [rows.found_of(row) for row in found]

    def decide(self, project_id: str, decision: EntityDecision | None, pair: tuple[str, str]) -> None:
        with self._transaction() as db:
            _decide(db, project_id, pair, decision)

    def set_apart(self, document_uuid: str, key: str, split: EntityDecision | None) -> None:
        own = own_key(key, document_uuid)
        old, new = (key, own) if split else (own, key)
        with self._transaction() as db:
            named = db.execute(
                "update docpipe_entity_names set key = ? where document_uuid = ? and key = ?"
                " returning project_id",
                (new, document_uuid, old),
            ).fetchall()
            for row in named:
                _decide(db, row["project_id"], (key, own), split)


def link(db: sqlite3.Connection, ref: Ref, names: Sequence[EntityName]) -> Linking | None:
    """As `GraphStore.link`, in a transaction that is open."""
    project = _linkable(db, ref)
    if project is None:
        return None
    apart = _split_off(db, ref, project, names)
    for name in names:
        own = replace(name, key=own_key(name.key, ref.document_uuid), blocks=())
        _put_name(db, ref, project, own if name.key in apart else name)
    blocks = {block for name in names if name.key not in apart for block in name.blocks}
    rivals = _rivals(db, project, blocks)
    if not rivals:
        _mark_linked(db, ref, project)
    return Linking(rivals, apart, linked=not rivals)


def _split_off(db: sqlite3.Connection, ref: Ref, project: str, names: Sequence[EntityName]) -> frozenset[str]:
    """The keys of names that somebody split from others' in this document."""
    pairs = [(name.key, own_key(name.key, ref.document_uuid)) for name in names]
    split = "select 1 from docpipe_entity_decisions where project_id = ? and key_a = ? and key_b = ?"
    return frozenset(key for key, own in pairs if db.execute(split, (project, key, own)).fetchone())


def _rivals(db: sqlite3.Connection, project: str, blocks: Collection[str]) -> dict[str, list[str]]:
    found = {}
    for block in sorted(blocks):
        keys = [row["key"] for row in db.execute(_IN_BLOCK, (project, block, _MANY + 1))]
        if 1 < len(keys) <= _MANY:
            found[block] = keys
    return found


def _mark_linked(db: sqlite3.Connection, ref: Ref, project: str) -> None:
    gone = db.execute(
        "delete from docpipe_entity_names where document_uuid = ? and run <> ? returning key",
        (ref.document_uuid, ref.run),
    ).fetchall()
    prune(db, project, [row["key"] for row in gone])
    db.execute(
        "insert into docpipe_entity_linked (document_uuid, run) values (?, ?)"
        " on conflict (document_uuid) do update set run = excluded.run",
        (ref.document_uuid, ref.run),
    )
    db.execute(
        "update docpipe_runs set unlinked = 0 where document_uuid = ? and run <= ? and unlinked",
        (ref.document_uuid, ref.run),
    )


def _linkable(db: sqlite3.Connection, ref: Ref) -> str | None:
    """The document's project, if the run holds the results to read."""
    row = db.execute(
        "select coalesce(project_id, '') as project from source_documents"
        " where document_uuid = ? and docpipe_result_run = ?",
        (ref.document_uuid, ref.run),
    ).fetchone()
    return None if row is None else row["project"]


def _put_name(db: sqlite3.Connection, ref: Ref, project: str, name: EntityName) -> None:
    row = asdict(name)
    blocks = row.pop("blocks")
    db.execute(
        'delete from docpipe_entity_names where document_uuid = ? and run = ? and "index" = ?',
        (ref.document_uuid, ref.run, name.index),
    )
    keys = {"document_uuid": ref.document_uuid, "run": ref.run, "project_id": project}
    ledger.insert(db, "docpipe_entity_names", keys | row)
    db.executemany(
        "insert into docpipe_entity_blocks (project_id, block, key) values (?, ?, ?) on conflict do nothing",
        [(project, block, name.key) for block in blocks],
    )


def _decide(
    db: sqlite3.Connection, project: str, pair: tuple[str, str], decision: EntityDecision | None
) -> None:
    row: rows.Row = {"project": project, "key_a": pair[0], "key_b": pair[1], "at": ledger.now()}
    db.execute(
        "delete from docpipe_entity_decisions"
        " where project_id = :project and key_a = :key_a and key_b = :key_b",
        row,
    )
    if decision is not None:
        db.execute(
            "insert into docpipe_entity_decisions (project_id, key_a, key_b, same, who, why, at)"
            f" select :project, :key_a, :key_b, :same, :who, :why, :at where {_BOTH_NAMED}",
            row | {"same": decision.same, "who": decision.who, "why": decision.why},
        )


def prune(db: sqlite3.Connection, project: str, keys: Iterable[str]) -> None:
    """Remove what hangs on those of `keys` that no document names any more."""
    for key in _unnamed(db, project, keys):
        _inherit(db, project, key)
    asked = json.dumps(_unnamed(db, project, keys))
    db.execute(
        f"delete from docpipe_entity_blocks where project_id = ? and key {_AMONG}",  # noqa: S608
        (project, asked),
    )
    for table in ("docpipe_entity_links", "docpipe_entity_decisions"):
        db.execute(
            f"delete from {table} where project_id = ? and (key_a {_AMONG} or key_b {_AMONG})",  # noqa: S608
            (project, asked, asked),
        )


def _unnamed(db: sqlite3.Connection, project: str, keys: Iterable[str]) -> list[str]:
    is_named = "select 1 from docpipe_entity_names where project_id = ? and key = ?"
    return [key for key in sorted(set(keys)) if not db.execute(is_named, (project, key)).fetchone()]


def _inherit(db: sqlite3.Connection, project: str, key: str) -> None:
    """What somebody split from a name is the only one of that name now: it has the key, and what was decided
    about its own.
    """
    heir = db.execute(
        "select min(d.key_b) as key from docpipe_entity_decisions d join docpipe_entity_names n"
        " on n.project_id = d.project_id and n.key = d.key_b and n.key = d.key_a || ' @' || n.document_uuid"
        " where d.project_id = ? and d.key_a = ?",
        (project, key),
    ).fetchone()["key"]
    if heir is None:
        return
    db.execute(
        "update docpipe_entity_names set key = ? where project_id = ? and key = ?", (key, project, heir)
    )
    for tie in db.execute(
        "delete from docpipe_entity_decisions where project_id = ? and ? in (key_a, key_b) returning *",
        (project, heir),
    ).fetchall():
        other = tie["key_b"] if tie["key_a"] == heir else tie["key_a"]
        if other != key:
            _decide(db, project, (min(key, other), max(key, other)), rows.decision_of(tie))
