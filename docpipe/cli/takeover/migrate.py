"""The files of `sql/`: read, compared with a database, and copied into a project's own migrations.

They are idempotent and named like Supabase's own migrations, so they may as well be copied into a project's
`supabase/migrations/` (`docpipe db export`) as applied by `docpipe db apply`; both ways together do no harm.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

import psycopg

from docpipe.cli.takeover.connection import changing, connected, naming

_FILE = re.compile(r"^(\d{14})_(\w+)\.sql$")


@dataclass(frozen=True, slots=True)
class Migration:
    version: str
    """14 digits, the time it was written."""
    name: str
    statements: str

    @property
    def file_name(self) -> str:
        return f"{self.version}_{self.name}.sql"


def _folder() -> Traversable:
    packaged = files("docpipe") / "sql"
    return packaged if packaged.is_dir() else Path(__file__).parents[3] / "sql"  # a source checkout


def migrations() -> list[Migration]:
    """docpipe's migrations, oldest first."""
    found = [(match, entry) for entry in _folder().iterdir() if (match := _FILE.match(entry.name))]
    return [
        Migration(match[1], match[2], entry.read_text(encoding="utf-8"))
        for match, entry in sorted(found, key=lambda pair: pair[0][1])
    ]


def check(dsn: str, first: Sequence[str] = ()) -> list[str]:
    """What the database lacks, one line each; empty when it is up to date.

    The migrations run in a transaction that is rolled back; what they would add is what is lacking, so
    this never falls behind the files. Tables are locked for that moment, at most three seconds. Of a table or
    a function that is missing, only that is reported.

    Args:
        first: statements that make the migrations fit; what they do is not reported.

    Raises:
        StoreUnavailableError: the database cannot be reached.
        PermissionDeniedError: this user may not create tables.
        ConfigurationError: a migration does not fit the database.
    """
    with connected(dsn) as connection, changing(connection, seconds=3, rolled_back=True):
        for statement in first:
            connection.execute(statement.encode())
        before = _snapshot(connection)
        for migration in migrations():
            with naming(migration.file_name):
                connection.execute(migration.statements.encode())
        after = _snapshot(connection)
    return _told(after - before)


_ABOUT = re.compile(r" on (\S+(?:, \S+)*)(?: to \w+)?$|^column ([^.]+)\.")
_VERSION = re.compile(r"^function (.+) in its present version \w+$")


def _told(lacking: set[str]) -> list[str]:
    missing = {line.removeprefix("table ") for line in lacking if line.startswith("table ")}
    missing |= {match[1] for line in lacking if (match := _VERSION.match(line))}
    return sorted(
        _VERSION.sub(r"function \1 in its present version", line)
        for line in lacking
        if not (about := _ABOUT.search(line)) or (about[1] or about[2]) not in missing
    )


def export(folder: Path) -> list[Path]:
    """Copy the migrations into `folder` (a project's `supabase/migrations/`), and return the new files."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for migration in migrations():
        target = folder / migration.file_name
        if not target.exists() or target.read_text(encoding="utf-8") != migration.statements:
            target.write_text(migration.statements, encoding="utf-8")
            written.append(target)
    return written


_SNAPSHOT = """
select 'table ' || relname from pg_class
 where relnamespace = 'public'::regnamespace and relkind = 'r'
union all
select 'column ' || c.relname || '.' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
  from pg_attribute a join pg_class c on c.oid = a.attrelid
 where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and a.attnum > 0 and not a.attisdropped
union all
select 'index ' || indexname || ' on ' || tablename from pg_indexes where schemaname = 'public'
union all
select 'function ' || oid::regprocedure::text || ' in its present version ' || md5(prosrc)
  from pg_proc where pronamespace = 'public'::regnamespace
union all
select 'row level security on ' || relname from pg_class
 where relnamespace = 'public'::regnamespace and relrowsecurity
union all
select 'policy ' || policyname || ' on ' || tablename from pg_policies where schemaname = 'public'
union all
select 'grant of ' || lower(privilege_type) || ' on ' || table_name || ' to ' || grantee
  from information_schema.role_table_grants where table_schema = 'public' and grantee = 'service_role'
union all
select 'no grant of ' || x.kind || ' on ' || c.relname || ' to ' || r.rolname
  from pg_class c
  cross join unnest(array['select', 'truncate', 'trigger', 'references', 'insert', 'update', 'delete']
                    || case when current_setting('server_version_num')::integer >= 170000
                            then array['maintain'] else '{}' end) x (kind)
  join pg_roles r on r.rolname in ('anon', 'authenticated')
 where c.relnamespace = 'public'::regnamespace and c.relkind = 'r'
   and not has_table_privilege(r.rolname, c.oid, x.kind)
union all
select 'no grant of ' || x.kind || ' on ' || c.relname || ' to ' || r.rolname
  from pg_class c
  cross join (values ('usage'), ('select'), ('update')) x (kind)
  join pg_roles r on r.rolname in ('anon', 'authenticated')
 where c.relnamespace = 'public'::regnamespace and c.relkind = 'S'
   and case when c.relkind = 'S' then not has_sequence_privilege(r.rolname, c.oid, x.kind) end
union all
select 'no grant of execute on ' || p.oid::regprocedure::text || ' to ' || r.rolname
  from pg_proc p
  join pg_roles r on r.rolname in ('anon', 'authenticated')
 where p.pronamespace = 'public'::regnamespace and p.proname like 'docpipe\\_%'
   and not has_function_privilege(r.rolname, p.oid, 'execute')
union all
select 'grant of execute on ' || p.oid::regprocedure::text || ' to service_role'
  from pg_proc p where p.pronamespace = 'public'::regnamespace
   and exists (select 1 from pg_roles where rolname = 'service_role')
   and has_function_privilege('service_role', p.oid, 'execute')
"""


def _snapshot(connection: psycopg.Connection) -> set[str]:
    return {row[0] for row in connection.execute(_SNAPSHOT)}
