"""Policies for end users: who is a member of a project reads its documents through Supabase directly."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg

from docpipe.cli.takeover.connection import connected
from docpipe.cli.takeover.schema import quoted
from docpipe.errors import ConfigurationError

_COLUMNS = """
select a.attname from pg_attribute a
 where a.attrelid = to_regclass(%s) and a.attnum > 0 and not a.attisdropped order by a.attnum
"""
_OF_DOCUMENTS = (
    "docpipe_pages",
    "docpipe_chunks",
    "docpipe_mentions",
    "docpipe_entities",
    "docpipe_relations",
    "docpipe_edges",
    "docpipe_facts",
    "docpipe_children",
)
_ROLE = "authenticated"
_POLICY = "docpipe_members"


@dataclass(frozen=True, slots=True)
class Members:
    """A host's table with one row per user and project."""

    table: str
    """`name`, of the schema public, or `schema.name`."""
    user_column: str = "user_id"
    project_column: str = "project_id"

    @property
    def quoted(self) -> str:
        schema, dot, name = self.table.rpartition(".")
        return quoted(schema if dot else "public", name)

    @property
    def projects(self) -> str:
        """SQL: the projects of whoever asks."""
        return (
            f"select m.{quoted(self.project_column)}::text from {self.quoted} m"  # noqa: S608
            f" where m.{quoted(self.user_column)}::text = (select auth.uid())::text"
        )


def policies(dsn: str, members: Members) -> str:
    """The SQL of policies and grants by which members read their projects' documents, and no more.

    Raises:
        ConfigurationError: the database has no such table or column, or docpipe's tables are not there.
        StoreUnavailableError: the database cannot be reached.
    """
    with connected(dsn, "the policies") as connection:
        _check(connection, members)
    by_project = f"project_id::text in ({members.projects})"
    by_document = (
        "exists (select 1 from public.source_documents d where d.document_uuid = {table}.document_uuid"
        " and d.{by_project})"
    )
    rules = {"source_documents": by_project}
    for table in _OF_DOCUMENTS:
        rules[table] = by_document.format(table=quoted("public", table), by_project=by_project)
    rules["docpipe_entity_names"] = by_project
    return _HEADER.format(table=members.quoted) + "\n".join(
        _sql(table, rule) for table, rule in rules.items()
    )


_HEADER = """\
-- Members of a project, by {table}, read its documents and results; they change nothing.
-- Written by `docpipe db policies`; may be run again.
"""


def _sql(table: str, rule: str) -> str:
    name = quoted("public", table)
    return (
        f"drop policy if exists {_POLICY} on {name};\n"
        f"create policy {_POLICY} on {name} for select to {_ROLE}\n    using ({rule});\n"
        f"grant select on {name} to {_ROLE};\n"
    )


def _check(connection: psycopg.Connection, members: Members) -> None:
    found = _columns(connection, members.quoted)
    if not found:
        raise ConfigurationError(
            f"The database has no table {members.table!r}. Name the one that says who is in which project:"
            " --members TABLE or --members SCHEMA.TABLE."
        )
    chosen = {"--user-column": members.user_column, "--project-column": members.project_column}
    for option, column in chosen.items():
        if column not in found:
            raise ConfigurationError(
                f"{members.table} has no column {column!r}. Name one with {option}: {', '.join(found)}."
            )
    if not _columns(connection, "public.docpipe_entity_names"):
        raise ConfigurationError("The database has none of docpipe's tables. Run: docpipe db apply.")


def _columns(connection: psycopg.Connection, table: str) -> list[str]:
    return [row[0] for row in connection.execute(_COLUMNS, (table,))]
