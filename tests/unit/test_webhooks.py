"""Webhooks as a host and the command manage them: which addresses, secrets and events there may be."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from docpipe.delivery.webhooks.courier import Courier
from docpipe.delivery.webhooks.receivers import Receivers
from docpipe.errors import ConfigurationError
from docpipe.models import Failure
from docpipe.pipeline.webhooks import EVENTS, Webhooks
from docpipe.stores.sqlite.store import SqliteStore
from docpipe.stores.webhook_port import ClaimedEvent, Try
from tests.contract.test_erasures import added
from tests.contract.test_store import claim, token_of
from tests.unit.conftest import Docpipe

URL = "https://example.com/hook"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    opened = SqliteStore(tmp_path / "docpipe.db")
    yield opened
    opened.close()


def fail(store: SqliteStore, project: str) -> None:
    ref = added(store, project=project)
    store.fail(ref, "ocr", token_of(claim(store, ref, "ocr")), Failure("bug", "BugError", "no", "ocr"))


GOOD = [
    ("https://example.com", ()),
    ("https://example.com:8443/a?b=c", ()),
    ("http://hooks.internal/a", ("hooks.internal",)),
    ("http://hooks.internal:8080/a", ("hooks.internal",)),
    ("http://hooks.internal:8080/a", ("hooks.internal:8080",)),
    ("http://10.0.0.7/a", ("10.0.0.7:80",)),
]
BAD = [
    ("http://example.com/a", ()),
    ("http://hooks.internal:8081/a", ("hooks.internal:8080",)),
    ("http://hooks.internal.example.com/a", ("hooks.internal",)),
    ("https://user:secret@example.com/a", ()),
    ("https://example.com\\@10.0.0.7/a", ()),
    ("https://exa mple.com/", ()),
    ("https://example.com:port/", ()),
    ("https:///a", ()),
    ("ftp://example.com/a", ("example.com",)),
    ("file:///etc/passwd", ()),
    ("example.com/hook", ()),
    ("", ()),
    ("https://example.com/" + "a" * 2000, ()),
]


@pytest.mark.parametrize(("url", "internal"), GOOD)
def test_an_address_may_be_told_by_https_or_inside_where_it_is_named(
    url: str, internal: tuple[str, ...]
) -> None:
    assert Receivers(internal).checked(url).hostname


@pytest.mark.parametrize(("url", "internal"), BAD)
def test_no_other_address_is_told(store: SqliteStore, url: str, internal: tuple[str, ...]) -> None:
    with pytest.raises(ConfigurationError) as refused:
        Webhooks(store.webhooks, internal).add(url)
    assert "secret" not in str(refused.value)
    assert store.webhooks.list() == []


def test_a_secret_is_made_or_brought(store: SqliteStore) -> None:
    desk = Webhooks(store.webhooks)
    own = "whsec_" + base64.b64encode(b"s" * 24).decode()
    made, brought = desk.add(URL), desk.add(URL, secret=own)
    assert len(base64.b64decode(made.secret.removeprefix("whsec_"))) == 32
    assert [each.secret for each in desk.list()] == [made.secret, brought.secret]
    assert brought.secret == own


@pytest.mark.parametrize("secret", ["", "whsec_", "short", "whsec_c2hvcnQ=", "whsec_!!!" + "a" * 40])
def test_no_weak_secret_is_taken(store: SqliteStore, secret: str) -> None:
    with pytest.raises(ConfigurationError, match="whsec_ and the Base64 of 24 to 64 bytes"):
        Webhooks(store.webhooks).add(URL, secret=secret)


def test_there_are_no_other_events(store: SqliteStore) -> None:
    with pytest.raises(ConfigurationError, match=r"There is no event document\.exploded"):
        Webhooks(store.webhooks).add(URL, events=["document.exploded", *EVENTS])


def test_an_address_that_fails_is_left_alone_until_the_next_look(store: SqliteStore) -> None:
    desk = Webhooks(store.webhooks)
    away, well = desk.add(URL), desk.add(f"{URL}/well")
    for project in "pqrst":
        fail(store, project)

    def send(event: ClaimedEvent) -> Try:
        return Try(0.0, 500, "it answers 500") if event.url == away.url else Try(0.0, 200, None)

    outcomes = Courier(store.webhooks, send, [3600.0]).deliver(60.0)
    assert outcomes == {"retried": 3, "delivered": 5}
    assert {each.state for each in desk.log(well.id)} == {"delivered"}


def test_an_event_that_somebody_else_took_meanwhile_is_not_noted_twice(store: SqliteStore) -> None:
    Webhooks(store.webhooks).add(URL)
    fail(store, "p")

    def send(event: ClaimedEvent) -> Try:
        assert store.webhooks.note(event, Try(0.0, 200, None), None)
        return Try(0.0, None, "the answer was lost")

    assert Courier(store.webhooks, send).deliver(60.0) == {"late": 1}


def test_the_schedule_spreads_and_ends(store: SqliteStore) -> None:
    courier = Courier(store.webhooks, lambda event: Try(0.0, None, "away"), [100.0, 200.0])
    tries = [[courier._again(attempt) for _ in range(50)] for attempt in (1, 2, 3)]
    assert all(each is not None and 80 <= each <= 120 for each in tries[0])
    assert all(each is not None and 160 <= each <= 240 for each in tries[1])
    assert len(set(tries[0])) > 1
    assert set(tries[2]) == {None}


# --- the command ----------------------------------------------------------------------------------


@pytest.fixture
def hooked(store: SqliteStore, docpipe: Docpipe, monkeypatch: pytest.MonkeyPatch) -> Docpipe:
    monkeypatch.setenv("DOCPIPE_STORE", f"sqlite://{store.path}")
    return docpipe


def test_the_secret_is_shown_once(hooked: Docpipe, store: SqliteStore) -> None:
    added_ = hooked("webhooks", "add", f"{URL}?token=hidden", "--project", "p", "--event", "batch.completed")
    (webhook,) = store.webhooks.list()
    assert added_.out.splitlines() == [webhook.id, f"secret: {webhook.secret}"]
    assert (webhook.project_id, webhook.events) == ("p", ("batch.completed",))
    told = hooked("webhooks", "list").out + hooked("webhooks", "list", "--json").out
    assert webhook.id in told
    assert "hidden" not in told
    assert webhook.secret not in told


def test_the_log_and_a_replay(hooked: Docpipe, store: SqliteStore) -> None:
    webhook = Webhooks(store.webhooks).add(URL)
    fail(store, "p")
    event = store.webhooks.claim(webhook.id, 60.0)
    assert event
    store.webhooks.note(event, Try(0.1, 500, "it answers 500"), None)
    assert f"{event.id} document.failed {event.data['document_uuid']} try 1: it answers 500" in (
        hooked("webhooks", "log", webhook.id).out
    )
    (line,) = hooked("webhooks", "log", webhook.id, "--json").objects
    assert (line["event_id"], line["status"], line["state"]) == (event.id, 500, "given_up")
    assert hooked("webhooks", "replay", webhook.id).code == 2
    assert hooked("webhooks", "replay", webhook.id, "--given-up").out == "1 due again\n"
    assert hooked("webhooks", "replay", webhook.id, event.id).out == "0 due again\n"


def test_a_webhook_is_removed_once(hooked: Docpipe, store: SqliteStore) -> None:
    webhook = Webhooks(store.webhooks).add(URL)
    assert [hooked("webhooks", "remove", webhook.id).code for _ in range(2)] == [0, 2]
    assert store.webhooks.list() == []


def test_deliver_says_what_became_of_each(hooked: Docpipe, store: SqliteStore) -> None:
    assert hooked("webhooks", "deliver").out == "nothing is due\n"
    store.webhooks.add(replace(Webhooks(store.webhooks).add(URL), id="gone", url="http://127.0.0.1/"))
    store.webhooks.remove(store.webhooks.list()[0].id)
    fail(store, "p")
    assert hooked("webhooks", "deliver").out == "1 retried\n"
    (tried,) = store.webhooks.log("gone")
    assert tried.outcome.error and "only https:// is" in tried.outcome.error
