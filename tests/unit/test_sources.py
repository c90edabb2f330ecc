"""Where bytes come from and rest: what is taken in, what is refused, and what a worker gets."""

from __future__ import annotations

import hashlib
import io
import ipaddress
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO

import pytest

from docpipe import errors
from docpipe.sources import Sources, TakenIn
from docpipe.sources.addresses import is_public
from docpipe.sources.https import Https
from docpipe.sources.local import LocalFiles

DATA = b"Ann met Bob."
DIGEST = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    return Sources(uploads=tmp_path / "uploads", max_bytes=1000)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "note.txt"
    path.write_bytes(DATA)
    return path


def _fetched(sources: Sources, taken: TakenIn) -> bytes:
    with sources.fetch(taken.uri, taken.digest, taken.name) as path:
        return path.read_bytes()


# --- taken in -----------------------------------------------------------------------------------


def test_a_path_is_taken_in_where_it_lies(sources: Sources, file: Path) -> None:
    taken = sources.take_in(file)
    assert taken == TakenIn(file.as_uri(), "note.txt", DIGEST, len(DATA))
    assert sources.take_in(str(file)) == taken
    assert _fetched(sources, taken) == DATA


def test_a_relative_path_gets_an_absolute_locator(
    sources: Sources, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(file.parent)
    assert sources.take_in("note.txt").uri == file.as_uri()


def test_with_keep_copies_a_later_change_of_the_file_does_no_harm(tmp_path: Path, file: Path) -> None:
    sources = Sources(uploads=tmp_path / "uploads", keep_copies=True)
    taken = sources.take_in(file)
    file.unlink()
    assert taken.uri == (tmp_path / "uploads" / DIGEST[:2] / DIGEST).as_uri()
    assert _fetched(sources, taken) == DATA


def test_bytes_rest_in_the_uploads(sources: Sources) -> None:
    taken = sources.take_in(DATA, name="letter.txt")
    assert taken.name == "letter.txt"
    assert taken == sources.take_in(io.BytesIO(DATA), name="letter.txt")
    assert _fetched(sources, taken) == DATA


def test_an_open_file_brings_its_own_name(sources: Sources, file: Path) -> None:
    with file.open("rb") as opened:
        taken = sources.take_in(opened)
    assert (taken.name, _fetched(sources, taken)) == ("note.txt", DATA)


@pytest.mark.parametrize("source", [DATA, io.BytesIO(DATA)])
def test_what_has_no_name_is_refused_and_the_remedy_shown(sources: Sources, source: bytes) -> None:
    with pytest.raises(errors.SourceRejectedError, match=r"submit\(.*, name='letter.pdf'\)\.$"):
        sources.take_in(source)


def test_a_file_opened_as_text_is_refused(sources: Sources, file: Path) -> None:
    with file.open() as opened, pytest.raises(errors.SourceRejectedError, match=r"note\.txt .* text mode"):
        sources.take_in(opened)  # type: ignore[arg-type]  # that is the mistake


def test_bytes_without_a_place_to_rest_name_the_setting() -> None:
    with pytest.raises(errors.ConfigurationError, match=r"letter\.txt .* DOCPIPE_UPLOADS"):
        Sources().take_in(DATA, name="letter.txt")


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("letter.pdf", "letter.pdf"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\Ann\\letter.pdf", "letter.pdf"),
        ("folder/", "folder"),
        ("a\x00b\nc\x1b[31m.pdf", "a\ufffdb\ufffdc\ufffd[31m.pdf"),
        ("\u202egpj.exe", "\ufffdgpj.exe"),
        ("Vertrag Müller & Söhne.pdf", "Vertrag Müller & Söhne.pdf"),
        ("x" * 300, "x" * 255),
        ("/", "document"),
    ],
)
def test_a_name_is_shown_without_path_or_control_characters(sources: Sources, name: str, label: str) -> None:
    assert sources.take_in(DATA, name=name).name == label


@pytest.mark.parametrize(
    "name", ["100% sure?.txt", "a#b;c.txt", "Zürich.txt", b"latin-\xe9.txt", "[red]x.txt"]
)
def test_any_file_name_finds_its_way_back(sources: Sources, tmp_path: Path, name: str | bytes) -> None:
    path = tmp_path / os.fsdecode(name)
    path.write_bytes(DATA)
    taken = sources.take_in(path)
    taken.uri.encode("ascii")
    assert _fetched(sources, taken) == DATA


# --- refused ------------------------------------------------------------------------------------


def test_a_missing_file_is_named(sources: Sources, tmp_path: Path) -> None:
    with pytest.raises(errors.SourceNotFoundError, match=r"There is no file .*gone.txt"):
        sources.take_in(tmp_path / "gone.txt")


def test_a_name_with_a_zero_character_is_no_file(sources: Sources) -> None:
    with pytest.raises(errors.SourceRejectedError, match="holds a control character"):
        sources.take_in("note\x00.txt")


def test_a_symbolic_link_is_refused(sources: Sources, file: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.txt"
    link.symlink_to(file)
    with pytest.raises(errors.SourceRejectedError, match="is a symbolic link"):
        sources.take_in(link)


def test_a_folder_is_refused(sources: Sources, tmp_path: Path) -> None:
    with pytest.raises(errors.SourceRejectedError, match="is not a regular file"):
        sources.take_in(tmp_path)


def test_a_pipe_is_refused_without_waiting_for_a_writer(sources: Sources, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(errors.SourceRejectedError, match="is not a regular file"):
        sources.take_in(tmp_path / "pipe")


def test_a_socket_and_a_device_are_refused(sources: Sources, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket"))
        with pytest.raises(errors.SourceRejectedError):
            sources.take_in(tmp_path / "socket")
    with pytest.raises(errors.SourceRejectedError, match="is not a regular file"):
        list(LocalFiles().open("file:///dev/null"))


def test_a_path_through_a_file_is_refused(sources: Sources, file: Path) -> None:
    with pytest.raises(errors.SourceRejectedError, match="Not a directory"):
        sources.take_in(file / "deeper.txt")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_of_somebody_else_is_forbidden(sources: Sources, file: Path) -> None:
    file.chmod(0)
    with pytest.raises(errors.SourceForbiddenError, match="may not be read"):
        sources.take_in(file)


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs a file that fails when it is read")
def test_a_file_that_cannot_be_read_to_its_end_is_not_available() -> None:
    memory = f"file:///proc/{os.getpid()}/mem"
    with pytest.raises(errors.SourceUnavailableError, match="/mem cannot be read"):
        list(LocalFiles().open(memory))


def test_a_file_without_bytes_is_empty(sources: Sources, tmp_path: Path) -> None:
    (tmp_path / "empty.pdf").touch()
    with pytest.raises(errors.EmptyDocumentError, match=r"empty.pdf is empty"):
        sources.take_in(tmp_path / "empty.pdf")


@pytest.mark.parametrize("size", [1000, 1001])
def test_the_limit_is_the_largest_size(sources: Sources, size: int) -> None:
    if size == 1000:
        assert sources.take_in(b"x" * size, name="x").size == 1000
    else:
        with pytest.raises(errors.DocumentTooLargeError, match="x is larger than 1,000 bytes"):
            sources.take_in(b"x" * size, name="x")


def test_what_changed_after_it_was_taken_in_is_refused(sources: Sources, file: Path) -> None:
    taken = sources.take_in(file)
    file.write_bytes(b"Ann met Eve.")
    with pytest.raises(errors.SourceChangedError, match=r"note.txt .* changed after it was submitted"):
        _fetched(sources, taken)


def test_what_a_worker_fetched_is_removed_afterwards(sources: Sources, file: Path) -> None:
    taken = sources.take_in(file)
    with sources.fetch(taken.uri, taken.digest, taken.name) as path:
        assert path != file
    assert not path.exists()


LEFT_BEHIND = """
import os, sys
from docpipe.sources.working_copy import working_copy
with working_copy() as file:
    print(file.name, flush=True)
    if sys.argv[1:]:
        os.kill(os.getpid(), 9)
    sys.stdin.read()
"""


def test_what_a_killed_worker_left_is_removed_by_the_next_and_nothing_that_is_in_use(tmp_path: Path) -> None:
    def start(*arguments: str) -> tuple[subprocess.Popen[str], Path]:
        process = subprocess.Popen(
            [sys.executable, "-c", LEFT_BEHIND, *arguments],
            env=os.environ | {"TMPDIR": str(tmp_path)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        return process, Path(process.stdout.readline().strip())

    working, in_use = start()
    killed, left = start("killed")
    killed.communicate()
    hour_ago = left.stat().st_mtime - 3600
    other = tmp_path / "docpipe-notes.txt"
    other.touch()
    for path in (in_use, left, other):
        os.utime(path, (hour_ago, hour_ago))
    fresh, also_in_use = start()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        path.name for path in (in_use, also_in_use, other)
    )
    for process in (working, fresh):
        process.communicate()
    assert [path.name for path in tmp_path.iterdir()] == [other.name]


@pytest.mark.parametrize("uri", ["ftp://example.org/a.pdf", "http://example.org/a.pdf", "gopher://a/b"])
def test_other_types_of_locator_are_forbidden(sources: Sources, uri: str) -> None:
    with pytest.raises(errors.SourceForbiddenError, match="are not read"):
        sources.take_in(uri)


def test_supabase_storage_needs_its_address() -> None:
    with pytest.raises(errors.ConfigurationError, match="SUPABASE_URL and SUPABASE_SECRET_KEY"):
        Sources(allow=["supabase://bucket"]).take_in("supabase://bucket/a.pdf")


@pytest.mark.parametrize("name", ["thesis.pdf.crdownload", "thesis.pdf.part", "Thesis.PDF.Download"])
def test_a_download_that_has_not_ended_is_refused(sources: Sources, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(DATA)
    with pytest.raises(errors.SourceRejectedError, match="unfinished download"):
        sources.take_in(tmp_path / name)
    assert sources.take_in(tmp_path / name, name="thesis.pdf").name == "thesis.pdf"


def test_a_host_may_bring_places_of_its_own(file: Path) -> None:
    class Vault:
        def open(self, uri: str) -> Iterator[bytes]:
            yield from (uri.encode(), b"!")

        def put(self, uri: str, data: IO[bytes]) -> None:
            raise AssertionError

        def remove(self, uri: str) -> None:
            raise AssertionError

    sources = Sources(places={"vault": Vault()})
    assert _fetched(sources, sources.take_in("vault://a/note.txt")) == b"vault://a/note.txt!"
    assert sources.take_in(file).name == "note.txt"


# --- https --------------------------------------------------------------------------------------


def test_https_is_off_unless_allowed(sources: Sources) -> None:
    with pytest.raises(errors.SourceForbiddenError, match="DOCPIPE_ALLOW_HTTPS"):
        sources.take_in("https://example.org/a.pdf")


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0.0.0.0",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "10.0.0.8",
        "192.168.1.1",
        "172.16.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "[fe80::1]",
        "[fd00::1]",
        "[::]",
        "224.0.0.1",
        "[ff02::1]",
        "255.255.255.255",
        "240.0.0.1",
        "[::ffff:10.0.0.8]",
        "[::ffff:169.254.169.254]",
        "[64:ff9b::169.254.169.254]",
        "[64:ff9b:1::1]",
        "[2002:7f00:1::]",
        "[2002:a00:8::1]",
        "[fec0::1]",
        "[::127.0.0.1]",
        "[100::1]",
        "[2001:db8::1]",
        "192.0.0.192",
        "192.0.0.1",
        "192.88.99.1",
        "[::ffff:192.88.99.1]",
        "[3fff::1]",
        "[5f00::1]",
        "[fec0::ffff]",
        "[2001:0:7f00:1::]",
        "[2001:0:a00:8::80ff:fffe]",
        "[2002:c0a8:101::1]",
        "[2002:a9fe:a9fe::1]",
        "[ff05::1]",
        "[::ffff:0:0]",
        "0177.0.0.1",
        "0x7f000001",
        "0x7f.1",
        "017700000001",
        "127.000.000.001",
        "\uff11\uff12\uff17.0.0.1",
        "127\u30020\u30020\u30021",
        "\u2460\u2461\u2466.0.0.1",
        "LOCALHOST",
        "localhost.",
        "0",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "192.0.2.1",
        "172.31.255.255",
        "100.127.255.255",
        "255.255.255.254",
    ],
)
def test_an_address_that_is_not_public_is_forbidden(host: str) -> None:
    with pytest.raises(errors.SourceForbiddenError, match="is not a public address"):
        Sources(allow_https=True).take_in(f"https://{host}/a.pdf")


@pytest.mark.parametrize(
    "address",
    [
        *("1.1.1.1", "192.0.0.9", "192.0.0.10", "192.0.1.1", "192.88.98.1", "192.88.100.1", "100.63.255.255"),
        *("172.15.255.255", "172.32.0.1", "2606:4700:4700::1111", "64:ff9b::1.1.1.1", "::ffff:1.1.1.1"),
        *("2002:101:101::1", "2001:4860:4860::8888"),
    ],
)
def test_public_addresses_are_known_as_such(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


def test_nothing_is_sent_to_an_address_that_is_not_public() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        with pytest.raises(errors.SourceForbiddenError):
            list(Https(port=server.getsockname()[1]).open("https://127.0.0.1/a.pdf"))
        with pytest.raises(BlockingIOError):
            server.accept()


@pytest.mark.parametrize(
    "uri", ["https://", "https:///a.pdf", "https://[::1/a.pdf", "https://[]/a", "https://a..b/a"]
)
def test_an_address_that_is_none_is_refused(uri: str) -> None:
    with pytest.raises(errors.SourceRejectedError, match="is not an address"):
        Sources(allow_https=True).take_in(uri)


def test_a_host_that_cannot_be_found_may_be_found_later() -> None:
    with pytest.raises(errors.SourceUnavailableError, match="cannot be resolved"):
        Sources(allow_https=True).take_in("https://nowhere.invalid/a.pdf")


def test_https_only_reads(tmp_path: Path) -> None:
    sources = Sources(uploads="https://example.org/uploads", allow_https=True)
    with pytest.raises(errors.SourceForbiddenError, match="for reading only"):
        sources.take_in(DATA, name="a.txt")


# --- S3 -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def s3_server() -> Iterator[str]:
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(s3_server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """A bucket of this test's own."""
    import boto3

    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_server)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "no-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "no-credentials"))
    name = f"bucket-{os.getpid()}-{abs(hash(tmp_path)) % 10**9}"
    boto3.client("s3").create_bucket(Bucket=name)
    return name


def test_an_object_is_taken_in_where_it_lies(bucket: str) -> None:
    import boto3

    boto3.client("s3").put_object(Bucket=bucket, Key="in/note.txt", Body=DATA)
    sources = Sources()
    taken = sources.take_in(f"s3://{bucket}/in/note.txt")
    assert taken == TakenIn(f"s3://{bucket}/in/note.txt", "note.txt", DIGEST, len(DATA))
    assert _fetched(sources, taken) == DATA


@pytest.mark.parametrize("key", ["a#1.txt", "what?.txt", "100%.txt", "a%20b.txt", "a b.txt", "Zürich.txt"])
def test_a_key_is_taken_as_it_is_written(bucket: str, key: str) -> None:
    import boto3

    boto3.client("s3").put_object(Bucket=bucket, Key=f"in/{key}", Body=DATA)
    assert Sources().take_in(f"s3://{bucket}/in/{key}").name == key


def test_bytes_rest_in_a_bucket(bucket: str) -> None:
    sources = Sources(uploads=f"s3://{bucket}/kept/")
    taken = sources.take_in(DATA, name="letter.txt")
    assert taken.uri == f"s3://{bucket}/kept/{DIGEST[:2]}/{DIGEST}"
    assert sources.take_in(DATA, name="letter.txt") == taken
    assert _fetched(sources, taken) == DATA


@pytest.mark.parametrize("uri", ["s3://{}/gone.txt", "s3://{}-gone/a.txt", "s3://{}"])
def test_an_object_that_is_not_there_is_named(bucket: str, uri: str) -> None:
    uri = uri.format(bucket)
    with pytest.raises(errors.SourceNotFoundError) as raised:
        Sources().take_in(uri)
    assert uri in str(raised.value)


def test_without_credentials_the_settings_are_named(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(errors.SourceForbiddenError, match="AWS_ACCESS_KEY_ID"):
        Sources().take_in(f"s3://{bucket}/a.txt")


def test_a_profile_that_does_not_exist_is_a_wrong_setting(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(errors.ConfigurationError, match="nobody"):
        Sources().take_in(f"s3://{bucket}/a.txt")


def test_a_service_that_does_not_answer_is_not_available(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(errors.SourceUnavailableError, match=f"s3://{bucket}/a.txt"):
        Sources().take_in(f"s3://{bucket}/a.txt")


# --- what services answer ---------------------------------------------------------------------------


@dataclass
class Service:
    """Answers every request alike, and remembers them."""

    url: str = ""
    status: int = 200
    content: bytes = DATA
    asked: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)


@pytest.fixture
def service() -> Iterator[Service]:
    service = Service()

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            service.asked.append((self.command, self.path, headers, sent))
            self.send_response(service.status)
            self.send_header("Content-Length", str(len(service.content)))
            self.end_headers()
            self.wfile.write(service.content)

        do_GET = do_POST = do_PUT = _answer  # noqa: N815 - the base class's names

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    service.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield service
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (404, "NoSuchKey", errors.SourceNotFoundError),
        (404, "NoSuchBucket", errors.SourceNotFoundError),
        (403, "AccessDenied", errors.SourceForbiddenError),
        (403, "SignatureDoesNotMatch", errors.SourceForbiddenError),
        (403, "InvalidObjectState", errors.SourceForbiddenError),
        (400, "ExpiredToken", errors.SourceForbiddenError),
        (400, "AuthorizationHeaderMalformed", errors.ConfigurationError),
        (400, "KeyTooLongError", errors.SourceRejectedError),
        (405, "MethodNotAllowed", errors.SourceRejectedError),
        (400, "RequestTimeout", errors.SourceUnavailableError),
        (403, "RequestTimeTooSkewed", errors.SourceUnavailableError),
        (500, "InternalError", errors.SourceUnavailableError),
        (503, "ServiceUnavailable", errors.SourceUnavailableError),
        (503, "SlowDown", errors.RateLimitedError),
        (429, "TooManyRequests", errors.RateLimitedError),
    ],
)
def test_what_s3_answers_is_told_by_its_meaning(
    bucket: str,
    service: Service,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    code: str,
    error: type[errors.DocpipeError],
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", service.url)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    service.status = status
    service.content = f"<Error><Code>{code}</Code><Message>Why.</Message></Error>".encode()
    with pytest.raises(error) as raised:
        Sources().take_in(f"s3://{bucket}/a.txt")
    assert type(raised.value) is error


@pytest.mark.parametrize("calculation", ["when_supported", "when_required"])
def test_a_service_that_knows_no_checksums_is_sent_none_when_told_so(
    bucket: str, service: Service, monkeypatch: pytest.MonkeyPatch, calculation: str
) -> None:
    """Cloudflare R2, and others that speak S3's protocol."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", service.url)
    monkeypatch.setenv("AWS_REQUEST_CHECKSUM_CALCULATION", calculation)
    service.content = b""
    Sources(uploads=f"s3://{bucket}/kept").take_in(DATA, name="letter.txt")
    sent = {name for _, _, headers, _ in service.asked for name in headers if "checksum" in name}
    assert (sent == set()) == (calculation == "when_required")


def test_a_bucket_that_cannot_be_is_not_looked_for_again(bucket: str) -> None:
    with pytest.raises(errors.SourceNotFoundError, match="no object s3://Not A Bucket/a"):
        Sources().take_in("s3://Not A Bucket/a")


def test_an_object_is_fetched_from_supabase_storage(service: Service) -> None:
    sources = Sources(allow=["supabase://bucket/in"], supabase=(f"{service.url}/", "secret"))
    taken = sources.take_in("supabase://bucket/in/a b#1?.txt")
    assert (taken.name, _fetched(sources, taken)) == ("a b#1?.txt", DATA)
    method, path, headers, _ = service.asked[0]
    assert (method, path) == ("GET", "/storage/v1/object/bucket/in/a%20b%231%3F.txt")
    assert (headers["apikey"], headers["authorization"]) == ("secret", "Bearer secret")


def test_bytes_rest_in_supabase_storage(service: Service) -> None:
    sources = Sources(uploads="supabase://bucket/kept", supabase=(service.url, "secret"))
    taken = sources.take_in(DATA, name="letter.txt")
    assert taken.uri == f"supabase://bucket/kept/{DIGEST[:2]}/{DIGEST}"
    method, path, headers, sent = service.asked[0]
    assert (method, path, sent) == ("POST", f"/storage/v1/object/bucket/kept/{DIGEST[:2]}/{DIGEST}", DATA)
    assert headers["x-upsert"] == "true"


@pytest.mark.parametrize(
    ("status", "meant", "error"),
    [
        (400, 404, errors.SourceNotFoundError),
        (404, None, errors.SourceNotFoundError),
        (400, 403, errors.SourceForbiddenError),
        (401, None, errors.SourceForbiddenError),
        (400, 413, errors.DocumentTooLargeError),
        (400, 400, errors.SourceRejectedError),
        (429, None, errors.RateLimitedError),
        (408, None, errors.SourceUnavailableError),
        (500, None, errors.SourceUnavailableError),
        (544, 544, errors.SourceUnavailableError),
    ],
)
def test_what_supabase_storage_answers_is_told_by_its_meaning(
    service: Service, status: int, meant: int | None, error: type[errors.DocpipeError]
) -> None:
    service.status, service.content = status, b"<html>"
    if meant is not None:
        service.content = json.dumps({"statusCode": str(meant), "error": "e", "message": "Why."}).encode()
    sources = Sources(uploads="supabase://bucket", supabase=(service.url, "secret"))
    with pytest.raises(error, match=r"Supabase Storage|supabase://") as fetching:
        sources.take_in("supabase://bucket/a.txt")
    with pytest.raises(error) as keeping:
        sources.take_in(DATA, name="a.txt")
    assert (type(fetching.value), type(keeping.value)) == (error, error)


def test_an_object_of_supabase_storage_ends_at_the_limit(service: Service) -> None:
    service.content = bytes(3_000_000)
    sources = Sources(allow=["supabase://bucket"], supabase=(service.url, "secret"), max_bytes=2_000_000)
    with pytest.raises(errors.DocumentTooLargeError, match="larger than 2,000,000 bytes"):
        sources.take_in("supabase://bucket/a.txt")


def test_supabase_storage_that_does_not_answer_may_answer_later() -> None:
    with pytest.raises(errors.SourceUnavailableError, match=r"supabase://bucket/a\.txt"):
        Sources(allow=["supabase://bucket"], supabase=("http://127.0.0.1:1", "secret")).take_in(
            "supabase://bucket/a.txt"
        )
