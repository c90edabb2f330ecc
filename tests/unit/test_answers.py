"""What comes in place of an answer of Supabase, from a real HTTP server, and the error that it is."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from docpipe import errors
from docpipe.stores.functions.errors import error_of
from docpipe.stores.supabase.store import SupabaseStore

JSON = "application/json"
HTML = "text/html; charset=utf-8"
PAGE = "<!DOCTYPE html><title>Sign in</title>"
ANSWERS = {
    "Kong knows no such user": (
        (401, JSON, '{"message":"Invalid authentication credentials"}'),
        (errors.PermissionDeniedError, "Invalid authentication credentials"),
    ),
    "a number for a code": (
        (401, JSON, '{"code":401,"message":"Unregistered API key"}'),
        (errors.PermissionDeniedError, "Unregistered API key"),
    ),
    "a proxy forbids it": ((403, HTML, PAGE), (errors.PermissionDeniedError, "403")),
    "Kong knows no route": (
        (404, JSON, '{"message":"no Route matched with those values"}'),
        (errors.ConfigurationError, "not the address of a project"),
    ),
    "a page": ((200, HTML, PAGE), (errors.ConfigurationError, "text/html")),
    "another server": ((404, HTML, PAGE), (errors.ConfigurationError, "404 with text/html")),
    "elsewhere": ((301, HTML, ""), (errors.ConfigurationError, "answers 301")),
    "TLS was expected": ((400, HTML, PAGE), (errors.ConfigurationError, "answers 400")),
    "nothing": ((200, JSON, ""), (errors.StoreUnavailableError, "empty")),
    "too large": ((413, HTML, PAGE), (errors.RequestTooLargeError, "(413).")),
    "too many": ((429, HTML, PAGE), (errors.RateLimitedError, "429")),
    "a gateway without its server": ((502, HTML, PAGE), (errors.StoreUnavailableError, "502")),
    "a paused project": (
        (540, JSON, '{"message":"Project paused"}'),
        (errors.StoreUnavailableError, "Project paused"),
    ),
    "a trigger": (
        (400, JSON, '{"code":"P0001","message":"Embargo until May","details":null,"hint":null}'),
        (errors.RefusedByDatabaseError, "Embargo until May"),
    ),
    "PostgREST knows no function": (
        (404, JSON, '{"code":"PGRST202","message":"Could not find the function"}'),
        (errors.SchemaError, "Could not find the function"),
    ),
    "PostgREST without its database": (
        (503, JSON, '{"code":"PGRST002","message":"Could not query the database"}'),
        (errors.StoreUnavailableError, "Could not query the database"),
    ),
}


@contextmanager
def answering(status: int, kind: str, body: str) -> Iterator[str]:
    """The address of a server that answers everything with this."""

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body.encode())))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize("case", list(ANSWERS))
def test_what_comes_in_place_of_an_answer_is_told_for_what_it_is(case: str) -> None:
    answer, (kind, words) = ANSWERS[case]
    with answering(*answer) as url:
        store = SupabaseStore(url, "key")
        with pytest.raises(errors.DocpipeError) as caught:
            store.cancel("00000000-0000-4000-8000-000000000000")
        store.close()
    assert type(caught.value) is kind
    assert words in str(caught.value)


@pytest.mark.parametrize("key", ["", "sb_secret_ab\ncd", "sb_secret_ab ", "schl\u00fcssel"])
def test_a_key_that_cannot_be_sent_is_refused_and_not_repeated(key: str) -> None:
    with pytest.raises(errors.ConfigurationError, match="Copy it again") as caught:
        SupabaseStore("https://abc.supabase.co", key)
    assert not key or key.strip() not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["abc.supabase.co", "", "ftp://abc.supabase.co", "https://", "postgresql://h/db"]
)
def test_an_address_that_is_none_is_said(url: str) -> None:
    with pytest.raises(errors.ConfigurationError, match="is no address"):
        SupabaseStore(url, "key")


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("P0001", errors.RefusedByDatabaseError),
        ("AB123", errors.RefusedByDatabaseError),
        ("23514", errors.RefusedByDatabaseError),
        ("23505", errors.RefusedByDatabaseError),
        ("25006", errors.StoreUnavailableError),
        ("57014", errors.StoreUnavailableError),
        ("55P03", errors.StoreUnavailableError),
        ("XX000", errors.StoreUnavailableError),
        ("42501", errors.PermissionDeniedError),
        ("42883", errors.SchemaError),
        ("42601", errors.BugError),
    ],
)
def test_what_the_database_says_is_told_for_what_it_is(code: str, kind: type[errors.DocpipeError]) -> None:
    error = error_of(code, "its own words", "", "Postgres")
    assert type(error) is kind
    assert "its own words" in str(error)
