# ruff: noqa: E501 - SQL in one piece
"""Databases that are like no other: rules, domains, partitions, detours through other schemas, gaps."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import psycopg
import pytest

from docpipe.cli.takeover import migrate, takeover
from docpipe.cli.takeover.queue import importing as queue
from docpipe.cli.takeover.tables import triggers
from docpipe.cli.takeover.tables.probe import probe
from docpipe.cli.takeover.tables.triggers import Kind
from docpipe.cli.takeover.takeover import Wishes
from docpipe.errors import ConfigurationError
from tests.integration.legacy_database import build, fill, run, table
from tests.integration.test_takeover import WISHES, schema
from tests.integration.test_takeover_queue import (
    ROWS,
    NewWorld,
    new_world,  # noqa: F401 - a fixture
    wrong_all,
)

UUIDS = (
    "alter table source_documents drop constraint uuid_format; alter table document_processing_queue"
    " drop constraint document_processing_queue_source_document_uuid_fkey,"
    " alter source_document_uuid type uuid using source_document_uuid::uuid; alter table source_documents"
    " alter document_uuid type uuid using document_uuid::uuid; alter table document_processing_queue"
    " add constraint of_document foreign key (source_document_uuid) references source_documents (document_uuid)"
    " on delete cascade"
)
OBSTACLES = {
    "create rule enqueue as on insert to source_documents do also insert into document_processing_queue"
    " (source_document_id) values (new.id)": "source_documents: the rule enqueue turns what is written there"
    " into something else. Let docpipe drop it, until the rollback: docpipe db apply --loosen.",
    "create rule follow as on update to neo4j_documents do also notify graph; alter table neo4j_documents"
    " disable rule follow": "neo4j_documents: the rule follow turns",
    "create domain doc_word as text check (value in ('pending', 'completed', 'failed')); alter table"
    " source_documents add column celery_status doc_word default 'pending'": "source_documents.celery_status:"
    " the domain doc_word has no room for cancelled, completed_with_warnings, entity_complete and 15 more."
    " Let docpipe make it character varying(50): docpipe db apply --loosen.",
    "alter table source_documents add constraint once unique (project_fk_id, original_file_name)":
    "source_documents: once is UNIQUE over project_fk_id, original_file_name: two documents may have the same there.",
    "create unique index once on neo4j_documents (lower(name))": "neo4j_documents.name: once is UNIQUE over name",
    "alter table source_documents alter error_message type varchar(500)": "source_documents.error_message:"
    " character varying(500) is too short for what docpipe may write there. Let docpipe change it",
    "alter table source_documents add constraint kinds check (detected_file_type in ('.pdf', 'application/pdf'))":
    "source_documents.detected_file_type: the CHECK kinds refuses",
    UUIDS: "source_documents.document_uuid: its type is uuid, and docpipe needs text. Let docpipe change it and"
    " drop foreign key of_document of document_processing_queue, until the rollback: docpipe db apply --loosen.",
    "alter table source_documents drop column document_uuid cascade": "source_documents.document_uuid: there is"
    " no such column, and docpipe needs it. Let docpipe add it, with a new uuid in every row",
    "alter table source_documents drop column id cascade": "source_documents.id: there is no such column",
}  # fmt: skip


@pytest.mark.parametrize("statements", OBSTACLES, ids=range(len(OBSTACLES)))
def test_what_stands_in_the_way_is_named_cleared_and_put_back(empty_database: str, statements: str) -> None:
    build(empty_database, 1)
    run(empty_database, statements)
    before = schema(empty_database)
    told = takeover.plan(empty_database, Wishes(defaults=WISHES.defaults)).obstacles
    assert any(each.startswith(OBSTACLES[statements]) for each in told), told
    assert takeover.trial(empty_database, WISHES) == ""
    takeover.apply(empty_database, WISHES)
    assert takeover.plan(empty_database, WISHES).sql() == ""
    assert migrate.check(empty_database) == []
    takeover.rollback(empty_database)
    assert schema(empty_database) == before


def test_the_rollback_does_what_a_foreign_key_would_have_done_meanwhile(empty_database: str) -> None:
    legacy = build(empty_database, 1)
    run(
        empty_database,
        f"alter table document_processing_queue alter source_document_id drop not null; {UUIDS}",
    )
    before = schema(empty_database)
    fill(empty_database, legacy, [("kept", {"queue": "completed"}), ("deleted", {"queue": "completed"})])
    takeover.apply(empty_database, WISHES)
    run(
        empty_database,
        "set session_replication_role = replica; update document_processing_queue set source_document_id = null;"
        f" delete from source_documents where document_uuid = '{legacy.documents['deleted']}'",
    )
    takeover.rollback(empty_database)
    left = table(empty_database, "select source_document_uuid::text from document_processing_queue")
    assert left == [(legacy.documents["kept"],)]
    assert schema(empty_database) == before


def test_a_partitioned_table_of_documents_is_refused_by_name(empty_database: str) -> None:
    run(
        empty_database,
        "create table source_documents (document_uuid text, at date) partition by range (at)",
    )
    with pytest.raises(ConfigurationError, match="it is partitioned, and a partitioned table cannot keep"):
        takeover.apply(empty_database)


@pytest.mark.parametrize(
    ("statements", "said"),
    [
        (
            "alter table source_documents add constraint no_text check (initial_processing_status <> 'completed'"
            " or markdown_text is not null)",
            'violates check constraint "no_text"',
        ),
        (
            "create extension btree_gist; alter table source_documents add constraint apart"
            " exclude using gist (original_file_name with =)",
            'violates exclusion constraint "apart"',
        ),
    ],
)
def test_what_no_catalogue_tells_is_told_by_a_trial(empty_database: str, statements: str, said: str) -> None:
    build(empty_database, 1)
    run(empty_database, statements)
    before = schema(empty_database)
    assert takeover.plan(empty_database, WISHES).obstacles == ()
    told = takeover.trial(empty_database, WISHES)
    assert said in told
    assert "Failing row" not in told
    assert schema(empty_database) == before


def test_what_is_lacking_is_told_of_the_schema_that_the_wishes_would_make(empty_database: str) -> None:
    build(empty_database, 1)
    run(empty_database, UUIDS)
    with pytest.raises(ConfigurationError, match="of incompatible types: text and uuid"):
        migrate.check(empty_database)
    first = [change.statement for change in takeover.plan(empty_database, WISHES).changes]
    assert "table docpipe_runs" in migrate.check(empty_database, first)


@pytest.mark.parametrize("address", ["nonsense", "https://abcdefgh.supabase.co"])
def test_an_address_that_is_none_of_postgres_is_told(address: str) -> None:
    with pytest.raises(ConfigurationError, match="SUPABASE_DB_URL is not the address of a Postgres database"):
        takeover.plan(address)


def test_words_among_blanks_and_no_words_are_understood(empty_database: str) -> None:
    legacy = build(empty_database, 1)
    words = {"done": "\tCompleted \n", "blank": " ", "none": None}
    rows = [(label, {"initial_processing_status": word}) for label, word in words.items()]
    fill(empty_database, legacy, rows)
    takeover.apply(empty_database, WISHES)
    found = dict(table(empty_database, "select document_uuid, celery_status from source_documents"))
    statuses = {label: found[uid] for label, uid in legacy.documents.items()}
    assert statuses == {"done": "completed", "blank": "pending", "none": "pending"}


def test_a_status_column_of_another_name_is_read_and_its_unknown_words_are_told(empty_database: str) -> None:
    run(
        empty_database,
        "create table source_documents (id serial primary key, document_uuid text unique, status text);"
        " insert into source_documents (document_uuid, status) values ('a', 'completed'), ('b', 'on hold')",
    )
    (told,) = takeover.plan(empty_database).obstacles
    assert told.endswith("Say it: docpipe db apply --word 'on hold=STATUS'")
    takeover.apply(empty_database, Wishes(words={"on hold": "cancelled"}))
    rows = table(empty_database, "select document_uuid, celery_status from source_documents order by 1")
    assert rows == [("a", "completed"), ("b", "cancelled")]


# --- triggers --------------------------------------------------------------------------------------

ENQUEUE = (
    "insert into public.document_processing_queue (source_document_id, source_document_uuid)"
    " values ({id}, {uuid}) on conflict do nothing;"
)
OF_NEW = ENQUEUE.format(id="new.id", uuid="new.document_uuid")
FUNCTION = "create function odd() returns trigger language plpgsql as $$ begin {} return new; end $$;"
AFTER = "create trigger odd after insert on source_documents for each row execute function odd();"
DETOURS = {
    "another schema's table": "create schema audit; create table audit.log (i int, u text);"
    " create function audit.follow() returns trigger language plpgsql as $$ begin"
    f" {ENQUEUE.format(id='new.i', uuid='new.u')} return new; end $$; create trigger t after insert on audit.log"
    " for each row execute function audit.follow();"
    + FUNCTION.format("insert into audit.log values (new.id, new.document_uuid);")
    + AFTER,
    "a name with a blank": "create schema private; create function private.\"Put it in\"(int, text) returns void"
    f" language sql as $$ {ENQUEUE.format(id='$1', uuid='$2')} $$;"
    + FUNCTION.format('perform private."Put it in"(new.id, new.document_uuid);')
    + AFTER,
    "a view of a view": "create view q1 as select * from document_processing_queue; create view q2 as select * from q1;"
    + FUNCTION.format("insert into q2 (source_document_id) values (new.id);")
    + AFTER,
    "a deferred constraint trigger": FUNCTION.format(OF_NEW)
    + "create constraint trigger odd after insert on source_documents deferrable initially deferred"
    " for each row execute function odd();",
}  # fmt: skip


@pytest.mark.parametrize("way", DETOURS)
def test_a_detour_to_the_queue_is_seen_and_closed(empty_database: str, tmp_path: Path, way: str) -> None:
    build(empty_database, 1)
    run(empty_database, DETOURS[way])
    before = schema(empty_database)
    takeover.apply(empty_database, WISHES)
    switched = triggers.switch_off(empty_database, tmp_path / "restore.sql")
    assert [each.done for each in switched if each.name == "odd"] == ["disabled"]
    takeover.rollback(empty_database)
    assert schema(empty_database) == before


def test_a_partition_of_the_queue_is_the_queue(empty_database: str) -> None:
    run(
        empty_database,
        "create table source_documents (id serial primary key, document_uuid text unique not null);"
        " create table document_processing_queue (id bigserial, document_uuid text, status text default 'pending')"
        " partition by list (status); create table open_rows partition of document_processing_queue default;"
        + FUNCTION.format("insert into open_rows (document_uuid) values (new.document_uuid);")
        + AFTER
        + "create function told() returns trigger language plpgsql as $$ begin notify rows; return new; end $$;"
        " create trigger of_all after insert on document_processing_queue for each row execute function told();"
        " create trigger of_part after insert on open_rows for each row execute function told();",
    )
    found = {(each.table, each.name): each.kinds for each in triggers.listed(empty_database)}
    assert found == {
        ("source_documents", "odd"): (Kind.QUEUE, Kind.NOTIFIES),
        ("document_processing_queue", "of_all"): (Kind.NOTIFIES,),
        ("open_rows", "of_part"): (Kind.NOTIFIES,),
    }


def test_a_status_set_by_a_helper_on_the_row_is_seen(empty_database: str) -> None:
    build(empty_database, 1)
    run(
        empty_database,
        "create function begun(r source_documents) returns source_documents language plpgsql as $$ begin"
        " r.initial_processing_status := 'submitted'; return r; end $$;" + FUNCTION.format("new := begun(new);")
        + "create trigger odd before insert on source_documents for each row execute function odd();",
    )  # fmt: skip
    assert {each.name: each.kinds for each in triggers.listed(empty_database)}["odd"] == (Kind.STATUS,)


def test_functions_of_postgres_itself_are_shown_by_name(empty_database: str) -> None:
    build(empty_database, 1)
    run(
        empty_database,
        "create trigger odd before update on source_documents for each row"
        " execute function suppress_redundant_updates_trigger()",
    )
    shown = {each.name: each.function for each in triggers.listed(empty_database)}
    assert shown["odd"] == "suppress_redundant_updates_trigger"


def test_the_probe_sees_what_waits_for_the_commit(empty_database: str, tmp_path: Path) -> None:
    build(empty_database, 1)
    hidden = "".join(f"{ord(letter):02x}" for letter in "insert into document_processing_queue")
    run(
        empty_database,
        FUNCTION.format(
            f"execute convert_from(decode('{hidden}', 'hex'), 'utf8') || ' (source_document_id) values (' || new.id || ')';"
        )
        + "create constraint trigger odd after insert on source_documents deferrable initially deferred"
        " for each row execute function odd();",
    )
    takeover.apply(empty_database, WISHES)
    with pytest.raises(
        ConfigurationError,
        match=r"Something still writes to [\s\S]* docpipe cannot judge: odd on source_documents",
    ):
        triggers.switch_off(empty_database, tmp_path / "restore.sql")


def test_a_trigger_that_lacks_a_right_is_named(empty_database: str) -> None:
    build(empty_database, 1)
    run(
        empty_database,
        "create schema secret; create table secret.log (u text);"
        + FUNCTION.format("insert into secret.log values (new.document_uuid);")
        + AFTER,
    )
    takeover.apply(empty_database, WISHES)
    told = r"permission denied for schema secret\. It happened in odd\(\)\. Fix that function, or disable"
    with (
        psycopg.connect(empty_database, autocommit=True) as connection,
        pytest.raises(ConfigurationError, match=told),
    ):
        connection.execute("alter table source_documents disable trigger zz_first")
        connection.execute("alter table source_documents disable trigger audit_intake")
        probe(connection)


# --- the queue -------------------------------------------------------------------------------------

FREE = (
    "alter table document_processing_queue drop constraint document_processing_queue_status_check,"
    " drop constraint document_processing_queue_source_document_id_fkey,"
    " drop constraint document_processing_queue_source_document_id_key,"
    " alter status drop not null, alter source_document_id drop not null;"
)
WAITS = {"queue": "pending", "initial_processing_status": "pending"}


def test_a_row_is_about_the_document_that_any_of_its_columns_names(new_world: NewWorld) -> None:  # noqa: F811
    world = new_world(1, extra=FREE)
    world.documents(one=dict(WAITS), two=dict(WAITS), three=dict(WAITS))
    run(
        world.dsn,
        "set session_replication_role = replica;"
        " update document_processing_queue set source_document_uuid = null where id = 1;"
        " update document_processing_queue set source_document_id = null where id = 2;"
        " update document_processing_queue set source_document_id = 4711 where id = 3;"
        " insert into document_processing_queue (source_document_uuid, status) select source_document_uuid,"
        " ' PROCESSING ' from document_processing_queue where id = 2;"
        " insert into document_processing_queue (source_document_id) values (4711), (null)",
    )
    assert world.take_in() == {"submitted": 3, "known": 1, "no_document": 2}
    assert world.take_in() == {}
    assert world.pipeline.broker.depths(["ocr"]) == {"ocr": 3}
    assert table(world.dsn, ROWS) == [("cancelled", 4), ("failed", 2)]


def test_a_column_that_names_something_else_names_no_document(new_world: NewWorld) -> None:  # noqa: F811
    extra = (
        "alter table document_processing_queue drop constraint document_processing_queue_document_id_fkey,"
        " alter source_document_uuid drop not null,"
        " add foreign key (document_id) references neo4j_documents (id)"
    )
    world = new_world(2, extra=extra)
    world.documents(other={"initial_processing_status": "completed", "graph": "completed"})
    run(world.dsn, "insert into document_processing_queue (document_id) select id from neo4j_documents")
    assert world.take_in() == {"no_document": 1}


@pytest.mark.parametrize("status", ["null", "''"])
def test_a_row_without_a_status_is_told(new_world: NewWorld, status: str) -> None:  # noqa: F811
    world = new_world(1, extra=FREE)
    world.documents(waits=dict(WAITS))
    run(
        world.dsn,
        f"set session_replication_role = replica; update document_processing_queue set status = {status}",
    )
    with pytest.raises(ConfigurationError, match=r"does not know: \(none\) \(1 rows\)"):
        world.take_in()


SHAPES = {
    "a CHECK over two columns": FREE
    + "alter table document_processing_queue add check (status <> 'cancelled' or last_error is not null),"
    " add check ((status = 'completed') = (processing_completed_at is not null))",
    "an enum in capitals": "drop table document_processing_queue; create type job as enum ('PENDING', 'PROCESSING',"
    " 'COMPLETED', 'FAILED'); create table document_processing_queue (id serial primary key, source_document_uuid"
    " varchar, source_document_id int, status job default 'PENDING')",
    "a key of another name": FREE
    + "drop trigger queue_notify_trigger on document_processing_queue;"
    " alter table document_processing_queue rename id to queue_id",
    "a view": "alter table document_processing_queue rename to queue_v2; create view document_processing_queue as"
    " select * from queue_v2; alter view document_processing_queue alter status set default 'pending'",
    "partitions": "drop table document_processing_queue; create table document_processing_queue (id bigserial,"
    " source_document_uuid varchar, source_document_id int, status text default 'pending', created_at timestamptz"
    " default now()) partition by list (status); create table q_open partition of document_processing_queue for"
    " values in ('pending', 'processing'); create table q_rest partition of document_processing_queue default",
}  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
def test_a_queue_of_any_shape_is_imported_sealed_and_given_back(new_world: NewWorld, shape: str) -> None:  # noqa: F811
    world = new_world(1, extra=SHAPES[shape])
    waits = WAITS | ({"queue": "PENDING"} if "capitals" in shape else {})
    world.documents(one=dict(waits), two=dict(waits))
    assert world.take_in() == {"submitted": 2}
    assert world.take_in() == {}
    queue.seal(world.dsn)
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="sealed"):
        run(world.dsn, "insert into document_processing_queue (source_document_uuid) values ('late')")
    assert takeover.rollback(world.dsn).handed_back == 2
    assert table(world.dsn, ROWS) == [(waits["queue"], 2)]
    assert schema(world.dsn) == world.before


def test_of_a_queue_that_cannot_be_read_the_open_documents_are_taken(new_world: NewWorld) -> None:  # noqa: F811
    shape = "drop table document_processing_queue; create table document_processing_queue (job uuid, payload jsonb)"
    world = new_world(1, extra=shape)
    world.documents(waits={"initial_processing_status": "pending"})
    told = "it has no column status, no id, no source_document_uuid or source_document_id"
    with pytest.raises(ConfigurationError, match=told):
        world.take_in()
    assert told in wrong_all(world)
    assert world.take_in(with_stranded=True) == Counter(submitted=1)
    assert queue.seal(world.dsn)
    assert queue.unseal(world.dsn)
