# ruff: noqa: E501 - SQL in one piece
"""Triggers are told by what they do, switched off, and put back: real Postgres."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from docpipe.cli.takeover import takeover
from docpipe.cli.takeover.tables import triggers
from docpipe.cli.takeover.tables.probe import Seen, probe
from docpipe.cli.takeover.tables.triggers import Kind
from docpipe.cli.takeover.verify import _triggers
from docpipe.errors import ConfigurationError
from tests.integration.legacy_database import build, fill, run, table
from tests.integration.test_takeover import BOTH, WISHES, schema

EXPECTED = {
    "a_start": {Kind.STATUS},
    "audit_intake": {Kind.QUEUE},
    "auto_process_on_status_change": {Kind.NOTIFIES},
    "job_watch": {Kind.STATUS},
    "keep_in_step": {Kind.STATUS, Kind.QUEUE},
    "maintain_neo4j_chunks_ids": {Kind.IDS},
    "monitoring_source_docs_trigger": {Kind.NOTIFIES},
    "old_experiment": {Kind.QUEUE},
    "on_graph_row": {Kind.STATUS},
    "queue_notify_trigger": {Kind.NOTIFIES},
    "set_timestamp_neo4j_documents": {Kind.TIMES},
    "status_queue_helper": {Kind.IDS},
    "trigger_next_processing_step": {Kind.STATUS},
    "update_queue_updated_at": {Kind.TIMES},
    "update_source_document_status_on_queue_change": {Kind.STATUS},
    "zz_first": {Kind.QUEUE},
}
KEPT = (
    "select tgrelid::regclass::text, tgname, tgenabled from pg_trigger where not tgisinternal order by 1, 2"
)


@pytest.fixture
def restore_file(tmp_path: Path) -> Path:
    return tmp_path / "restore.sql"


@pytest.fixture(params=[1, 2])
def legacy(request: pytest.FixtureRequest, empty_database: str) -> str:
    """A database that was taken over, triggers still there."""
    build(empty_database, request.param)
    takeover.apply(empty_database, WISHES)
    return empty_database


@BOTH
def test_every_trigger_is_told_by_what_it_does(empty_database: str, generation: int) -> None:
    build(empty_database, generation)
    assert {each.name: set(each.kinds) for each in triggers.listed(empty_database)} == EXPECTED


def test_the_list_shows_the_way_to_the_queue(empty_database: str) -> None:
    build(empty_database, 1)
    through = {each.name: each.through for each in triggers.listed(empty_database) if each.through}
    assert through == {
        "zz_first": ("public.helper_enqueue",),
        "old_experiment": ("public.helper_enqueue",),
        "audit_intake": ("public.after_log",),
    }


CASES = {
    "new.status := 'x';": {Kind.STATUS},
    "begin new.status = 'x'; end": {Kind.STATUS},
    "if new.status = 'x' and old.status <> 'x' then perform pg_notify('a', 'b'); end if;": {Kind.NOTIFIES},
    "select s into new.celery_status from t;": {Kind.STATUS},
    "new := jsonb_populate_record(new, '{\"celery_status\": \"x\"}');": {Kind.STATUS},
    "update public.source_documents set error_message = null, celery_status = 'x' where id = 1;": {Kind.STATUS},
    "update only source_documents as d set last_modified_at = now() where d.celery_status = 'x';": {Kind.OTHER},
    "update statistics set status = 'x';": {Kind.OTHER},
    "execute format('update %I.%I set status = $1', a, b);": {Kind.STATUS},
    "execute 'update ' || tg_table_name || ' set initial_processing_status = 1';": {Kind.STATUS},
    'update neo4j_documents set "processingStatus" = 1;': {Kind.STATUS},
    "insert into neo4j_documents (name, \"processingStatus\") values (1, 2);": {Kind.STATUS},
    "-- new.status := 'x';\n/* insert into document_processing_queue */ return new;": {Kind.OTHER},
    "delete from document_processing_queue;": {Kind.QUEUE},
    "merge into document_processing_queue q using x on true when matched then update set a = 1;": {Kind.QUEUE},
    "insert into my_view (a) values (1);": {Kind.QUEUE},
    "select count(*) from document_processing_queue;": {Kind.OTHER},
    "perform pgmq.send('documents', '{}');": {Kind.QUEUE},
    "perform net.http_post('https://old.example');": {Kind.NOTIFIES},
    "notify documents;": {Kind.NOTIFIES},
    "new.last_modified_at := clock_timestamp();": {Kind.TIMES},
    "new.document_uuid = gen_random_uuid();": {Kind.IDS},
}  # fmt: skip


@pytest.mark.parametrize("source", CASES)
def test_a_source_is_read_for_what_it_does(source: str) -> None:
    queues = frozenset({"document_processing_queue", "my_view"})
    assert set(triggers.kinds_of(triggers.plain(source), queues)) == CASES[source]


def test_switching_off_drops_the_known_and_disables_those_that_work(legacy: str, restore_file: Path) -> None:
    switched = {each.name: each.done for each in triggers.switch_off(legacy, restore_file)}
    assert switched == {
        "update_source_document_status_on_queue_change": "dropped",
        "auto_process_on_status_change": "dropped",
        "trigger_next_processing_step": "dropped",
        **dict.fromkeys(
            ("a_start", "audit_intake", "job_watch", "keep_in_step", "on_graph_row", "zz_first"), "disabled"
        ),
    }
    assert not any(each.works and each.enabled for each in triggers.listed(legacy))
    assert {each.name for each in triggers.listed(legacy) if each.enabled} == {
        "maintain_neo4j_chunks_ids", "monitoring_source_docs_trigger", "queue_notify_trigger",
        "set_timestamp_neo4j_documents", "status_queue_helper", "update_queue_updated_at",
    }  # fmt: skip


def test_a_second_time_there_is_nothing_to_switch_off(legacy: str, restore_file: Path) -> None:
    triggers.switch_off(legacy, restore_file)
    again = restore_file.with_name("again.sql")
    assert triggers.switch_off(legacy, again) == []
    assert not again.exists()


def test_the_restore_file_brings_every_trigger_back_in_its_mode(legacy: str, restore_file: Path) -> None:
    before, dumped = table(legacy, KEPT), schema(legacy)
    triggers.switch_off(legacy, restore_file)
    assert table(legacy, KEPT) != before
    triggers.restore(legacy, restore_file)
    assert (table(legacy, KEPT), schema(legacy)) == (before, dumped)
    triggers.restore(legacy, restore_file)
    assert table(legacy, KEPT) == before


def test_a_restore_file_is_never_overwritten(legacy: str, restore_file: Path) -> None:
    restore_file.write_text("precious")
    before = table(legacy, KEPT)
    with pytest.raises(ConfigurationError, match="exists"):
        triggers.switch_off(legacy, restore_file)
    assert (restore_file.read_text(), table(legacy, KEPT)) == ("precious", before)


def test_the_probe_finds_what_reading_cannot(legacy: str, restore_file: Path) -> None:
    run(
        legacy,
        "create function hidden() returns trigger language plpgsql as $$ begin"
        " execute convert_from(decode('75706461746520736f757263655f646f63756d656e747320736574', 'hex'), 'utf8')"
        " || ' celery' || '_status = upper(celery' || '_status) where id = ' || new.id; return new; end $$;"
        " create trigger nothing_special after update on source_documents for each row"
        " when (pg_trigger_depth() = 0) execute function hidden()",
    )
    before = table(legacy, KEPT)
    with pytest.raises(ConfigurationError, match="changes docpipe's statuses: pending became PENDING"):
        triggers.switch_off(legacy, restore_file)
    assert table(legacy, KEPT) == before


BUILT = {
    "execute format('update %I set %I = 1', tg_table_name, 'celery' || '_status'); return new;": True,
    "execute 'update source_documents set ' || v || ' = 1'; return new;": True,
    "execute v using new.id; return new;": True,
    "execute 'insert into log values (1)'; return new;": False,
    "execute 'insert into log values ($1)' using new.id; return new;": False,
    "new := jsonb_populate_record(new, v); return new;": True,
    "begin new = new #= hstore(v, 'x'); return new; end": True,
    "select * into new from f(v); return new;": True,
    "return jsonb_populate_record(new, v);": True,
    "for r in execute v loop perform 1; end loop; return new;": True,
    "perform dblink_exec('dbname=x', v); return new;": True,
    "select a into new.updated_at; return new;": False,
    "if tg_op = 'DELETE' then return old; end if; return coalesce(new, old);": False,
    "perform log('execute that'); return null;": False,
}  # fmt: skip


@pytest.mark.parametrize("source", BUILT)
def test_a_source_that_puts_together_what_it_writes_is_told(source: str) -> None:
    read = triggers.plain(source)
    assert triggers._is_built(read, read, {"plpgsql"}) == BUILT[source]


def test_another_language_is_not_read() -> None:
    assert triggers._is_built("td['new'][column] = 'x'", "", {"plpgsql", "plpython3u"})


def test_verify_stops_at_what_nobody_can_read_until_somebody_says_what_it_is(
    legacy: str, restore_file: Path
) -> None:
    """It sets a status in the old ways' words only: no probe meets them."""
    run(
        legacy,
        "create function mirror() returns trigger language plpgsql as $$ begin"
        " if new.initial_processing_status = 'ocr_failed' then"
        " new := jsonb_populate_record(new, jsonb_build_object(tg_argv[0], 'pending')); end if; return new; end $$;"
        " create trigger mirror before update on source_documents for each row"
        " execute function mirror('celery_statu')",
    )
    triggers.switch_off(legacy, restore_file)

    def told(said: dict[str, str]) -> list[tuple[bool, str]]:
        with psycopg.connect(legacy) as connection:
            return [(each.ok, each.message) for each in _triggers(connection, said)]

    (unclear,) = [message for ok, message in told({}) if not ok]
    assert unclear.startswith("mirror on source_documents puts together at run time what it writes")
    assert "Read public.mirror(), and say it: --trigger source_documents.mirror=KIND" in unclear
    assert {ok for ok, _ in told({"source_documents.mirror": "other"})} == {True}
    ((good, working),) = told({"source_documents.mirror": "status"})
    assert (good, working) == (
        False, "mirror on source_documents writes a status. Run: docpipe db triggers --disable"
    )  # fmt: skip
    switched = triggers.switch_off(
        legacy, restore_file.with_name("more.sql"), {"source_documents.mirror": "status"}
    )
    assert [each.name for each in switched] == ["mirror"]
    assert {ok for ok, _ in told({})} == {True}
    with pytest.raises(ConfigurationError, match="no such trigger"):
        told({"source_documents.nobody": "other"})
    with pytest.raises(ConfigurationError, match="say one of status, queue"):
        told({"source_documents.mirror": "harmless"})


def test_a_trigger_that_is_kept_may_rely_on_the_search_path(empty_database: str, restore_file: Path) -> None:
    build(empty_database, 1)
    run(
        empty_database,
        "create function note_project() returns trigger language plpgsql as $$ begin"
        " new.md5_hash := (select name from projects where id = new.project_fk_id); return new; end $$;"
        " create trigger note_project before insert on source_documents"
        " for each row execute function note_project()",
    )
    takeover.apply(empty_database, WISHES)
    triggers.switch_off(empty_database, restore_file)
    with psycopg.connect(empty_database) as connection:
        assert probe(connection) == Seen(0, ())


def test_triggers_are_not_switched_off_before_docpipe_is_there(
    empty_database: str, restore_file: Path
) -> None:
    build(empty_database, 1)
    with pytest.raises(ConfigurationError, match="docpipe db apply"):
        triggers.switch_off(empty_database, restore_file)


def test_the_rollback_brings_the_triggers_back_too(empty_database: str, restore_file: Path) -> None:
    fill(
        empty_database,
        build(empty_database, 2, celery=True),
        [("a", {"initial_processing_status": "completed"})],
    )
    before = schema(empty_database)
    takeover.apply(empty_database, WISHES)
    triggers.switch_off(empty_database, restore_file)
    takeover.rollback(empty_database)
    assert schema(empty_database) == before
