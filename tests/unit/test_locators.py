"""How a place is spelt, refused, shown and allowed: no spelling reaches another place."""

from __future__ import annotations

import io
import posixpath
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from docpipe import Sources
from docpipe.cli.takeover.queue.locators import Where, locators, recorded
from docpipe.errors import (
    ConfigurationError,
    DocpipeError,
    SourceForbiddenError,
    SourceNotFoundError,
    SourceRejectedError,
)
from docpipe.models.masking import masked
from docpipe.pipeline.intake import s3 as s3_intake
from docpipe.pipeline.intake.journal import Journal
from docpipe.sources.allowed import Trusted
from docpipe.sources.local import LocalFiles
from docpipe.sources.locators import of_path, parsed, parsed_prefix
from docpipe.sources.supabase import SupabaseStorage
from tests.unit.conftest import NewPipeline

DATA = b"Ann Lee met Bob."
WAYS_OUT = [
    *("..", ".", "", "%2e%2e", "%2E.", "%252e%252e", "%25252e%25252e", "%%32%65%2e", "..%2f..", "..%5c.."),
    *("a%2fb", "a%252fb", "a%5cb", "..\\..", "\\..", "%c0%ae%2e/.."),
    *("a%00b", "a\x00b", "a\nb", "a\x85b", "a%0ab", "a%250ab", "\ud800"),
]
"""Parts of a key that some program could read as another place, or act upon."""


# --- what is refused --------------------------------------------------------------------------------


@pytest.mark.parametrize("part", WAYS_OUT)
@pytest.mark.parametrize("place", ["supabase://bucket", "s3://bucket", "https://host.example", "vault://a"])
@pytest.mark.parametrize("key", ["{}/x.pdf", "in/{}/x.pdf", "in/{}"])
def test_no_part_of_a_key_leads_elsewhere(place: str, key: str, part: str) -> None:
    if (place, key, part) == ("https://host.example", "in/{}", ""):
        return  # an address may end with a slash
    with pytest.raises(SourceRejectedError):
        parsed(f"{place}/{key.format(part)}")


@pytest.mark.parametrize("bucket", ["", ".", "..", "%2e%2e", "a%2fb", "a\\..", "a\x00", "..\\.."])
@pytest.mark.parametrize("scheme", ["supabase", "s3"])
def test_no_bucket_leads_elsewhere(scheme: str, bucket: str) -> None:
    with pytest.raises(SourceRejectedError):
        parsed(f"{scheme}://{bucket}/key")


@pytest.mark.parametrize(
    "uri",
    [
        "file://other-host/etc/passwd",
        "file://127.0.0.1/etc/passwd",
        "file://etc",
        "file://",
        "file:////etc/passwd",
        "file:///srv/../etc/passwd",
        "file:///srv/./x",
        "file:///srv//x",
        "file:///srv/%2e%2e/x",
        "file:///srv/%252e%252e/x",
        "file:///srv/..%2fx",
        "file:///srv/a%2fb",
        "file:///srv/..%5cx",
        "file:///srv/x%00.pdf",
        "file:///srv/x%0a.pdf",
        "file:///srv/x.pdf?a=1",
        "file:///srv/x.pdf#a",
        "file:///srv/\ud800",
    ],
)
def test_no_locator_of_a_file_leads_elsewhere(uri: str) -> None:
    with pytest.raises(SourceRejectedError):
        parsed(uri)


@pytest.mark.parametrize(
    "uri",
    [
        "https://ann@host.example/x",
        "https://ann:secret@host.example/x",
        "https://host.example:443/x",
        "https://host.example:8443/x",
        "https://host.example:/x",
        "https://[::1]:443/x",
        "https://host.example\\@other.example/x",
        "https://host.example%2f@other.example/x",
        "https://ho st.example/x",
        "https://host.example%00/x",
        "https://[fe80::1%25eth0]/x",
        "https://[v1.x]/x",
        "https://a..b/x",
        "https:///x",
        "https://?x",
        "https://host.example/x\\y",
        "https://host.example/x?a=\r\nHost: other",
    ],
)
def test_an_address_names_a_host_and_nothing_else(uri: str) -> None:
    with pytest.raises(SourceRejectedError):
        parsed(uri)


def test_a_refusal_names_the_locator_and_the_remedy_and_no_secret() -> None:
    with pytest.raises(SourceRejectedError) as raised:
        parsed("https://ann:sesame@host.example/a/../b?token=geheim")
    assert str(raised.value) == (
        "https://…@host.example/a/../b?… holds a user name. Use an address that is signed instead."
    )


# --- the normal form --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spelt", "normal"),
    [
        ("FILE:///srv/a%20b.pdf", "file:///srv/a%20b.pdf"),
        ("file://localhost/srv/a b.pdf", "file:///srv/a%20b.pdf"),
        ("file:///srv/%61.pdf", "file:///srv/a.pdf"),
        ("S3://bucket/Key 100%.pdf", "s3://bucket/Key 100%.pdf"),
        ("s3://bucket/a%20b#1?.txt", "s3://bucket/a%20b#1?.txt"),
        ("supabase://docs/Zürich/a.pdf", "supabase://docs/Zürich/a.pdf"),
        ("HTTPS://Host.Example./A b/?q=x y#top", "https://host.example/A%20b/?q=x%20y"),
        ("https://bücher.example/a", "https://xn--bcher-kva.example/a"),
        ("https://[::FFFF:1.2.3.4]/a", "https://[::ffff:102:304]/a"),
        ("https://host.example", "https://host.example"),
    ],
)
def test_a_place_has_one_normal_form(spelt: str, normal: str) -> None:
    assert (str(parsed(spelt)), str(parsed(normal))) == (normal, normal)


@given(st.text(max_size=60))
def test_what_is_not_refused_is_its_own_normal_form(text: str) -> None:
    for scheme in ("file:///", "s3://", "supabase://b/", "https://h.example/", "vault://"):
        try:
            normal = str(parsed(f"{scheme}{text}"))
        except SourceRejectedError:
            continue
        assert str(parsed(normal)) == normal


def test_a_path_becomes_the_locator_of_the_file_that_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "real/in").mkdir()
    expected = (tmp_path / "real/x.pdf").as_uri()
    for spelt in (
        "real/x.pdf",
        "real/./x.pdf",
        "real//x.pdf",
        "real/in/../x.pdf",
        "link/x.pdf",
        "link/in/../x.pdf",
    ):
        assert str(of_path(f"{tmp_path}/{spelt}")) == expected


# --- what is shown ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://h.example/a.pdf?X-Amz-Signature=abc", "https://h.example/a.pdf?…"),
        ("https://h.example/a.pdf#abc", "https://h.example/a.pdf?…"),
        ("https://h.example?abc@def", "https://h.example?…"),
        ("https://ann:sesame@h.example/a", "https://…@h.example/a"),
        ("https://ann:ses/ame@h.example/a", "https://…"),
        ("https://ann:ses?ame@h.example/a", "https://…"),
        ("redis://:ses#ame@h.example/0", "redis://…"),
        ("postgresql://ann:p@ss@h.example/db", "postgresql://…"),
        ("https://medium.example/@ann/x", "https://medium.example/@ann/x"),
        ("supabase://b/a.pdf?token=abc", "supabase://b/a.pdf?…"),
        ("s3://b/a#1@home.pdf", "s3://b/a#1@home.pdf"),
        ("s3://KEY:secret@b/a", "s3://…@b/a"),
        ("a\x1b[31m\nb", r"a\u001b[31m\nb"),
        ("no address?", "no address?"),
        ("x" * 2000, "x" * 1000 + "…"),
    ],
)
def test_what_is_shown_of_an_address_holds_no_secret(text: str, shown: str) -> None:
    assert masked(text) == shown


# --- what reaches the services ------------------------------------------------------------------------


@pytest.fixture
def recording() -> Iterator[tuple[str, list[str]]]:
    """A service that answers everything with an empty object, and the targets it was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            asked.append(f"{self.command} {self.path}")
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _answer  # noqa: N815 - the base class's names

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", asked
    server.shutdown()
    thread.join()
    server.server_close()


def _read_to_the_bottom(target: str) -> str:
    """The path as the least careful of servers would read it."""
    path = target.partition(" ")[2].partition("?")[0]
    for _ in range(10):
        path = posixpath.normpath(unquote(path).replace("\\", "/"))
    return path


KEYS = st.lists(
    st.sampled_from([*WAYS_OUT[:-1], "rest", "v1", "a b", "100%", "?", "#", ";"]) | st.text(max_size=4),
    min_size=1,
    max_size=6,
).map("/".join)  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(bucket=st.sampled_from(["b", "..", ".", "%2e%2e", "b%2f..", "?", "b#"]), key=KEYS)
@example("..", "../../../rest/v1/docpipe_chunks")
@example("b", "../../rest/v1/docpipe_chunks")
@example("b", "%2e%2e/%2e%2e/rest/v1/docpipe_chunks")
@example("b", "..%2f..%2frest%2fv1%2fdocpipe_chunks")
def test_no_request_leaves_the_objects_of_the_bucket(
    recording: tuple[str, list[str]], bucket: str, key: str
) -> None:
    """Reading, writing, deleting and, in S3, listing."""
    url, asked = recording
    asked.clear()
    storage = SupabaseStorage(url, "secret")
    uri = f"supabase://{bucket}/{key}"
    for call in (
        lambda: list(storage.open(uri)),
        lambda: storage.remove(uri),
        lambda: storage.put(uri, io.BytesIO()),
    ):
        try:
            call()
        except (SourceRejectedError, SourceNotFoundError):
            continue
    home = f"/storage/v1/object/{bucket}/"
    assert [target for target in asked if not _read_to_the_bottom(target).startswith(home)] == []


@pytest.mark.parametrize("key", ["..", "../../other/secret", "a/../../other/x", "%2e%2e/x", "a//b"])
@pytest.mark.parametrize("bucket", ["bucket", ".."])
def test_no_request_to_s3_leaves_its_bucket(
    recording: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, bucket: str, key: str
) -> None:
    url, asked = recording
    for name, value in {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
        "AWS_MAX_ATTEMPTS": "1",
    }.items():
        monkeypatch.setenv(name, value)
    from docpipe.sources.s3 import S3

    uri, place = f"s3://{bucket}/{key}", S3()
    with pytest.raises(SourceRejectedError):
        list(place.open(uri))
    with pytest.raises(SourceRejectedError):
        place.remove(uri)
    with pytest.raises(SourceRejectedError):
        place.put(uri, io.BytesIO())
    journal = Journal(tmp_path / "journal.db")
    with pytest.raises(ConfigurationError):
        list(s3_intake.sync(None, uri, s3_intake.Intake(), journal))  # type: ignore[arg-type]  # never reached
    journal.close()
    assert asked == []


# --- what may be read -------------------------------------------------------------------------------


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder `in` beside others; `in/way` is a link that leads out of it, `in/around` one that does not."""
    for name in ("in/a.txt", "in/deep/b.txt", "in-secret/c.txt", "out/d.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(DATA)
    (tmp_path / "in/way").symlink_to(tmp_path / "out")
    (tmp_path / "in/around").symlink_to(tmp_path / "in/deep")
    return tmp_path


@pytest.mark.parametrize("spelt", ["in/a.txt", "in/deep/b.txt", "out/../in/a.txt", "in/around/b.txt"])
def test_what_lies_in_a_folder_that_may_be_read_is_read(tree: Path, spelt: str) -> None:
    assert Sources(allow=[tree / "in"]).take_in(f"{tree}/{spelt}").size == len(DATA)


@pytest.mark.parametrize("spelt", ["in-secret/c.txt", "out/d.txt", "in/../out/d.txt", "in/way/d.txt"])
def test_nothing_beside_that_folder_is_read(tree: Path, spelt: str) -> None:
    sources = Sources(allow=[f"{tree}/in/"])
    for source in (f"{tree}/{spelt}", f"file://{tree}/{spelt}", tree / spelt):
        with pytest.raises((SourceForbiddenError, SourceRejectedError)):
            sources.take_in(source)
    with pytest.raises(SourceForbiddenError, match=r"Name its folder, .* DOCPIPE_SOURCES or Sources\(allow="):
        sources.take_in(f"{tree}/{spelt}")


def test_a_folder_that_becomes_a_link_after_the_check_leads_nowhere(tree: Path) -> None:
    """What was judged is what is opened: the place itself follows no link on the way."""
    with pytest.raises(SourceRejectedError, match="cannot be opened"):
        list(LocalFiles().open(f"file://{tree}/in/way/d.txt"))
    with pytest.raises(DocpipeError, match="cannot be written"):
        LocalFiles().put(f"file://{tree}/in/way/d.txt", io.BytesIO())
    LocalFiles().remove(f"file://{tree}/in/way/d.txt")
    assert (tree / "out/d.txt").read_bytes() == DATA


@pytest.mark.parametrize("trusted", [False, True])
@pytest.mark.parametrize(
    "path",
    [
        "/proc/self/environ",
        "/sys/kernel/uevent_seqnum",
        "/dev/null",
        "/dev/shm/x",
    ],
)
def test_what_the_system_shows_as_files_is_never_read(tmp_path: Path, path: str, trusted: bool) -> None:
    link = tmp_path / "link"
    link.symlink_to(Path(path).parent)
    for source in (path, f"file://{path}", f"/tmp/..{path}", str(link / Path(path).name)):
        with pytest.raises((SourceForbiddenError, SourceRejectedError)):
            Sources(allow=["/"]).take_in(Trusted(source) if trusted else source)
    for spelt in (path, f"/proc/self/root{path}"):
        with pytest.raises(SourceForbiddenError, match="are never read"):
            Sources().take_in(spelt)


@pytest.mark.parametrize(
    ("uri", "may"),
    [
        ("s3://bucket/in/a.pdf", True),
        ("s3://bucket/in", True),
        ("s3://bucket/in-secret/a.pdf", False),
        ("s3://bucket/other/a.pdf", False),
        ("s3://bucket2/in/a.pdf", False),
        ("supabase://docs/a.pdf", True),
        ("supabase://docs2/a.pdf", False),
        ("supabase://bucket/in/a.pdf", False),
        ("https://host.example/x", True),
        ("https://HOST.example./x", True),
        ("https://host.example.evil.example/x", False),
        ("https://other.example/x", False),
    ],
)
def test_a_prefix_ends_where_a_part_ends(uri: str, may: bool) -> None:
    allowed = [
        parsed_prefix(each) for each in ("s3://bucket/in/", "supabase://docs", "https://host.example/")
    ]
    assert any(parsed(uri).within(each) for each in allowed) is may
    if not may:
        with pytest.raises(SourceForbiddenError, match="DOCPIPE_SOURCES"):
            Sources(allow=["s3://bucket/in/", "supabase://docs", "https://host.example"]).take_in(uri)


def test_by_default_other_locators_than_files_and_s3_are_read_from_the_uploads_only() -> None:
    sources = Sources(uploads="supabase://docs/copies", supabase=("http://127.0.0.1:1", "secret"))
    for uri in (
        "supabase://docs/other/a.pdf",
        "supabase://docs/copies-of/a.pdf",
        "https://host.example/a.pdf",
    ):
        with pytest.raises(SourceForbiddenError, match="is not among the places that may be read"):
            sources.take_in(uri)
    with pytest.raises(DocpipeError, match="cannot be reached"):
        sources.take_in("supabase://docs/copies/a.pdf")


def test_a_worker_fetches_copies_and_what_may_be_read_and_nothing_else(tree: Path) -> None:
    sources = Sources(uploads=tree / "uploads", allow=[tree / "in"])
    for source in (DATA, tree / "in/a.txt"):
        taken = sources.take_in(source, name="a.txt")
        with sources.fetch(taken.uri, taken.digest, taken.name) as path:
            assert path.read_bytes() == DATA
    for uri in (
        f"file://{tree}/out/d.txt",
        f"file://{tree}/in/way/d.txt",
        "supabase://x/y",
        "file:///etc/passwd",
    ):
        with pytest.raises(SourceForbiddenError), sources.fetch(uri, None, "d.txt"):
            raise AssertionError


def test_what_the_operator_names_is_read_and_copied_where_workers_may_not_read_it(
    tree: Path,
) -> None:
    sources = Sources(uploads=tree / "uploads", allow=[tree / "in"])
    assert sources.take_in(Trusted(tree / "in/a.txt")).uri == f"file://{tree}/in/a.txt"
    taken = sources.take_in(Trusted(tree / "out/d.txt"))
    assert taken.uri == f"{sources.uploads}/{taken.digest[:2]}/{taken.digest}"
    with sources.fetch(taken.uri, taken.digest, taken.name) as path:
        assert path.read_bytes() == DATA


@pytest.mark.parametrize(
    "source", ["in/a.txt", "file:///etc/passwd", "s3://b/k", "https://h.example/a", "a", ""]
)
def test_where_only_bytes_are_taken_in_no_text_reaches_anything(tree: Path, source: str) -> None:
    sources = Sources.only_bytes(tree / "uploads")
    copy = sources.take_in(DATA, name="a.txt")
    for each in (source, Path(source), f"{tree}/{source}", copy.uri, copy.uri.removeprefix("file://")):
        with pytest.raises(SourceForbiddenError, match=r"submit\(data, name='letter\.pdf'\)"):
            sources.take_in(each)
    with sources.fetch(copy.uri, copy.digest, copy.name) as path:
        assert path.read_bytes() == DATA


def test_a_list_of_places_that_is_none_is_a_wrong_setting() -> None:
    for allow in (["https://ann:sesame@host.example"], ["s3://"], ["supabase://docs/../x"], ["http:/x://"]):
        with pytest.raises(ConfigurationError, match="DOCPIPE_SOURCES") as raised:
            Sources(allow=allow)
        assert "sesame" not in str(raised.value)
    with pytest.raises(ConfigurationError, match="must be a list"):
        Sources(allow="/srv")


# --- what is deleted --------------------------------------------------------------------------------


def test_a_file_of_the_hosts_stays_whatever_its_spelling(new_pipeline: NewPipeline) -> None:
    pipeline = new_pipeline()
    assert pipeline.sources.uploads is not None
    uploads = Path(parsed(pipeline.sources.uploads).path)
    victim, own = uploads.parent / "victim.txt", uploads / "own.txt"
    uploads.mkdir(parents=True)
    for path in (victim, own):
        path.write_bytes(DATA + path.name.encode())
    for spelt in (f"{uploads}/../victim.txt", f"{uploads}/own.txt"):
        pipeline.delete(pipeline.process(spelt).document_uuid)
    assert (victim.exists(), own.exists()) == (True, True)


def test_a_copy_that_another_project_s_document_rests_on_stays(new_pipeline: NewPipeline) -> None:
    pipeline = new_pipeline()
    first = pipeline.process(DATA, name="a.txt", project_id="p")
    assert pipeline.sources.uploads is not None
    uploads = Path(parsed(pipeline.sources.uploads).path)
    [copy] = [path for path in uploads.rglob("*") if path.is_file()]
    spelt = f"{uploads}/./{copy.parent.name}/{copy.name}"
    other = pipeline.process(spelt, name="a.txt", project_id="q")
    pipeline.delete(other.document_uuid)
    assert copy.exists()
    assert pipeline.process(DATA, name="a.txt", project_id="p", reprocess=True).text == first.text


@pytest.mark.parametrize(
    "uri",
    [
        "{uploads}/../{copy}",
        "{uploads}/./{copy}",
        "{uploads}//{copy}",
        "{uploads}/%2e%2e/{copy}",
        "{uploads}/{copy}/",
        "{uploads}/{copy}.txt",
        "{uploads}-2/{copy}",
        "{uploads}/own.txt",
        "{uploads}/way/{digest}",
    ],
)
def test_nothing_but_a_copy_in_its_own_spelling_is_removed(tmp_path: Path, uri: str) -> None:
    sources = Sources(uploads=tmp_path / "uploads")
    taken = sources.take_in(DATA, name="a.txt")
    copy, folder = f"{taken.digest[:2]}/{taken.digest}", tmp_path / "uploads"
    others = [tmp_path / copy, folder / "own.txt", folder / f"{copy}.txt", tmp_path / "uploads-2" / copy]
    for path in others:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(DATA)
    (folder / "way").symlink_to(folder / taken.digest[:2])
    sources.discard(uri.format(uploads=sources.uploads, copy=copy, digest=taken.digest))
    assert [path for path in (folder / copy, *others) if not path.exists()] == []
    sources.discard(taken.uri)
    assert [path for path in (folder / copy, *others) if not path.exists()] == [folder / copy]


# --- signed addresses, and the rows of an old queue -------------------------------------------------


def test_what_a_signed_address_leads_to_is_kept_and_the_address_is_not(tmp_path: Path) -> None:
    asked: list[str] = []

    class Web:
        def open(self, uri: str) -> Iterator[bytes]:
            asked.append(uri)
            yield DATA

        def put(self, uri: str, data: object) -> None:
            raise AssertionError

        remove = put

    sources = Sources(uploads=tmp_path, places={"https": Web()}, allow=["https://h.example"])  # type: ignore[dict-item]
    taken = sources.take_in("https://h.example/in/a.txt?X-Amz-Signature=geheim")
    assert asked == ["https://h.example/in/a.txt?X-Amz-Signature=geheim"]
    assert (taken.name, taken.uri) == ("a.txt", f"{tmp_path.as_uri()}/{taken.digest[:2]}/{taken.digest}")
    with pytest.raises(ConfigurationError, match="DOCPIPE_UPLOADS"):
        Sources(places={"https": Web()}).take_in("https://h.example/a.txt?token=geheim")  # type: ignore[dict-item]


@pytest.mark.parametrize(
    "row",
    [
        {
            "original_file_path": "https://x.supabase.co/storage/v1/object/docs/..%2F..%2Frest/v1/docpipe_chunks"
        },
        {"original_file_path": "https://x.supabase.co/storage/v1/object/docs/%252e%252e/rest"},
        {"original_file_path": "https://x.supabase.co/storage/v1/object/../rest/v1/docpipe_chunks"},
        {"original_file_path": "supabase://docs/../../rest/v1/docpipe_chunks"},
        {"original_file_path": "../../etc/passwd"},
        {"original_file_path": "/srv/../etc/passwd"},
        {"original_file_path": "https://b.s3.amazonaws.com/..%2Fx"},
        {"s3_key": "../other/x.pdf", "s3_bucket": "b"},
        {"s3_key": "x.pdf", "s3_bucket": ".."},
    ],
)
def test_no_row_of_an_old_queue_leads_elsewhere(row: dict[str, str]) -> None:
    sources = Sources(allow=["/", "supabase://docs", "s3://b"], supabase=("http://127.0.0.1:1", "secret"))
    found = locators(row, Where(Path("/srv/in")))
    assert len(found) == 1
    with pytest.raises(SourceRejectedError):
        sources.take_in(found[0])


def test_what_is_written_down_of_an_unreadable_place_holds_no_key() -> None:
    assert recorded("https://h.example/a%20b.pdf?token=geheim#x") == "https://h.example/a%20b.pdf"
    assert recorded("https://ann:geheim@h.example/a.pdf?x") == "https://…@h.example/a.pdf?…"
