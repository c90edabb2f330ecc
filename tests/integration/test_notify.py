"""Statuses as a listener of Postgres hears them, with the trigger of the how-to."""

from __future__ import annotations

import json
import re
from pathlib import Path

import psycopg

from docpipe.stores import open_store
from tests.contract.test_store import FAILURE, claim, new, token_of
from tests.contract.test_webhooks import fail

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "tell-others.md"
(TRIGGER,) = re.findall(r"^```sql\n(create or replace trigger .*?)^```$", PAGE.read_text(), re.M | re.S)
HANG_SECONDS = 60.0


def test_a_listener_is_told_of_each_status_and_of_none_before_the_trigger(
    supabase_env: dict[str, str],
) -> None:
    dsn = supabase_env["SUPABASE_DB_URL"]
    store = open_store("postgres", supabase_db_url=dsn)
    with psycopg.connect(dsn, autocommit=True) as listener:
        listener.execute("listen docpipe_status")
        ref = store.register(new()).ref
        listener.execute(TRIGGER.encode())
        store.retry(ref, "ocr", token_of(claim(store, ref, "ocr")), FAILURE, 0.0)
        fail(store, ref)
        told = [json.loads(each.payload) for each in listener.notifies(timeout=HANG_SECONDS, stop_after=3)]
        listener.execute("drop trigger docpipe_notify on public.docpipe_history")
    store.close()
    words = ["ocr_processing", "ocr_processing", "error_ocr"]
    assert told == [{"document_uuid": ref.document_uuid, "run": 1, "status": word} for word in words]
