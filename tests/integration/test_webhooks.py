"""Webhooks over real connections: what receivers get, whatever they do, and whom nobody connects to."""

from __future__ import annotations

import ipaddress
import json
import ssl
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from standardwebhooks import Webhook as Verifier

from docpipe.delivery.webhooks.courier import Courier
from docpipe.delivery.webhooks.receivers import Receivers
from docpipe.delivery.webhooks.sender import Sender
from docpipe.models import Failure, Ref
from docpipe.pipeline.webhooks import Webhooks
from docpipe.sources.addresses import Address
from docpipe.stores import open_store
from docpipe.stores.port import Store
from docpipe.stores.values import Outcome
from docpipe.stores.webhook_port import ClaimedEvent
from tests.contract.test_store import claim, new
from tests.integration.test_sources_https import certificate
from tests.receiver import Receiver

SECRET = "whsec_" + "c2VjcmV0" * 4
ENDS = ["document.failed", "document.cancelled", "document.failed", "document.cancelled"]
DOCUMENTS = 250
MOST_LOOKS = 2000
RESTARTS = 20
"""The receiver is away in one look of so many."""
FAILURE = Failure("corrupt", "CorruptDocumentError", "The file is damaged.", "ocr")


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "sqlite":
        opened = open_store(f"sqlite://{tmp_path / 'docpipe.db'}")
    else:
        env = request.getfixturevalue("supabase_env")
        opened = open_store("postgres", supabase_db_url=env["SUPABASE_DB_URL"])
    yield opened
    opened.close()


def ended_four_times(store: Store) -> str:
    ref = store.register(new(document_uuid=str(uuid.uuid4()), digest=uuid.uuid4().hex * 2)).ref
    for end in ENDS:
        fail(store, ref) if end == "document.failed" else store.cancel(ref.document_uuid)
        store.resume(ref.document_uuid, "task")
    return ref.document_uuid


def fail(store: Store, ref: Ref) -> None:
    taken = claim(store, ref, "ocr")
    assert taken.outcome is Outcome.CLAIMED
    assert store.fail(ref, "ocr", taken.token, FAILURE)


def test_a_thousand_events_reach_a_receiver_that_fails_hangs_and_restarts(store: Store) -> None:
    receiver = Receiver(SECRET, seed=1)
    receiver.start()
    host = f"127.0.0.1:{receiver.port}"
    webhook = Webhooks(store.webhooks, {host}).add(receiver.url, secret=SECRET)
    documents = [ended_four_times(store) for _ in range(DOCUMENTS)]
    courier = Courier(store.webhooks, Sender(Receivers({host}), seconds=0.3).send, [0.0] * MOST_LOOKS)
    for look in range(MOST_LOOKS):
        store.webhooks.claim(webhook.id, 0.0)  # by one that died before it sent it
        if look % RESTARTS == RESTARTS // 2:
            receiver.stop()
        courier.deliver(60.0)
        if look % RESTARTS == RESTARTS // 2:
            receiver.start()
        if not store.webhooks.due():
            break
    receiver.stop()
    assert set(receiver.met) == {"accept", "refuse", "hang", "hang up", "accept and hang up"}
    first: dict[str, dict[str, str]] = {each: {} for each in documents}
    for message in receiver.accepted:  # verified there
        first[message["data"]["document_uuid"]].setdefault(message["id"], message["type"])
    assert [list(told.values()) for told in first.values()] == [ENDS] * DOCUMENTS
    assert len(receiver.accepted) > 4 * DOCUMENTS, "some were accepted, and the answer was lost"


def test_nothing_is_left_to_do_where_the_receiver_never_answers(store: Store) -> None:
    webhook = Webhooks(store.webhooks, {"127.0.0.1"}).add("http://127.0.0.1:9/hook")
    ended_four_times(store)
    courier = Courier(store.webhooks, Sender(Receivers({"127.0.0.1"})).send, [0.0])
    looks = []
    while store.webhooks.due():
        looks.append(courier.deliver(60.0))
    assert sum(looks, start=type(looks[0])()) == {"retried": 4, "given_up": 4}
    assert {each.state for each in store.webhooks.log(webhook.id)} == {"given_up"}
    assert store.webhooks.replay(webhook.id, given_up=True) == 4


def event(url: str, data: dict[str, object] | None = None) -> ClaimedEvent:
    return ClaimedEvent(
        "msg_1", "document.completed", datetime(2026, 11, 30, tzinfo=UTC), data or {}, 1, url, SECRET
    )


def found_at(address: str) -> object:
    def resolve(host: str, port: int) -> list[Address]:
        return [ipaddress.ip_address(address)]

    return resolve


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "::ffff:10.0.0.1"])
def test_a_public_name_that_leads_into_the_own_network_is_not_connected_to(address: str) -> None:
    sender = Sender(resolve=found_at(address))  # type: ignore[arg-type]
    told = sender.send(event("https://hooks.example.org/"))
    assert told.status is None
    assert told.error and told.error.startswith("hooks.example.org is not a public address")


def test_what_is_sent_by_https_is_signed_and_never_follows(tmp_path: Path) -> None:
    pem = certificate(tmp_path, "hooks.example.org")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    receiver = Receiver(SECRET)
    bodies: list[tuple[bytes, dict[str, str]]] = []

    def redirect(request: BaseHTTPRequestHandler, how: str) -> None:
        bodies.append((request.rfile.read(int(request.headers["Content-Length"])), dict(request.headers)))
        request.send_response(307)
        request.send_header("Location", f"https://hooks.example.org:{receiver.port}/other")
        request.end_headers()

    receiver.meet = redirect  # type: ignore[method-assign]
    receiver.start()
    assert receiver._server is not None
    receiver._server.socket = context.wrap_socket(receiver._server.socket, server_side=True)
    host = f"hooks.example.org:{receiver.port}"
    sender = Sender(
        Receivers({host}),
        resolve=found_at("127.0.0.1"),  # type: ignore[arg-type]
        context=ssl.create_default_context(cafile=str(pem)),
    )
    told = sender.send(event(f"https://{host}/a?b=1", {"name": "Ünïcode.pdf"}))
    stranger = Sender(Receivers({host}), resolve=found_at("127.0.0.1"))  # type: ignore[arg-type]
    refused = stranger.send(event(f"https://{host}/a"))
    receiver.stop()
    assert (told.status, told.error) == (307, "it answers 307")
    ((body, headers),) = bodies
    assert Verifier(SECRET).verify(body, headers) == json.loads(body)
    assert (headers["Host"], headers["webhook-id"]) == (host, "msg_1")
    assert json.loads(body) == {
        "type": "document.completed",
        "timestamp": "2026-11-30T00:00:00+00:00",
        "data": {"name": "Ünïcode.pdf"},
    }
    assert refused.status is None
    assert refused.error and "hooks.example.org" in refused.error
