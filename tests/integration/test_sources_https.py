"""`https://` against real TLS servers of the test's own: what is fetched, and what is never connected to."""

from __future__ import annotations

import datetime
import hashlib
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from docpipe import errors
from docpipe.sources import Sources, TakenIn
from docpipe.sources.addresses import Address, is_public
from docpipe.sources.https import Https

LOOPBACK = ipaddress.ip_address("127.0.0.1")
DATA = b"Ann met Bob."
DIGEST = hashlib.sha256(DATA).hexdigest()
Answer = Callable[[BaseHTTPRequestHandler], None]


def certificate(folder: Path, host: str) -> Path:
    """A self-signed certificate for `host`, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{host}.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


@dataclass
class Web:
    """A TLS server that proves to be `files.example.org`, and the names that lead to it."""

    port: int
    trusted: ssl.SSLContext
    pages: dict[str, Answer] = field(default_factory=dict)
    hosts: dict[str, list[str]] = field(default_factory=lambda: {"files.example.org": ["127.0.0.1"]})
    resolved: list[str] = field(default_factory=list)
    requests: list[tuple[str, str]] = field(default_factory=list)
    """Host header and path."""

    def resolve(self, host: str, port: int) -> list[Address]:
        self.resolved.append(host)
        if host not in self.hosts:
            raise OSError("no such host")
        return [ipaddress.ip_address(address) for address in self.hosts[host]]

    def place(self, **options: object) -> Https:
        """The place, which may connect to this server beside what is public."""
        settings: dict[str, object] = {
            "resolve": self.resolve,
            "allowed": lambda address: address == LOOPBACK or is_public(address),
            "context": self.trusted,
            "port": self.port,
        }
        return Https(**(settings | options))  # type: ignore[arg-type]

    def url(self, path: str, host: str = "files.example.org") -> str:
        return f"https://{host}{path}"

    def fetched(self, path: str, **options: object) -> bytes:
        return b"".join(self.place(**options).open(self.url(path)))


@contextmanager
def serving(context: ssl.SSLContext, web: Web) -> Iterator[None]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            web.requests.append((self.headers["Host"], self.path))
            web.pages.get(self.path, status(404))(self)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """Clients that hang up are the point of some tests."""

    server = Server(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    web.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificate(tmp_path_factory.mktemp("tls"), "files.example.org")


@pytest.fixture
def web(pem: Path) -> Iterator[Web]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    web = Web(0, ssl.create_default_context(cafile=str(pem)))
    with serving(context, web):
        yield web


# --- answers ------------------------------------------------------------------------------------


def body(data: bytes, **headers: str) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        for name, value in ({"Content_Length": str(len(data))} | headers).items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(data)

    return answer


def status(code: int, location: str | None = None) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        if location is not None:
            handler.send_header("Location", location)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


def endless(handler: BaseHTTPRequestHandler) -> None:
    """No length, and no end until the client hangs up."""
    handler.send_response(200)
    handler.send_header("Connection", "close")
    handler.end_headers()
    while True:
        handler.wfile.write(bytes(65_536))


def trickling(handler: BaseHTTPRequestHandler) -> None:
    """A byte now and then, so that no single wait is long."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000000")
    handler.end_headers()
    stop = threading.Event()
    while not stop.wait(0.05):
        handler.wfile.write(b"x")


# --- what is fetched ------------------------------------------------------------------------------


def test_a_document_is_taken_in_and_fetched_again(web: Web) -> None:
    web.pages["/letter%20one.txt"] = body(DATA)
    sources = Sources(places={"https": web.place()})
    taken = sources.take_in(web.url("/letter%20one.txt#top"))
    assert taken == TakenIn(web.url("/letter%20one.txt"), "letter one.txt", DIGEST, len(DATA))
    with sources.fetch(taken.uri, taken.digest, taken.name) as path:
        assert path.read_bytes() == DATA


def test_the_server_is_asked_by_its_name_at_the_address_that_was_checked(web: Web) -> None:
    web.pages["/a"] = body(DATA)
    assert web.fetched("/a") == DATA
    assert web.requests == [("files.example.org", "/a")]
    assert web.resolved == ["files.example.org"]


def test_a_second_address_is_tried_when_the_first_does_not_answer(web: Web) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.2", 0))  # bound, but nobody listens
        web.hosts["files.example.org"] = ["127.0.0.2", "127.0.0.1"]
        web.pages["/a"] = body(DATA)
        assert web.fetched("/a", allowed=lambda address: True) == DATA


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_a_redirect_is_followed(web: Web, code: int) -> None:
    web.pages |= {"/a": status(code, "/sub/b"), "/sub/b": status(code, "c"), "/sub/c": body(DATA)}
    assert web.fetched("/a") == DATA
    assert [path for _, path in web.requests] == ["/a", "/sub/b", "/sub/c"]


@pytest.mark.parametrize(("hops", "error"), [(5, None), (6, errors.SourceRejectedError)])
def test_five_redirects_are_enough(web: Web, hops: int, error: type[Exception] | None) -> None:
    web.pages |= {f"/{n}": status(302, f"/{n + 1}") for n in range(hops)} | {f"/{hops}": body(DATA)}
    if error is None:
        assert web.fetched("/0") == DATA
    else:
        with pytest.raises(error, match="redirects more than 5 times"):
            web.fetched("/0")


def test_a_redirect_without_a_place_does_not_go_round_for_ever(web: Web) -> None:
    web.pages["/a"] = status(302)
    with pytest.raises(errors.SourceRejectedError, match="redirects more than 5 times"):
        web.fetched("/a")
    assert len(web.requests) == 6


# --- what is never connected to ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "location",
    [
        "https://10.0.0.8/secret",
        "https://169.254.169.254/latest/meta-data/",
        "https://[::1]/secret",
        "https://[64:ff9b::a9fe:a9fe]/latest/meta-data/",
        "https://inside.example.org/secret",
        "//inside.example.org/secret",
    ],
)
def test_a_redirect_to_an_address_that_is_not_public_is_not_followed(web: Web, location: str) -> None:
    web.hosts |= {
        "inside.example.org": ["10.0.0.8"],
        "10.0.0.8": ["10.0.0.8"],
        "169.254.169.254": ["169.254.169.254"],
        "::1": ["::1"],
        "64:ff9b::a9fe:a9fe": ["64:ff9b::a9fe:a9fe"],
    }
    web.pages["/a"] = status(302, location)
    with pytest.raises(errors.SourceForbiddenError, match="is not a public address"):
        web.fetched("/a")


@pytest.mark.parametrize(
    "location", ["http://files.example.org/a", "file:///etc/passwd", "ftp://example.org/a"]
)
def test_a_redirect_to_another_scheme_is_not_followed(web: Web, location: str) -> None:
    web.pages["/a"] = status(302, location)
    with pytest.raises(errors.SourceForbiddenError, match="only https:// is"):
        web.fetched("/a")


def test_one_address_that_is_not_public_is_one_too_many(web: Web) -> None:
    web.hosts["files.example.org"] = ["127.0.0.1", "192.168.1.1"]
    with pytest.raises(errors.SourceForbiddenError, match=r"not a public address \(192.168.1.1\)"):
        web.fetched("/a")
    assert web.requests == []


def test_a_name_that_changes_its_address_after_the_check_gains_nothing(web: Web) -> None:
    """DNS rebinding: public when it is checked, inside when it is asked again."""
    answers = iter([["127.0.0.1"], ["10.0.0.8"]])

    def rebinding(host: str, port: int) -> list[Address]:
        return [ipaddress.ip_address(address) for address in next(answers)]

    web.pages["/a"] = body(DATA)
    assert web.fetched("/a", resolve=rebinding) == DATA
    assert next(answers) == ["10.0.0.8"]


def test_a_proxy_of_the_environment_is_not_used(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    web.pages["/a"] = body(DATA)
    assert web.fetched("/a") == DATA


def test_a_server_that_cannot_prove_who_it_is_is_refused(web: Web) -> None:
    web.hosts["other.example.org"] = ["127.0.0.1"]
    web.pages["/a"] = body(DATA)
    with pytest.raises(errors.SourceForbiddenError, match="cannot prove that it is"):
        list(web.place().open(web.url("/a", host="other.example.org")))
    with pytest.raises(errors.SourceForbiddenError, match="cannot prove that it is"):
        web.fetched("/a", context=ssl.create_default_context())
    assert web.requests == []


def test_a_user_name_in_the_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(errors.SourceRejectedError) as raised:
        list(Https().open("https://ann:sesame@files.example.org/a"))
    assert "sesame" not in str(raised.value)


# --- sizes and times ----------------------------------------------------------------------------------


def test_a_document_that_says_it_is_too_large_is_not_begun(web: Web) -> None:
    web.pages["/a"] = body(b"x", Content_Length="1001")
    with pytest.raises(errors.DocumentTooLargeError, match="larger than 1,000 bytes"):
        web.fetched("/a", max_bytes=1000)


def test_a_document_that_does_not_say_how_large_it_is_ends_at_the_limit(web: Web) -> None:
    web.pages["/a"] = endless
    sources = Sources(places={"https": web.place()}, max_bytes=1_000_000)
    with pytest.raises(errors.DocumentTooLargeError, match="larger than 1,000,000 bytes"):
        sources.take_in(web.url("/a"))


def test_a_document_shorter_than_it_says_may_be_whole_next_time(web: Web) -> None:
    def cut(handler: BaseHTTPRequestHandler) -> None:
        body(DATA, Content_Length="1000", Connection="close")(handler)
        handler.close_connection = True

    web.pages["/a"] = cut
    with pytest.raises(errors.SourceUnavailableError):
        web.fetched("/a")


def test_a_document_longer_than_it_says_is_cut_where_it_said(web: Web) -> None:
    web.pages["/a"] = body(DATA + b" And Eve.", Content_Length=str(len(DATA)), Connection="close")
    assert web.fetched("/a") == DATA


def test_a_compressed_answer_is_refused(web: Web) -> None:
    web.pages["/a"] = body(DATA, Content_Encoding="gzip")
    with pytest.raises(errors.SourceRejectedError, match=r"sent compressed \(gzip\)"):
        web.fetched("/a")


def test_a_document_that_trickles_in_ends_at_its_deadline(web: Web) -> None:
    web.pages["/a"] = trickling
    with pytest.raises(errors.SourceUnavailableError, match=r"takes too long|timed out"):
        web.fetched("/a", max_seconds=0.5)


# --- answers that are no document -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (204, errors.SourceUnavailableError),
        (401, errors.SourceForbiddenError),
        (403, errors.SourceForbiddenError),
        (404, errors.SourceNotFoundError),
        (410, errors.SourceNotFoundError),
        (429, errors.RateLimitedError),
        (500, errors.SourceUnavailableError),
        (503, errors.SourceUnavailableError),
    ],
)
def test_an_answer_that_is_no_document_says_what_it_is(web: Web, code: int, error: type[Exception]) -> None:
    web.pages["/a"] = status(code)
    with pytest.raises(error):
        web.fetched("/a")


def test_a_server_that_is_not_there_may_be_there_later(web: Web) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        with pytest.raises(errors.SourceUnavailableError, match="cannot be reached"):
            list(web.place(port=port).open(web.url("/a")))


def test_a_host_that_is_not_known_may_be_known_later(web: Web) -> None:
    with pytest.raises(errors.SourceUnavailableError, match="cannot be resolved: no such host"):
        list(web.place().open("https://nowhere.example.org/a"))


def test_a_server_that_speaks_no_tls_cannot_be_reached(web: Web) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(errors.SourceUnavailableError, match="cannot be reached"):
            list(web.place(port=server.getsockname()[1]).open(web.url("/a")))
        thread.join()
