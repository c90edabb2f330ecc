"""A gateway before the API that takes no large requests: what is refused goes in smaller parts."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import psycopg
import pytest

from docpipe.errors import RequestTooLargeError
from docpipe.models import Method, Page, StageOutput
from docpipe.stores.functions.payloads import payloads
from docpipe.stores.supabase.store import SupabaseStore
from docpipe.stores.values import Part
from tests.contract.test_store import OUTPUTS, claim, new

CYRILLIC = "Договор поставки № 12. " * 8_000
"""184,000 letters."""
PAGES = tuple(
    Page(number, number * 10, number * 10 + 10, 595.0, 842.0, Method.TEXT) for number in range(1, 600)
)


class Gateway(ThreadingHTTPServer):
    """Passes on to the API what is small enough, and notes what anybody reads of results meanwhile."""

    def __init__(self, api: str, limit: int, database: str) -> None:
        super().__init__(("127.0.0.1", 0), Passing)
        self.api, self.limit, self.database = httpx.Client(base_url=api, timeout=60), limit, database
        self.refused = 0
        self.taken: list[str] = []
        self.seen: set[int] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Passing(BaseHTTPRequestHandler):
    server: Gateway

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if len(body) > self.server.limit:
            self.server.refused += 1
            self._answer(413, "text/html", b"<html>413 Request Entity Too Large</html>")
            return
        self.server.taken.append(self.path.rpartition("docpipe_")[2])
        kept = {name: self.headers[name] for name in ("apikey", "authorization", "content-type", "prefer")}
        answer = self.server.api.post(
            self.path, content=body, headers={name: value for name, value in kept.items() if value}
        )
        if self.path.endswith("docpipe_stage_part"):
            with psycopg.connect(self.server.database) as connection:
                row = connection.execute("select count(*) from docpipe_pages").fetchone()
            assert row is not None
            self.server.seen.add(row[0])
        self._answer(answer.status_code, answer.headers.get("content-type", ""), answer.content)

    def _answer(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(params=[100_000])
def gateway(supabase_env: dict[str, str], request: pytest.FixtureRequest) -> Iterator[Gateway]:
    gateway = Gateway(supabase_env["SUPABASE_URL"], request.param, supabase_env["SUPABASE_DB_URL"])
    with gateway:
        threading.Thread(target=gateway.serve_forever, daemon=True).start()
        yield gateway
        gateway.shutdown()
        gateway.api.close()


@pytest.fixture
def store(gateway: Gateway, supabase_env: dict[str, str]) -> Iterator[SupabaseStore]:
    store = SupabaseStore(gateway.url, supabase_env["SUPABASE_SECRET_KEY"])
    yield store
    store.close()


@pytest.fixture
def behind(supabase_env: dict[str, str]) -> Iterator[SupabaseStore]:
    """The same store without the gateway."""
    store = SupabaseStore(supabase_env["SUPABASE_URL"], supabase_env["SUPABASE_SECRET_KEY"])
    yield store
    store.close()


def test_results_that_are_refused_for_their_size_go_in_parts_and_appear_at_once(
    store: SupabaseStore, behind: SupabaseStore, gateway: Gateway
) -> None:
    ref = store.register(new()).ref
    token = claim(store, ref, "ocr").token
    assert token is not None
    output = StageOutput(text=CYRILLIC, pages=PAGES, file_type="text/plain")
    assert store.finish(ref, "ocr", token, output)
    found = behind.load(ref, {Part.TEXT, Part.PAGES})
    assert (found.text, found.pages) == (CYRILLIC, PAGES)
    assert gateway.seen == {0}
    assert gateway.refused > 0
    refused, other = gateway.refused, store.register(new(digest="b")).ref
    token = claim(store, other, "ocr").token
    assert token is not None
    assert store.finish(other, "ocr", token, output)
    assert gateway.refused == refused  # it was learnt the first time


def test_many_documents_that_are_refused_for_their_size_are_registered_in_parts(
    store: SupabaseStore, gateway: Gateway
) -> None:
    documents = [
        replace(new(), digest=f"{number:064}", metadata={"note": "x" * 1000}) for number in range(150)
    ]
    answers = store.register_many(documents, [f"task-{number}" for number in range(150)])
    assert [each.ref.document_uuid for each in answers] == [each.document_uuid for each in documents]
    assert all(each.queued for each in answers)
    assert gateway.refused > 0


@pytest.mark.parametrize("gateway", [9_000], indirect=True)
def test_what_cannot_be_split_is_said_and_not_repeated(store: SupabaseStore, gateway: Gateway) -> None:
    ref = store.register(new()).ref
    token = claim(store, ref, "ocr").token
    assert token is not None
    metadata = {"one": "x" * 20_000}  # in one piece
    with pytest.raises(RequestTooLargeError, match=r"takes no request of .* bytes \(413\).*1 MB at least"):
        store.finish(ref, "ocr", token, replace(OUTPUTS["ocr"], metadata=metadata))
    assert gateway.refused == 4  # one for each size


@pytest.mark.parametrize("letters", ["Contract. ", "Договор. ", "契約書。", "😀"])
def test_parts_keep_to_their_size_in_every_alphabet(letters: str) -> None:
    parts = payloads(StageOutput(text=letters * 60_000), 100_000)
    assert max(len(part.encode()) for part in parts) < 110_000
    assert len(parts) <= len((letters * 60_000).encode()) // 90_000 + 2
