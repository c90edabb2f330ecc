"""Redis as hosts have it: behind TLS with a private certificate, on a Unix socket, watched by a Sentinel."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import ssl
import threading
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

import redis
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.stack.redis_server import RedisServer
from tests.stack.server import NotReadyError

USER = "host"
PREFIX = "host:"
MASTER = "documents"


class HostRedis(RedisServer):
    """One with a Unix socket, and a user that may reach its own keys alone and ask for no configuration."""

    @property
    def socket(self) -> Path:
        return self.folder / "redis.sock"

    def prepare(self) -> None:
        super().prepare()
        rights = f"~{PREFIX}* &* +@all -@admin -@dangerous +info"
        with (self.folder / "redis.conf").open("a") as settings:
            settings.write(f"unixsocket {self.socket}\nuser {USER} on >{self.password} {rights}\n")


class Sentinel(RedisServer):
    """Knows where the master `MASTER` is."""

    name: ClassVar[str] = "sentinel"

    def __init__(self, folder: Path, port: int, master: RedisServer) -> None:
        super().__init__(folder, port, master.password)
        self.master = master

    def prepare(self) -> None:
        settings = (
            f"port {self.port}",
            "bind 127.0.0.1",
            f"sentinel monitor {MASTER} 127.0.0.1 {self.master.port} 1",
            f"sentinel auth-pass {MASTER} {self.password}",
        )
        (self.folder / "redis.conf").write_text("\n".join(settings) + "\n")

    def command(self) -> list[str]:
        return [*super().command(), "--sentinel"]

    def check(self) -> None:
        try:
            with redis.Redis(port=self.port, socket_timeout=2) as client:
                client.sentinel_master(MASTER)
        except redis.RedisError as error:
            raise NotReadyError(error) from error


class Tls:
    """Speaks TLS in front of a server that does not, with a certificate of its own authority.

    `authority` is the file by which a client knows it.
    """

    def __init__(self, folder: Path, port: int) -> None:
        self.authority, key = folder / "authority.pem", folder / "key.pem"
        _write_certificate(self.authority, key)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(self.authority, key)
        self._target = port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="tls", daemon=True)
        self._listening: asyncio.Server | None = None
        self.port = 0

    def __enter__(self) -> Tls:
        self._thread.start()
        self._listening = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._context), self._loop
        ).result(30)
        self.port = self._listening.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)
        self._loop.close()

    async def _end(self) -> None:
        assert self._listening is not None
        self._listening.close()
        served = asyncio.all_tasks() - {asyncio.current_task()}
        for task in served:
            task.cancel()
        await asyncio.gather(*served, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", self._target)
        with suppress(asyncio.CancelledError, OSError):
            await asyncio.gather(_pass_on(reader, inner_writer), _pass_on(inner_reader, writer))
        for each in (writer, inner_writer):
            each.transport.abort()
            with suppress(OSError):
                await each.wait_closed()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


def _write_certificate(certificate: Path, key_file: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Redis of the tests")])
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
