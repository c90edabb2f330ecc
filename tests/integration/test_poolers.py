"""Through a pooler in transaction mode: all that goes straight to the database, on a real PgBouncer."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from docpipe.cli.takeover import connection, migrate, takeover
from docpipe.cli.takeover.queue.importing import import_rows, seal, unseal
from docpipe.cli.takeover.tables import triggers
from docpipe.cli.takeover.verify import verify
from docpipe.errors import ConfigurationError, StoreUnavailableError
from docpipe.pipeline.pipeline import Pipeline
from docpipe.sources import Sources
from docpipe.stores.postgres.store import PostgresStore
from docpipe.stores.values import Part
from docpipe.testing import memory_app
from tests.contract.test_store import OUTPUTS, claim, new
from tests.engines import OPTIONS
from tests.integration.legacy_database import build, fill
from tests.integration.pooler import Pooler
from tests.integration.test_takeover import WISHES
from tests.stack import Stack
from tests.stack.server import free_ports

LEFT = """
select 'statement ' || name from pg_prepared_statements where name <> ''
union all select 'cursor ' || name from pg_cursors where name <> ''
union all select 'lock ' || classid from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()
union all select 'setting ' || name from pg_settings
 where source = 'session'  -- but for those that PgBouncer itself sets anew for each client
   and name not in ('application_name', 'client_encoding', 'DateStyle', 'standard_conforming_strings',
                    'TimeZone')
"""


@pytest.fixture(scope="module")
def pooler(stack: Stack) -> Iterator[Pooler]:
    stack.mend()
    with tempfile.TemporaryDirectory() as folder:
        pooler = Pooler(Path(folder), free_ports(1)[0], stack.postgres, 2)
        pooler.start()
        yield pooler
        pooler.stop()


@pytest.fixture
def pooled(pooler: Pooler, empty_database: str) -> Iterator[str]:
    """An empty database of its own; nothing is left in its only session."""
    url = pooler.url(empty_database)
    yield url
    with psycopg.connect(url, autocommit=True, prepare_threshold=None) as connection:
        assert connection.execute(LEFT).fetchall() == []


def _address(pooled: str) -> str:
    parts = conninfo_to_dict(pooled)
    return f"postgresql://{parts['user']}:{parts['password']}@127.0.0.1:{parts['port']}/{parts['dbname']}"


def test_a_database_is_taken_over_and_given_back(pooled: str, tmp_path: Path) -> None:
    build(pooled, 2)
    for _ in range(3):  # psycopg prepares from the fifth time on, in whatever session it meets
        takeover.plan(pooled, WISHES)
    assert takeover.trial(pooled, WISHES) == ""
    assert takeover.apply(pooled, WISHES)
    assert takeover.apply(pooled, WISHES) == []
    assert migrate.check(pooled) == []
    assert triggers.switch_off(pooled, tmp_path / "restore.sql")
    triggers.restore(pooled, tmp_path / "restore.sql")
    assert triggers.switch_off(pooled, tmp_path / "again.sql")
    assert seal(pooled)
    assert unseal(pooled)
    assert takeover.rollback(pooled).statements


def test_the_queue_is_imported_and_verified(pooled: str, empty_database: str, tmp_path: Path) -> None:
    legacy = build(empty_database, 1)
    path = tmp_path / "a.txt"
    path.write_text("Ann met Bob.")
    fill(empty_database, legacy, [("a", {"original_file_path": str(path), "queue": "pending"})])
    takeover.apply(pooled, WISHES)
    triggers.switch_off(pooled, tmp_path / "restore.sql")
    store = PostgresStore(pooled)
    pipeline = Pipeline(memory_app(), store=store, sources=Sources(uploads=tmp_path), options=OPTIONS)
    assert import_rows(pooled, pipeline) == {"submitted": 1}
    found = {each.check: each.message for each in verify(pooled, pipeline) if each.check == "triggers"}
    assert "moved nothing" in found["triggers"]
    store.close()


def test_a_document_goes_all_the_way_by_every_call(pooled: str, tmp_path: Path) -> None:
    takeover.apply(pooled)
    store = PostgresStore(pooled)
    ref = store.register(new()).ref
    assert store.queue(ref, "ocr", "task")
    for stage, output in OUTPUTS.items():
        token = claim(store, ref, stage).token
        assert token is not None
        large = replace(output, text="x" * 1_200_000) if stage == "ocr" else output  # several calls
        assert store.finish(ref, stage, token, large)
    assert store.status(ref.document_uuid).status == "completed"
    assert len(store.load(ref, set(Part)).text) == 1_200_000
    assert store.check() == []
    store.close()


@pytest.mark.parametrize("more", ["pgbouncer=true", "pgbouncer=true&connection_limit=1", "connect_timeout=5"])
def test_the_address_may_be_as_a_project_page_shows_it_for_prisma(pooled: str, more: str) -> None:
    url = f"{_address(pooled)}?{more}"
    assert takeover.plan(url).steps
    PostgresStore(url).pool.close()


def test_a_parameter_that_nobody_knows_is_named_and_no_value_is(pooled: str) -> None:
    with pytest.raises(ConfigurationError, match="not know all of sslmodus, connect_timeout") as caught:
        takeover.plan(f"{_address(pooled)}?sslmodus=geheim&connect_timeout=5")
    assert "geheim" not in str(caught.value)


def test_a_busy_pooler_passes_and_is_named(pooler: Pooler, pooled: str) -> None:
    takeover.apply(pooled)
    store = PostgresStore(pooled)
    with psycopg.connect(pooled) as other:
        other.execute("select 1")  # its transaction holds the only connection
        with pytest.raises(StoreUnavailableError, match="query_wait_timeout"):
            store.statistics()
    assert store.statistics()
    store.close()


def test_a_migration_waits_for_its_turn_and_for_tables_so_long_and_no_longer(
    empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "_TURN_SECONDS", 1)
    with psycopg.connect(empty_database) as other:
        other.execute("select pg_advisory_xact_lock(%s)", (connection._LOCK,))
        with pytest.raises(StoreUnavailableError, match="Another `docpipe db apply`"):
            takeover.apply(empty_database)
    hurried = make_conninfo(empty_database, options="-c statement_timeout=3s")
    with connection.connected(hurried) as mine, connection.migrating(mine):
        settings = [mine.execute(f"show {name}_timeout").fetchone() for name in ("lock", "statement")]
    assert settings == [("10s",), ("0",)]
