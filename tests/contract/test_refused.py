"""A trigger of the project's own that refuses a write: the document ends, with the trigger's words."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from docpipe.errors import DocpipeError, RefusedByDatabaseError
from docpipe.models import Failure, Ref, StageOutput
from docpipe.models.status import AttemptEnd
from docpipe.stores.functions.errors import error_of
from docpipe.stores.port import Store
from docpipe.stores.postgres.store import PostgresStore
from docpipe.stores.values import Outcome, Selection
from tests.contract.test_attempts import PLAN
from tests.contract.test_children import ONE, container, found_inside
from tests.contract.test_store import claim, lost, new
from tests.integration.test_worker_role import ROLE, make_role

_TRIGGER = """
create function public.embargo() returns trigger language plpgsql as $$
begin
    raise exception 'Embargo until May';
end $$;
create trigger embargo before update on public.source_documents
    for each row when (%s) execute function public.embargo();
"""
BEGUN = "new.celery_status = 'ocr_processing'"
ENDED = "new.celery_status in ('ocr_complete', 'error_ocr', 'cancelled')"
ALL = "true"
FAILURE = Failure("corrupt", "CorruptDocumentError", "The file is damaged.", "ocr", "")


@pytest.fixture
def embargo(database: str, request: pytest.FixtureRequest) -> Iterator[Callable[[str], None]]:
    """Makes the trigger, for rows of which this is true."""
    with psycopg.connect(database, autocommit=True) as connection:

        def make(when: str) -> None:
            connection.execute((_TRIGGER % when).encode())

        yield make
        connection.execute("drop function if exists public.embargo() cascade")


postgres = pytest.mark.parametrize("store", ["postgres"], indirect=True)
with_rules = pytest.mark.parametrize("store", ["postgres", "supabase"], indirect=True)
"""SQLite's file is docpipe's alone: nobody else has rules in it."""


def ended(store: Store, ref: Ref) -> tuple[str, str, str]:
    status = store.status(ref.document_uuid)
    assert status.error is not None
    return status.status, status.error.code, str(status.error)


@postgres
def test_what_a_trigger_refuses_is_refused_for_good_with_its_words(
    store: Store, embargo: Callable[[str], None]
) -> None:
    ref = store.register(new()).ref
    embargo("new.celery_status = 'ocr_queued'")
    with pytest.raises(RefusedByDatabaseError, match=r"P0001.*Embargo until May.*docpipe retry"):
        store.queue(ref, "ocr", "task")
    assert store.status(ref.document_uuid).status == "pending"


@postgres
@pytest.mark.parametrize("when", [BEGUN, ALL])
def test_a_document_that_may_not_be_begun_fails_with_the_words_of_the_trigger(
    store: Store, embargo: Callable[[str], None], when: str
) -> None:
    """Also where its failure may not be written: then the ledger alone says so."""
    ref = store.register(new()).ref
    embargo(when)
    assert claim(store, ref, "ocr").outcome is Outcome.OVER
    status, code, told = ended(store, ref)
    assert (status, code) == ("error_ocr", "refused_by_database")
    assert "The database refuses it (P0001): Embargo until May." in told
    assert ("refuses to have that in source_documents" in told) == (when == ALL)
    assert [each.ended for each in store.attempts(ref.document_uuid)] == [AttemptEnd.FAILED]
    assert lost(store, -1.0) == []
    assert [each.code for each in store.statistics().failures] == ["refused_by_database"]


@postgres
@pytest.mark.parametrize("how", ["fail", "cancel"])
def test_an_end_that_may_not_be_written_is_an_end(
    store: Store, embargo: Callable[[str], None], how: str
) -> None:
    ref = store.register(new()).ref
    token = claim(store, ref, "ocr", lease_seconds=60.0 if how == "fail" else -1.0).token
    assert token is not None
    embargo(ENDED)
    if how == "cancel":
        assert store.cancel(ref.document_uuid)
        assert store.status(ref.document_uuid).status == "cancelled"
        return
    with pytest.raises(RefusedByDatabaseError, match="Embargo until May"):
        store.finish(ref, "ocr", token, StageOutput(text=""))
    assert store.fail(ref, "ocr", token, FAILURE)
    status, code, told = ended(store, ref)
    assert (status, code) == ("error_ocr", "corrupt")
    assert (
        "The file is damaged. The database refuses to have that in source_documents (P0001): Embargo" in told
    )


@postgres
def test_the_reaper_does_not_come_back_to_what_is_refused(
    store: Store, embargo: Callable[[str], None]
) -> None:
    ref = store.register(new()).ref
    embargo(ALL)
    revived = store.revive(ref, grace_seconds=-1.0, max_attempts=5, task_id="t")
    assert revived.outcome == "refused"
    assert ended(store, ref)[:2] == ("error_ocr", "refused_by_database")
    assert lost(store, -1.0) == []


def told_everywhere(store: Store, ref: Ref, word: str) -> dict[str, object]:
    """The only document's status, at each place that tells it; `word` selects it."""
    selected = store.documents(Selection(status=(word,)))
    return {
        "status": store.status(ref.document_uuid).status,
        "list": [each.status for each in store.documents()],
        "selected": [each.document_uuid for each in selected],
        "counts": {each.status: each.documents for each in store.statistics().documents},
        "batch": store.batch("b"),
        "known": store.register(new(batch="b")).status,
        "loaded": store.load(ref, ()).status,
    }


def only(ref: Ref, word: str) -> dict[str, object]:
    said = {"status": word, "known": word, "loaded": word, "list": [word], "selected": [ref.document_uuid]}
    return said | {"counts": {word: 1}, "batch": {word: 1}}


@with_rules
@pytest.mark.parametrize("word", ["error_ocr", "cancelled"])
def test_an_end_that_may_not_be_written_is_what_lists_and_counts_say(
    store: Store, embargo: Callable[[str], None], word: str
) -> None:
    ref = store.register(new(batch="b")).ref
    assert store.queue(ref, "ocr", "task")
    embargo(ALL)
    if word == "cancelled":
        assert store.cancel(ref.document_uuid)
    else:
        assert claim(store, ref, "ocr").outcome is Outcome.OVER
        (told,) = store.documents(Selection(status=(word,)))
        assert "The database refuses it (P0001): Embargo until May." in (told.error_message or "")
    assert told_everywhere(store, ref, word) == only(ref, word)
    assert store.documents(Selection(status=("ocr_queued", "pending"))) == []


@with_rules
def test_what_is_allowed_again_is_told_by_its_own_status(
    store: Store, embargo: Callable[[str], None], database: str
) -> None:
    ref = store.register(new(batch="b")).ref
    embargo(ALL)
    assert claim(store, ref, "ocr").outcome is Outcome.OVER
    with pytest.raises(DocpipeError, match="Embargo until May"):
        store.resume(ref.document_uuid, "again")
    assert told_everywhere(store, ref, "error_ocr") == only(ref, "error_ocr")
    with psycopg.connect(database) as connection:
        connection.execute("drop function public.embargo() cascade")
    assert store.resume(ref.document_uuid, "again")
    assert told_everywhere(store, ref, "ocr_queued") == only(ref, "ocr_queued")


@with_rules
def test_what_an_earlier_run_found_is_loaded_with_the_end_of_the_newest(
    store: Store, embargo: Callable[[str], None]
) -> None:
    ref = store.register(new()).ref
    assert store.cancel(ref.document_uuid)
    begun = store.reprocess(ref.document_uuid, "ocr", PLAN)
    assert begun is not None
    newest = begun.ref
    embargo(ALL)
    assert claim(store, newest, "ocr").outcome is Outcome.OVER
    assert [store.load(each, ()).status for each in (ref, newest)] == ["error_ocr", "error_ocr"]


@postgres
def test_children_are_counted_by_the_end_that_they_have(store: Store, embargo: Callable[[str], None]) -> None:
    ref = container(store)
    (child,) = found_inside(store, ref, ONE)
    assert child is not None
    embargo(f"new.document_uuid = '{child}'")
    assert claim(store, Ref(child, 1), "ocr").outcome is Outcome.OVER
    assert store.status(ref.document_uuid).children == {"error_ocr": 1}


@pytest.fixture
def narrowed(database: str) -> Iterator[Callable[[str], Store]]:
    """Opens the store of a worker's role after this statement."""
    opened: list[Store] = []
    make_role(database)

    def open_after(statement: str) -> Store:
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute(statement.encode())
        opened.append(PostgresStore(make_conninfo(database, options=f"-c role={ROLE}")))
        return opened[-1]

    yield open_after
    for each in opened:
        each.close()
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("drop policy if exists embargo on public.source_documents")
    make_role(database)


@postgres
@pytest.mark.parametrize(
    "statement",
    [
        f"revoke update on public.source_documents from {ROLE}",
        "create policy embargo on public.source_documents as restrictive for update"
        " using (true) with check (celery_status = 'ocr_queued')",
    ],
)
def test_a_document_that_the_worker_may_not_change_fails_with_the_words_of_the_database(
    store: Store, narrowed: Callable[[str], Store], statement: str
) -> None:
    ref = store.register(new(batch="b")).ref
    assert store.queue(ref, "ocr", "task")
    assert claim(narrowed(statement), ref, "ocr").outcome is Outcome.OVER
    status, code, told = ended(store, ref)
    assert (status, code) == ("error_ocr", "permission_denied")
    assert "source_documents" in told
    assert told_everywhere(store, ref, "error_ocr") == only(ref, "error_ocr")
    assert lost(store, -1.0) == []


def test_one_rule_says_in_sql_and_in_python_what_is_refused(database: str) -> None:
    states = [*(each for each in psycopg.errors._sqlcodes if len(each) == 5), "DP001", "XX123"]
    asked = "select s from unnest(%s::text[]) s where docpipe_is_refusal(s)"
    with psycopg.connect(database) as connection:
        found = {state for (state,) in connection.execute(asked, (states,))}
    told = {state: error_of(state, "", "", "Postgres") for state in states}
    assert found == {state for state, error in told.items() if isinstance(error, RefusedByDatabaseError)}
