"""What a test of the API only begins with is made beside it, in the same database: a third of the work."""

from __future__ import annotations

import os

from docpipe.stores.port import Store
from docpipe.stores.postgres.store import PostgresStore
from docpipe.stores.supabase.store import SupabaseStore

_opened: dict[str, PostgresStore] = {}


def shortly(store: Store) -> Store:
    """A store of the same documents that is not the API's."""
    if not isinstance(store, SupabaseStore):
        return store
    dsn = os.environ["SUPABASE_DB_URL"]
    if dsn not in _opened:
        _opened[dsn] = PostgresStore(dsn)
    return _opened[dsn]


def close() -> None:
    """Close those that were opened."""
    while _opened:
        _opened.popitem()[1].close()
