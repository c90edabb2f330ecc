"""What the triggers of an existing database do, judged by their functions and never by names.

A function is read together with every function it calls, and with the triggers of the tables it writes to:
a trigger that reaches the queue by two detours moves the queue all the same. Reading is by patterns over
the source without comments. SQL put together at run time, and rows, no pattern can read: that it is so is
told, a probe that is inserted and updated shows some of it, and `verify` asks a person to say what it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

import psycopg

from docpipe.cli.takeover import undo
from docpipe.cli.takeover.changes import MODES
from docpipe.cli.takeover.connection import changing, connected, naming
from docpipe.cli.takeover.schema import PIPELINE_TABLES, QUEUE_TABLE, columns, quoted, stable
from docpipe.cli.takeover.tables.probe import Seen, probe
from docpipe.errors import ConfigurationError
from docpipe.models.private_files import make_private_file

KNOWN = (
    "update_source_document_status_on_queue_change",
    "auto_process_on_status_change",
    "trigger_next_processing_step",
)
"""Triggers of the old system whose names are certain: they are dropped, whatever they do."""

_SEAL_FUNCTION = "docpipe_refuse_queue"


class Kind(StrEnum):
    """What a trigger does."""

    STATUS = "writes a status"
    QUEUE = "writes to the queue"
    NOTIFIES = "notifies"
    IDS = "fills ids"
    TIMES = "fills time stamps"
    BUILT = "puts together at run time what it writes"
    OTHER = "something else"


Said = Mapping[str, str]
"""What a person says a trigger does: `table.trigger` to a word of `SAYABLE`."""
SAYABLE = {kind.name.lower(): kind for kind in Kind if kind is not Kind.BUILT}


def _moves(kinds: tuple[Kind, ...]) -> bool:
    return bool({Kind.STATUS, Kind.QUEUE} & set(kinds))


@dataclass(frozen=True, slots=True)
class Trigger:
    """One trigger of the pipeline's tables."""

    table: str
    name: str
    function: str
    enabled: bool
    mode: str
    definition: str
    kinds: tuple[Kind, ...]
    through: tuple[str, ...]
    """The functions that its own calls, however deep."""

    @property
    def works(self) -> bool:
        """Whether it moves the old workflow: such a trigger is switched off."""
        return _moves(self.kinds)

    @property
    def unclear(self) -> bool:
        """Whether nobody knows what it does."""
        return self.enabled and Kind.BUILT in self.kinds

    @property
    def known(self) -> bool:
        return self.name in KNOWN


# --- reading what functions do ---------------------------------------------------------------------

_STATUS_COLUMN = (
    r"(?:initial_processing_status|celery_status|processingstatus|final_status|processing_step|status)"
)
_TABLE = rf"(?:only\s+)?(?:public\.)?(?:{'|'.join(PIPELINE_TABLES)})\b"
_DYNAMIC = r"(?:only\s+)?(?:public\.)?(?:%\w*(?:\$\w)?[isl](?:\.%\w*(?:\$\w)?[isl])?|'\s*\|\|)"
_START = r"(?:^|;|\bbegin\b|\bthen\b|\belse\b|\bloop\b)\s*"

_WRITES_STATUS = tuple(
    re.compile(pattern, re.S)
    for pattern in (
        rf"\bnew\.{_STATUS_COLUMN}\s*:=",
        rf"{_START}new\.{_STATUS_COLUMN}\s*=",
        rf"\binto\s+(?:strict\s+)?(?:[\w.]+\s*,\s*)*new\.{_STATUS_COLUMN}\b",
        rf"(?:\bnew\s*:=|{_START}new\s*=)[^;]*{_STATUS_COLUMN}",
        rf"^(?=.*(?:\bnew\s*:=|{_START}new\s*=|\binto\s+new\b)).*\b\w+\.{_STATUS_COLUMN}\s*:=",
        rf"\bupdate\s+(?:{_TABLE}|{_DYNAMIC})(?:(?!\bwhere\b|;).)*?\bset\b(?:(?!\bwhere\b|;).)*?\b{_STATUS_COLUMN}\s*=",
        rf"\binsert\s+into\s+(?:{_TABLE}|{_DYNAMIC})[^;]*?\([^;)]*\b{_STATUS_COLUMN}\b",
        rf"\bmerge\s+into\s+{_TABLE}[^;]*\b{_STATUS_COLUMN}\b",
    )
)
_TIME_FUNCTION = (
    r"(?:now\s*\(|current_timestamp|clock_timestamp\s*\(|statement_timestamp\s*\(|localtimestamp)"
)
_NOTIFIES = re.compile(
    r"\bpg_notify\s*\(|\bnotify\s+\w+|\bhttp_(?:post|get|request)\s*\(|\brealtime\.(?:send|broadcast_changes)\s*\("
)
_IDS = re.compile(
    rf"\bnew\.\w*(?:uuid|id)\s*:=|{_START}new\.\w*(?:uuid|id)\s*=|\b(?:gen_random_uuid|uuid_generate_v\d)\s*\("
)
_TIMES = re.compile(
    rf"\bnew\.\w+\s*:=[^;]*{_TIME_FUNCTION}|{_START}new\.\w+\s*=[^;]*{_TIME_FUNCTION}|\bmoddatetime\b"
)
_BUILT = tuple(
    re.compile(pattern, re.S)
    for pattern in (
        rf"(?:{_START}|\b(?:in|for|query)\s+)execute\s+(?!'(?:[^']|'')*+'\s*(?:;|using\b|into\b))"
        r"(?!(?:function|procedure|on)\b)",
        r"\b(?:query_to_xml|dblink\w*)\s*\(",
        rf"\bnew\s*:=|{_START}new\s*=|\binto\s+(?:strict\s+)?new\b(?!\s*\.)",
    )
)
_RETURNS_ANOTHER_ROW = re.compile(r"\breturn\s+(?!(?:new|old|null|coalesce\s*\(\s*new\s*,\s*old\s*\))\s*;)")
_READABLE = ("plpgsql", "sql", "c", "internal")
"""Languages that patterns can read, and those in which extensions write what they say they do."""
_COMMENTS = re.compile(r"--[^\n]*|/\*.*?\*/", re.S)
_WRITTEN = re.compile(
    r"\b(?:insert\s+into|update|delete\s+from|merge\s+into)\s+(?:only\s+)?(?:\w+\s*\.\s*)?(\w+)"
)
_CALLED = re.compile(r"\b(\w+)\s*\(")


def plain(source: str) -> str:
    """A function's source for reading: no comments, no quoted names, lower case, single blanks."""
    return re.sub(r"\s+", " ", _COMMENTS.sub(" ", source)).replace('"', "").lower()


def kinds_of(source: str, queues: frozenset[str] = frozenset({QUEUE_TABLE})) -> tuple[Kind, ...]:
    """What a source (from `plain`) does.

    Args:
        queues: the queue's names: the table and views of it.
    """
    found = [
        kind
        for kind, does in (
            (Kind.STATUS, any(pattern.search(source) for pattern in _WRITES_STATUS)),
            (Kind.QUEUE, _writes_queue(source, queues)),
            (Kind.NOTIFIES, bool(_NOTIFIES.search(source))),
            (Kind.IDS, bool(_IDS.search(source))),
            (Kind.TIMES, bool(_TIMES.search(source))),
        )
        if does
    ]
    return tuple(found) or (Kind.OTHER,)


def _is_built(source: str, own: str, languages: set[str]) -> bool:
    """Whether patterns cannot tell what is written. `own`: of the trigger's function alone."""
    if languages - set(_READABLE) or _RETURNS_ANOTHER_ROW.search(own):
        return True
    return any(pattern.search(source) for pattern in _BUILT)


def _writes_queue(source: str, queues: frozenset[str]) -> bool:
    if re.search(r"\bpgmq\.send\w*\s*\(", source):
        return True
    names = "|".join(map(re.escape, sorted(queues)))
    if not re.search(rf"\b(?:{names})\b", source):
        return False
    direct = rf"\b(?:insert\s+into|update|delete\s+from|merge\s+into)\s+(?:only\s+)?(?:\w+\.)?(?:{names})\b"
    put_together = rf"\b(?:insert\s+into|update|delete\s+from)\s+{_DYNAMIC}"
    return bool(re.search(direct, source) or re.search(put_together, source))


# --- reading the catalogue -------------------------------------------------------------------------

_FUNCTIONS = """
select p.oid, n.nspname || '.' || p.proname, p.proname,
       coalesce(nullif(p.prosrc, ''), pg_get_function_sqlbody(p.oid), ''), l.lanname
  from pg_proc p join pg_namespace n on n.oid = p.pronamespace join pg_language l on l.oid = p.prolang
 where n.nspname not in ('pg_catalog', 'information_schema') and p.prokind in ('f', 'p')
"""
_TRIGGERS = """
select c.relname, t.tgname, t.tgfoid, t.tgenabled, pg_get_triggerdef(t.oid),
       t.tgfoid::regprocedure::text, c.relnamespace = 'public'::regnamespace
  from pg_trigger t join pg_class c on c.oid = t.tgrelid
 where not t.tgisinternal and t.tgparentid = 0
 order by c.relname, t.tgname
"""
_VIEWS = """
with recursive reading as (
    select to_regclass('public.' || quote_ident(%s))::oid as oid
    union
    select r.ev_class from reading join pg_depend d on d.refobjid = reading.oid
      join pg_rewrite r on r.oid = d.objid and d.classid = 'pg_rewrite'::regclass
)
select c.relname from reading join pg_class c using (oid)
"""
_PARTITIONS = """
select c.relname from pg_class p, pg_partition_tree(p.oid) t join pg_class c on c.oid = t.relid
 where p.relnamespace = 'public'::regnamespace and p.relkind = 'p' and p.relname = any (%s)
"""


@dataclass(frozen=True, slots=True)
class _Catalogue:
    sources: dict[int, str]
    languages: dict[int, str]
    names: dict[int, str]
    by_name: dict[str, list[int]]
    odd_names: dict[str, list[int]]
    """Of those, names that are no plain word."""
    of_table: dict[str, list[int]]
    """The functions of the triggers of tables that are not the pipeline's."""

    def reached(self, function: int) -> Iterator[int]:
        """The function and every other that runs when it does, each once."""
        seen, ahead = {function}, [function]
        while ahead:
            here = ahead.pop()
            yield here
            source = self.sources.get(here, "")
            called = [oid for name in _CALLED.findall(source) for oid in self.by_name.get(name, [])]
            called += [oid for name, oids in self.odd_names.items() if f"{name}(" in source for oid in oids]
            caused = [oid for table in _WRITTEN.findall(source) for oid in self.of_table.get(table, [])]
            new = [oid for oid in dict.fromkeys([*called, *caused]) if oid not in seen]
            seen.update(new)
            ahead += new

    def languages_of(self, functions: list[int]) -> set[str]:
        return {self.languages[oid] for oid in functions if oid in self.languages}


def _catalogue(connection: psycopg.Connection) -> _Catalogue:
    sources: dict[int, str] = {}
    languages: dict[int, str] = {}
    names: dict[int, str] = {}
    by_name: dict[str, list[int]] = {}
    for oid, name, short, source, language in connection.execute(_FUNCTIONS):
        sources[oid], names[oid], languages[oid] = plain(source), name, language
        by_name.setdefault(short.lower(), []).append(oid)
    of_table: dict[str, list[int]] = {}
    for table, _, function, mode, *_, public in connection.execute(_TRIGGERS):
        if mode != "D" and not (public and table in PIPELINE_TABLES):
            of_table.setdefault(table.lower(), []).append(function)
    odd_names = {name: oids for name, oids in by_name.items() if not re.fullmatch(r"\w+", name)}
    return _Catalogue(sources, languages, names, by_name, odd_names, of_table)


def find(connection: psycopg.Connection, said: Said | None = None) -> list[Trigger]:
    """Every trigger of the pipeline's tables, docpipe's own seal left out, by table and name.

    Raises:
        ConfigurationError: what is said is of no trigger that is there, or none of `SAYABLE`.
    """
    catalogue = _catalogue(connection)
    tables = {*PIPELINE_TABLES, *_one_column(connection, _PARTITIONS, list(PIPELINE_TABLES))}
    queues = frozenset({QUEUE_TABLE, *_one_column(connection, _VIEWS, QUEUE_TABLE)})
    queues |= {*_one_column(connection, _PARTITIONS, [QUEUE_TABLE])}
    found = []
    for table, name, function, mode, definition, called, public in connection.execute(_TRIGGERS).fetchall():
        own = catalogue.names.get(function, called.partition("(")[0])
        if not public or table not in tables or own == f"public.{_SEAL_FUNCTION}":
            continue
        reached = list(catalogue.reached(function))
        text = " ; ".join([*(catalogue.sources.get(oid, "") for oid in reached), _arguments(definition)])
        through = tuple(catalogue.names[oid] for oid in reached[1:])
        kinds = kinds_of(text, queues)
        if not _moves(kinds) and _is_built(
            text, catalogue.sources.get(function, ""), catalogue.languages_of(reached)
        ):
            kinds = (*kinds, Kind.BUILT)
        found.append(Trigger(table, name, own, mode != "D", mode, definition, kinds, through))
    return _with_said(found, said or {})


def _with_said(found: list[Trigger], said: Said) -> list[Trigger]:
    names = {f"{each.table}.{each.name}" for each in found}
    for name, word in said.items():
        if name not in names:
            raise ConfigurationError(f"{name}: there is no such trigger. docpipe db triggers lists them.")
        if word not in SAYABLE:
            raise ConfigurationError(f"{name}={word}: say one of {', '.join(SAYABLE)}.")
    return [_said_of(each, said.get(f"{each.table}.{each.name}")) for each in found]


def _said_of(each: Trigger, word: str | None) -> Trigger:
    if word is None:
        return each
    read = [kind for kind in each.kinds if kind not in {Kind.BUILT, Kind.OTHER}]
    return replace(each, kinds=tuple(dict.fromkeys([*read, SAYABLE[word]])))


def _one_column(connection: psycopg.Connection, query: str, argument: object) -> set[str]:
    return {row[0] for row in connection.execute(query.encode(), (argument,))}


def _arguments(definition: str) -> str:
    """What the trigger hands to its function, for functions that write to the table they are given."""
    return plain(definition.partition(" EXECUTE ")[2].partition("(")[2])


def listed(dsn: str, said: Said | None = None) -> list[Trigger]:
    """As `find`, over a connection of its own. Raises `StoreUnavailableError`."""
    with connected(dsn) as connection:
        return find(connection, said)


# --- switching off ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Switched:
    """What was done to one trigger."""

    table: str
    name: str
    done: str
    """`dropped` or `disabled`."""
    statement: str
    undo: str


def to_switch(found: list[Trigger]) -> list[Switched]:
    """What `switch_off` does: the known ones go, of the others those that work and are on."""
    return [_switch(each) for each in found if each.known or (each.works and each.enabled)]


def _switch(each: Trigger) -> Switched:
    table, name = f"public.{quoted(each.table)}", quoted(each.name)
    mode = f"\nalter table {table} {MODES[each.mode]} trigger {name};"
    if each.known:
        first = f"drop trigger if exists {name} on {table};"
        again = f"{first}\n{stable(each.definition)};{'' if each.mode == 'O' else mode}"
        return Switched(each.table, each.name, "dropped", f"drop trigger {name} on {table};", again)
    off = f"alter table {table} disable trigger {name};"
    return Switched(each.table, each.name, "disabled", off, mode.strip())


def switch_off(dsn: str, restore_file: Path, said: Said | None = None) -> list[Switched]:
    """Write the restore file, then drop and disable, then prove it with a probe; one transaction.

    Args:
        restore_file: SQL that puts every trigger back; never overwritten. Not written if there is
            nothing to do.
        said: what a person says of triggers.

    Raises:
        ConfigurationError: docpipe's tables are not here, the file is there already, or the probe shows
            that something still moves the workflow. Nothing was changed.
    """
    with connected(dsn, "the triggers") as connection, changing(connection):
        if not columns(connection, "docpipe_undo"):
            raise ConfigurationError("docpipe's tables are not here yet. Run: docpipe db apply")
        switched = to_switch(find(connection, said))
        if switched:
            _save(restore_file, switched)
        for each in switched:
            with naming(f"trigger {each.name}"):
                connection.execute(each.statement.encode())
        lines = [
            undo.Undo(f"trigger {each.name} of {each.table} {each.done}", each.undo) for each in switched
        ]
        undo.record(connection, "triggers", lines)
        if told := complaint(probe(connection), find(connection)):
            raise ConfigurationError(told)
    return switched


def complaint(seen: Seen, found: list[Trigger]) -> str:
    """What the probe saw that should not happen, and which triggers may do it; empty if nothing did."""
    opaque = {Kind.OTHER, Kind.BUILT}
    dark = [f"{each.name} on {each.table}" for each in found if each.enabled and opaque & set(each.kinds)]
    look = f"Look at the triggers that docpipe cannot judge: {', '.join(dark) or 'none'}."
    if seen.queue_rows:
        what = f"{seen.queue_rows} rows appeared for two documents that were tried"
        return f"Something still writes to {QUEUE_TABLE}: {what}. {look}"
    if seen.wrong:
        return f"Something changes docpipe's statuses: {'; '.join(seen.wrong)}. {look}"
    return ""


def _save(restore_file: Path, switched: list[Switched]) -> None:
    if restore_file.exists():
        raise ConfigurationError(
            f"{restore_file} exists: it may hold triggers that were taken away before. Name another."
        )
    parts = [f"-- {each.table}: {each.name} was {each.done}\n{each.undo}\n" for each in switched]
    try:
        make_private_file(restore_file)
        restore_file.write_text("\n".join(["begin;\n", *parts, "commit;\n"]), encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"{restore_file} cannot be written: {error.strerror}.") from error


def restore(dsn: str, restore_file: Path) -> None:
    """Put back what `switch_off` took away.

    Raises:
        ConfigurationError: the file cannot be read, or does not fit; nothing was changed.
    """
    try:
        statements = restore_file.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"{restore_file} cannot be read: {error.strerror}.") from error
    with connected(dsn, str(restore_file)) as connection, naming(str(restore_file)):
        connection.execute(statements.encode())
        if columns(connection, "docpipe_undo"):
            undo.forget(connection, "triggers")
