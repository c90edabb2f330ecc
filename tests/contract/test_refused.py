"""A trigger of the project's own that refuses a write: refused for good, with its words."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from docpipe.errors import RefusedByDatabaseError
from docpipe.stores.port import Store
from tests.contract.test_store import claim, new

_TRIGGER = """
create function public.embargo() returns trigger language plpgsql as $$
begin
    raise exception 'Embargo until May';
end $$;
create trigger embargo before update on public.source_documents
    for each row when (new.celery_status = 'ocr_processing') execute function public.embargo();
"""


@pytest.fixture
def embargo(database: str) -> Iterator[None]:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(_TRIGGER)
        yield
        connection.execute("drop function public.embargo() cascade")


@pytest.mark.parametrize("store", ["postgres"], indirect=True)
def test_what_a_trigger_refuses_is_refused_for_good_with_its_words(store: Store, embargo: None) -> None:
    ref = store.register(new()).ref
    with pytest.raises(RefusedByDatabaseError, match=r"P0001.*Embargo until May.*docpipe retry"):
        claim(store, ref, "ocr")
    assert store.status(ref.document_uuid).status == "pending"
