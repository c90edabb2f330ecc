"""The web pages: who gets an answer, what is done once and written down, and what the pages say."""

from __future__ import annotations

import logging
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from io import BytesIO
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Mount
from starlette.testclient import TestClient

from docpipe.errors import ConfigurationError
from docpipe.pipeline.pipeline import Pipeline
from docpipe.stores.share_port import Limit
from docpipe.web import Visitor
from docpipe.web import app as web_app
from tests.unit.conftest import NewPipeline

TEXT = b"Ann Lee met Bob Ray in Bern."


@pytest.fixture
def pipeline(new_eager: NewPipeline) -> Pipeline:
    return new_eager()


@pytest.fixture
def ours(pipeline: Pipeline) -> str:
    return pipeline.submit(TEXT, name="ours.txt", project_id="ours").document_uuid


@pytest.fixture
def theirs(pipeline: Pipeline) -> str:
    return pipeline.submit(TEXT, name="theirs.txt", project_id="theirs").document_uuid


@contextmanager
def noted() -> Iterator[list[str]]:
    """What the web pages log meanwhile."""
    found: list[str] = []
    handler, logger = logging.Handler(), logging.getLogger("docpipe.web")
    handler.emit = lambda record: found.append(record.getMessage())  # type: ignore[method-assign]
    logger.addHandler(handler)
    try:
        yield found
    finally:
        logger.removeHandler(handler)


def client(app: Starlette, host: str = "localhost", address: str = "127.0.0.1") -> TestClient:
    return TestClient(app, base_url=f"http://{host}", client=(address, 50000), follow_redirects=False)


@pytest.fixture
def here(pipeline: Pipeline) -> TestClient:
    """A browser on the same machine, of an app without a login."""
    return client(web_app(pipeline))


def visits(pipeline: Pipeline, visitor: Visitor | None) -> TestClient:
    """The browser of a host's user, whatever the address."""
    return client(web_app(pipeline, authorize=lambda _: visitor), "docs.example", "203.0.113.5")


def form_of(page: str) -> str:
    found = re.search(r'name="form" value="([^"]+)"', page)
    assert found is not None
    return found[1]


def sent(browser: TestClient, path: str, data: dict[str, Any], at: str = "/documents") -> Any:
    """The answer to a form of the page at `at`, filled in."""
    return browser.post(path, data={"form": form_of(browser.get(at).text), **data})


# --- who gets an answer ---------------------------------------------------------------------------

PATHS = ("/", "/live", "/documents", "/search?q=ann", "/entities", "/steering", "/static/style.css", "/login")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("host", "address"),
    [("localhost", "203.0.113.5"), ("evil.example", "127.0.0.1"), ("localhost.evil.example", "::1")],
)
def test_another_machine_or_name_gets_nothing_without_a_login(
    pipeline: Pipeline, ours: str, path: str, host: str, address: str
) -> None:
    with noted() as logged:
        answer = client(web_app(pipeline), host, address).get(path)
    assert (answer.status_code, answer.text) == (403, "Forbidden\n")
    assert logged == ["web_refused"]


@pytest.mark.parametrize("host", ["localhost", "localhost:8080", "127.0.0.1:8080", "[::1]:8080"])
def test_this_machine_is_let_in(pipeline: Pipeline, host: str) -> None:
    assert client(web_app(pipeline), host).get("/documents").status_code == 200


@pytest.mark.parametrize("header", ["Forwarded", "Via", "X-Forwarded-For", "X-Real-IP"])
def test_what_a_proxy_of_this_machine_hands_on_is_not_from_this_machine(
    pipeline: Pipeline, header: str
) -> None:
    assert client(web_app(pipeline)).get("/documents", headers={header: "127.0.0.1"}).status_code == 403


def test_a_visitor_of_no_project_by_mistake_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="empty project_id"):
        Visitor("ann", "")


@pytest.mark.parametrize("path", PATHS[:-1])
def test_nobody_is_answered_whom_the_host_does_not_know(pipeline: Pipeline, path: str) -> None:
    assert visits(pipeline, None).get(path).status_code == 403


def test_a_hosts_login_may_wait_for_something(pipeline: Pipeline) -> None:
    async def authorize(request: Request) -> Visitor | None:
        return Visitor("ann") if request.headers.get("x-user") == "ann" else None

    browser = client(web_app(pipeline, authorize=authorize), "docs.example", "203.0.113.5")
    assert browser.get("/documents").status_code == 403
    assert "ann" in browser.get("/documents", headers={"x-user": "ann"}).text


def test_a_token_lets_in_and_nothing_else_does(pipeline: Pipeline) -> None:
    browser = client(web_app(pipeline, token="correct horse battery"), "docs.example", "203.0.113.5")
    assert browser.get("/documents").headers["location"] == "/login"
    assert browser.post("/documents/change").status_code == 403
    assert "This is not the token" in browser.post("/login", data={"token": "wrong"}).text
    browser.cookies.set("docpipe_session", "x")
    assert browser.get("/documents").status_code == 303
    browser.cookies.clear()
    told = browser.post("/login", data={"token": "correct horse battery"})
    assert "HttpOnly" in told.headers["set-cookie"]
    assert "SameSite=strict" in told.headers["set-cookie"]
    assert browser.get("/documents").status_code == 200


@pytest.mark.parametrize("options", [{"token": "short"}, {"token": "x" * 16, "authorize": lambda _: None}])
def test_a_weak_token_or_two_logins_are_refused(pipeline: Pipeline, options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="16 characters"):
        web_app(pipeline, **options)


# --- forms ----------------------------------------------------------------------------------------


def test_a_form_that_was_not_made_here_changes_nothing(
    pipeline: Pipeline, here: TestClient, ours: str
) -> None:
    real = form_of(here.get("/documents").text)
    number, at, signature = real.split(".")
    another = form_of(visits(pipeline, Visitor("bob")).get("/documents").text)
    forged = ["", "x", f"{number}x.{at}.{signature}", f"{number}.{at}0.{signature}", f"{number}..", another]
    for form in forged:
        with noted() as logged:
            answer = here.post("/documents/change", data={"form": form, "action": "delete", "document": ours})
        assert answer.status_code == 403
        assert "web_forged" in logged
    data = {"form": real, "action": "delete", "document": ours}
    told = here.post("/documents/change", data=data, headers={"sec-fetch-site": "cross-site"})
    assert told.status_code == 403
    assert pipeline.status(ours).status == "completed"
    assert pipeline.store.actions() == []


def test_a_form_that_is_sent_again_does_nothing_again(pipeline: Pipeline, here: TestClient) -> None:
    uuid = pipeline.submit(TEXT, name="again.txt").document_uuid
    data = {"form": form_of(here.get("/documents").text), "action": "reprocess", "document": uuid}
    assert here.post("/documents/change", data=data).status_code == 200
    runs = pipeline.status(uuid).run
    with noted() as logged:
        answer = here.post("/documents/change", data=data)
    assert answer.status_code == 409
    assert "web_replayed" in logged
    assert pipeline.status(uuid).run == runs == 2


def test_an_old_form_is_refused(
    pipeline: Pipeline, here: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = form_of(here.get("/documents").text)
    monkeypatch.setattr("docpipe.web.access._FORM_SECONDS", -1.0)
    assert here.post("/documents/change", data={"form": old, "action": "cancel"}).status_code == 403


def test_who_may_only_look_sees_no_button_and_changes_nothing(pipeline: Pipeline, ours: str) -> None:
    browser = visits(pipeline, Visitor("guest", may_change=False))
    pages = [browser.get(path).text for path in ("/documents", f"/documents/{ours}", "/steering")]
    assert [page.count('value="delete"') + page.count("Resume what was lost") for page in pages] == [0, 0, 0]
    assert browser.post("/documents/change", data={"action": "delete", "document": ours}).status_code == 403


def test_what_is_sent_is_read_only_from_who_may_send_it(pipeline: Pipeline, here: TestClient) -> None:
    read: list[int] = []

    def endless() -> Iterator[bytes]:
        for _ in range(100):
            read.append(1)
            yield b"x" * 100_000

    token = client(web_app(pipeline, token="correct horse battery"), "docs.example", "203.0.113.5")
    guest = visits(pipeline, Visitor("guest", may_change=False))
    foreign = {"sec-fetch-site": "cross-site"}
    size = {"content-length": "10000000"}
    answers = [
        token.post("/login", content=b"token=" + b"x" * 1_000_000),
        token.post("/login", content=endless()),
        token.post("/login", content=endless(), headers=size | {"transfer-encoding": "chunked"}),
        here.post("/documents/change", content=endless()),
        guest.post("/documents/submit", content=endless()),
        here.post("/documents/submit", content=endless(), headers=foreign),
    ]
    assert ([each.status_code for each in answers], read) == ([413, 413, 413, 413, 403, 403], [])
    assert all("default-src 'none'" in each.headers["content-security-policy"] for each in answers)


@pytest.mark.parametrize("path", ["/documents/{}/pages/{}", "/entities/{}/{}"])
@pytest.mark.parametrize("number", ["-1", "x", "9" * 20, "9" * 5000, "%00", "٣"])
def test_a_number_that_is_none_leads_nowhere(here: TestClient, ours: str, path: str, number: str) -> None:
    assert here.get(path.format(ours, number)).status_code == 404


def test_a_cookie_of_other_letters_is_no_session(pipeline: Pipeline) -> None:
    browser = client(web_app(pipeline, token="correct horse battery"), "docs.example", "203.0.113.5")
    assert browser.get("/documents", headers={b"cookie": b"docpipe_session=\xe9"}).status_code == 303


# --- projects -------------------------------------------------------------------------------------


def test_a_visitor_of_a_project_sees_nothing_of_another(pipeline: Pipeline, ours: str, theirs: str) -> None:
    browser = visits(pipeline, Visitor("ann", "ours"))
    for path in (
        "/",
        "/documents",
        "/documents?project=theirs",
        "/search?q=Ann+Lee",
        "/entities?project=theirs",
    ):
        page = browser.get(path).text
        assert ("theirs.txt" in page, theirs in page, "theirs</" in page) == (False, False, False), path
    assert ours in browser.get("/documents").text
    assert ours in browser.get("/search?q=Ann+Lee").text


def test_another_projects_document_is_answered_as_one_that_nobody_has(
    pipeline: Pipeline, theirs: str
) -> None:
    browser, nobody = visits(pipeline, Visitor("ann", "ours")), "0" * 32
    for path in ("/documents/{}", "/documents/{}/pages/1", "/entities/{}/0"):
        told, unknown = (browser.get(path.format(uuid)) for uuid in (theirs, nobody))
        assert (told.status_code, told.text.replace(theirs, nobody)) == (404, unknown.text)
    for action in ("retry", "reprocess", "cancel", "delete"):
        with noted() as logged:
            page = sent(browser, "/documents/change", {"action": action, "document": theirs}).text
        assert "The store knows no document" in page
        assert "web_other_project" in logged
    entities = {"one": f"{theirs}/entity:0", "other": f"{theirs}/entity:1", "action": "merge"}
    assert sent(browser, "/entities/decide", entities).status_code == 404
    assert browser.get("/steering").status_code == 404
    assert sent(browser, "/steering/reap", {}).status_code == 404
    assert pipeline.status(theirs).status == "completed"
    assert pipeline.store.actions() == []


def test_what_is_handed_in_goes_into_the_visitors_project(pipeline: Pipeline) -> None:
    browser = visits(pipeline, Visitor("ann", "ours"))
    form = form_of(browser.get("/documents").text)
    files = [("file", ("one.txt", b"One says hello.")), ("file", ("two.txt", b"Two says hello."))]
    page = browser.post("/documents/submit", data={"form": form, "project": "theirs"}, files=files).text
    assert page.count("submitted as") == 2
    assert {each.project_id for each in pipeline.store.documents()} == {"ours"}
    assert {each.action for each in pipeline.store.actions("ours")} == {"submit"}


# --- what the pages do and say ----------------------------------------------------------------------


def test_every_action_is_written_down_with_who_and_why(pipeline: Pipeline, ours: str) -> None:
    browser = visits(pipeline, Visitor("ann"))
    sent(browser, "/documents/change", {"action": "reprocess", "document": ours, "why": "a new engine"})
    sent(browser, "/steering/reap", {"why": "a worker was lost"}, at="/steering")
    told = [(each.who, each.action, each.target, each.why) for each in pipeline.store.actions()]
    assert told == [
        ("ann", "reap", None, "a worker was lost"),
        ("ann", "reprocess", ours, "a new engine"),
    ]
    page = browser.get("/steering").text
    assert "a new engine" in page


def test_a_failed_document_says_why_and_can_be_sent_again(pipeline: Pipeline, here: TestClient) -> None:
    uuid = pipeline.submit(b"%PDF-1.7 broken", name="broken.pdf").document_uuid
    listed = here.get("/documents?status=failed").text
    assert "broken.pdf" in listed
    assert "corrupt" in listed
    page = here.get(f"/documents/{uuid}").text
    assert "error_ocr" in page
    assert "Traceback" in page
    told = sent(here, "/documents/change", {"action": "retry", "document": uuid}, at=f"/documents/{uuid}")
    assert "resumed" in told.text
    again = here.get(f"/documents/{uuid}").text
    assert again.count('<th scope="row">ocr') == 2  # the story of both attempts


def test_the_documents_of_a_batch_are_listed_together(pipeline: Pipeline, here: TestClient) -> None:
    folder = [pipeline.sources.take_in(text, f"{n}.txt").uri for n, text in enumerate((b"One.", b"Two."))]
    list(pipeline.submit_many(folder, batch="monday"))
    pipeline.submit(b"Three.", name="three.txt")
    page = here.get("/documents?batch=monday").text
    listed = re.findall(r'name="document" value="([^"]+)"', page)
    assert len(listed) == 2


def test_an_archive_and_the_documents_in_it_lead_to_each_other(pipeline: Pipeline, here: TestClient) -> None:
    archive = BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("<b>.txt", TEXT)
    parent = pipeline.submit(archive.getvalue(), name="all.zip").document_uuid
    (child,) = pipeline.get(parent).children
    page = here.get(f"/documents/{parent}").text
    assert f'<a href="/documents/{child.document_uuid}">&lt;b&gt;.txt</a>' in page
    assert "1 document found inside it, 1 completed" in page
    assert (
        f'Found inside <a href="/documents/{parent}">' in here.get(f"/documents/{child.document_uuid}").text
    )
    pipeline.delete(str(child.document_uuid))
    assert "&lt;b&gt;.txt (deleted)" in here.get(f"/documents/{parent}").text


def test_documents_are_chosen_by_type_day_and_the_word_of_a_status(
    pipeline: Pipeline, here: TestClient
) -> None:
    pipeline.submit(b"%PDF-1.7 broken", name="broken.pdf")
    pipeline.submit(TEXT, name="good.txt")
    days = sorted(each.updated_at.date() for each in pipeline.store.documents())
    before, after = days[0] - timedelta(1), days[-1] + timedelta(1)

    def listed(**asked: object) -> set[str]:
        page = here.get("/documents", params={name: str(value) for name, value in asked.items()}).text
        return {name for name in ("broken.pdf", "good.txt") if f">{name}</a>" in page}

    assert listed(type="pdf") == listed(status="error_ocr") == {"broken.pdf"}
    opened = '<details class="more" open>'
    assert [opened in here.get(f"/documents?{asked}").text for asked in ("type=pdf", "name=good")] == [
        True,
        False,
    ]
    assert listed(since=days[0], until=days[-1]) == {"broken.pdf", "good.txt"}
    assert listed(since=after) == listed(until=before) == set()
    assert "<option selected>error_ocr</option>" in here.get("/documents?status=error_ocr").text
    for nonsense in ("yesterday", "9999-12-31", "2026-13-01"):
        assert here.get(f"/documents?until={nonsense}").status_code == 400


@pytest.mark.parametrize(
    ("status", "listed"),
    [("failed", {"broken.pdf"}), ("completed", {"good.txt"}), ("cancelled", set()), ("waiting", set())],
)
def test_documents_are_chosen_by_how_they_stand(
    pipeline: Pipeline, here: TestClient, status: str, listed: set[str]
) -> None:
    pipeline.submit(b"%PDF-1.7 broken", name="broken.pdf")
    pipeline.submit(TEXT, name="good.txt")
    page = here.get(f"/documents?status={status}").text
    assert {name for name in ("broken.pdf", "good.txt") if name in page} == listed


def test_a_list_is_read_to_its_end_page_by_page(pipeline: Pipeline, here: TestClient) -> None:
    uuids = [pipeline.submit(f"Page {n}".encode(), name=f"{n}.txt").document_uuid for n in range(53)]
    first = here.get("/documents?name=.txt").text
    following = re.search(r'rel="next" href="([^"]+)"', first)
    assert following is not None
    second = here.get(following[1].replace("&amp;", "&")).text
    seen = [re.findall(r'name="document" value="([^"]+)"', page) for page in (first, second)]
    assert [len(each) for each in seen] == [50, 3]
    assert [*seen[0], *seen[1]] == uuids[::-1]
    assert "That is all" in second


def test_a_list_is_sorted_by_a_column_and_stays_so_on_its_next_page(
    pipeline: Pipeline, here: TestClient
) -> None:
    for n in range(52):
        pipeline.submit(f"Letter {n}".encode(), name=f"{n:02}.txt")
    up = here.get("/documents?sort=name&name=.txt")
    following = re.search(r'rel="next" href="([^"]+)"', up.text)
    assert following is not None and 'aria-sort="ascending"' in up.text
    second = here.get(following[1].replace("&amp;", "&")).text
    seen = [re.findall(r">(\d\d)\.txt</a>", page) for page in (up.text, second)]
    assert [*seen[0], *seen[1]] == [f"{n:02}" for n in range(52)]
    down = re.search(r'<a href="(/documents\?sort=-name[^"]*)">Name', up.text)
    assert down is not None
    last = here.get(down[1].replace("&amp;", "&")).text
    assert re.findall(r">(\d\d)\.txt</a>", last)[:2] == ["51", "50"]
    assert here.get("/documents?sort=size").status_code == 400


def test_a_document_shows_what_was_found_on_its_pages(
    pipeline: Pipeline, here: TestClient, ours: str
) -> None:
    page = here.get(f"/documents/{ours}?q=met").text
    document = pipeline.get(ours)
    assert '<mark class="found" title="found">met</mark>' in page
    for entity in document.entities:
        assert f"/entities/{ours}/{entity.index}" in page
    label = document.entities[0].label
    only = here.get(f"/documents/{ours}?label={label}").text
    others = [each for each in document.entities if each.label != label]
    assert all(f"/entities/{ours}/{each.index}" not in only for each in others)


def test_an_entity_is_merged_split_and_who_did_it_is_shown(pipeline: Pipeline, here: TestClient) -> None:
    uuid = pipeline.submit(b"Ann met Bob.", name="pair.txt").document_uuid
    pipeline.link_entities()
    ids = [f"{uuid}/entity:{each.index}" for each in pipeline.get(uuid).entities[:2]]
    at = f"/entities/{ids[0].replace('/entity:', '/')}"
    data = {"one": ids[0], "other": ids[1], "why": "a nickname"}
    assert f'value="{ids[1]}"' in here.get(f"{at}?find=bob").text
    assert "is one entity now" in sent(here, "/entities/decide", data | {"action": "merge"}, at=at).text
    assert len(pipeline.graphs.entity(ids[0]).members) == 2
    assert "a nickname" in here.get(at).text
    assert "is two entities now" in sent(here, "/entities/decide", data | {"action": "split"}, at=at).text
    assert len(pipeline.graphs.entity(ids[0]).members) == 1


def test_the_list_of_entities_begins_at_a_label(pipeline: Pipeline, here: TestClient) -> None:
    pipeline.submit(b"Ann met Bob.", name="pair.txt")
    pipeline.link_entities()
    ways = dict(re.findall(r'class="tag l-(\w+)" href="([^"]+)"', here.get("/entities").text))
    assert ">Ann</a>" in here.get(ways["person"]).text
    assert ">Ann</a>" not in here.get(ways["phone"]).text


def test_what_was_done_is_told_by_name_with_a_way_to_it(
    pipeline: Pipeline, here: TestClient, ours: str
) -> None:
    link = f'<a href="/documents/{ours}">ours.txt</a>'
    data = {"action": "cancel", "document": ours}
    assert link in sent(here, "/documents/change", data).text
    gone = sent(here, "/documents/change", data | {"action": "delete"}).text
    assert "<td>ours.txt</td>" in gone
    form = form_of(here.get("/documents").text)
    files = {"file": ("new.txt", TEXT)}
    told = here.post("/documents/submit", data={"form": form}, files=files).text
    (new,) = pipeline.store.documents()
    assert f'<a href="/documents/{new.document_uuid}">new.txt</a>' in told


@pytest.mark.parametrize("path", ["/", "/documents", "/search", "/entities", "/steering", "/nothing"])
def test_an_empty_page_says_what_to_do_and_nothing_comes_from_elsewhere(here: TestClient, path: str) -> None:
    answer = here.get(path)
    assert re.search('class="(empty|problem)"', answer.text) or "Is all well?" in answer.text
    assert re.findall(r'(?:src|href|action)="(?:https?:)?//', answer.text) == []
    assert " style=" not in answer.text
    assert "'unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")


def test_hostile_names_and_texts_are_text(pipeline: Pipeline, here: TestClient) -> None:
    name = "<script>alert(1)</script>\x1b[2J\u202e.txt"
    text = b"Ann Lee <img src=x onerror=alert(1)> met Bob."
    uuid = pipeline.submit(text, name=name, project_id="<b>p</b>").document_uuid
    for path in ("/documents", f"/documents/{uuid}", "/search?q=ann", f"/search?q=%3Cscript%3E{uuid}"):
        page = here.get(path).text
        assert not {"<script>alert", "<img src=x", "<b>p</b>", "\x1b", "\u202e"} & {
            each for each in ("<script>alert", "<img src=x", "<b>p</b>", "\x1b", "\u202e") if each in page
        }


def test_it_works_under_a_path_of_the_host(pipeline: Pipeline, ours: str) -> None:
    outer = Starlette(routes=[Mount("/papers", web_app(pipeline))])
    browser = client(outer)
    page = browser.get("/papers/documents").text
    assert f'href="/papers/documents/{ours}"' in page
    assert browser.get("/papers/static/style.css").status_code == 200
    told = browser.post(
        "/papers/documents/change", data={"form": form_of(page), "action": "cancel", "document": ours}
    )
    assert "had ended already" in told.text


def test_a_pause_is_begun_and_ended_by_buttons(pipeline: Pipeline) -> None:
    browser = visits(pipeline, Visitor("ann"))
    for what, name in (("stage:ocr", ""), ("project", "<b>ours</b>"), ("all", "")):
        assert "paused" in sent(browser, "/steering/pause", {"what": what, "name": name}, at="/steering").text
    page = browser.get("/steering").text
    assert "stage ocr is paused since" in page
    assert "<b>ours</b>" not in page
    assert page.count("Let it go on") == 3
    sent(browser, "/steering/unpause", {"what": "stage:ocr", "name": ""}, at="/steering")
    assert [(pause.kind, pause.name) for pause in pipeline.paused()] == [
        ("project", "<b>ours</b>"), ("all", ""),
    ]  # fmt: skip
    assert sent(browser, "/steering/pause", {"what": "nothing"}, at="/steering").status_code == 400
    assert [each.action for each in pipeline.store.actions()] == ["unpause", "pause", "pause", "pause"]


def test_limits_and_weights_are_set_and_taken_away(pipeline: Pipeline) -> None:
    browser = visits(pipeline, Visitor("ann"))

    def limit(**fields: str) -> Any:
        return sent(browser, "/steering/limit", fields, at="/steering")

    assert "go on" in limit(what="all", in_flight="5000", weight="").text
    limit(what="project", name="<b>ours</b>", weight="2.5", why="it pays")
    limit(what="project", name="<b>ours</b>", per_day="7")
    assert pipeline.limits() == [Limit(None, 5000), Limit("<b>ours</b>", None, 7, 2.5)]
    page = browser.get("/steering").text
    assert "at most 7 a day, weight 2.5" in page and "<b>ours</b>" not in page
    limit(what="all", how="off")
    assert pipeline.limits() == [Limit("<b>ours</b>", None, 7, 2.5)]
    refused = [limit(what="all"), limit(what="all", in_flight="0"), limit(what="all", per_day="many")]
    assert [each.status_code for each in refused] == [400, 400, 400]
    assert ("limit", "project <b>ours</b>: weight 2.5", "it pays") in [
        (each.action, each.target, each.why) for each in pipeline.store.actions()
    ]


def test_limits_are_not_for_visitors_of_one_project_nor_for_who_may_only_look(pipeline: Pipeline) -> None:
    data = {"what": "all", "in_flight": "1"}
    one_project = sent(visits(pipeline, Visitor("ann", project_id="ours")), "/steering/limit", data)
    only_looks = visits(pipeline, Visitor("eve", may_change=False)).post("/steering/limit", data=data)
    assert (one_project.status_code, only_looks.status_code, pipeline.limits()) == (404, 403, [])
