"""One try to deliver an event: signed as Standard Webhooks says (standardwebhooks.com), and posted."""

from __future__ import annotations

import json
import ssl
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from urllib.parse import SplitResult

import httpcore
import httpx

from docpipe.delivery.webhooks.receivers import Receivers, port_of
from docpipe.errors import DocpipeError, MissingExtraError
from docpipe.models.masking import masked
from docpipe.sources.checked_network import CheckedNetwork, Resolve, resolve
from docpipe.stores.webhook_port import ClaimedEvent, Try

try:
    from standardwebhooks import Webhook
except ModuleNotFoundError as error:
    raise MissingExtraError.for_module("standardwebhooks", "webhooks") from error

_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Sender:
    """Posts events; never follows a redirect, and no proxy of the environment.

    Args:
        receivers: what may be told.
        seconds: for one try, whatever the receiver does.
        resolve: finds a host's addresses.
        context: whose certificates are believed.
    """

    receivers: Receivers = field(default_factory=Receivers)
    seconds: float = _SECONDS
    resolve: Resolve = resolve
    context: ssl.SSLContext = field(default_factory=httpx.create_ssl_context)

    def send(self, event: ClaimedEvent) -> Try:
        """Try once. An answer of 200 to 299 counts as delivered; whatever else happens is in the outcome."""
        started, status, error = time.monotonic(), None, None
        try:
            status = self._post(self.receivers.checked(event.url), event)
            if not 200 <= status < 300:
                error = f"it answers {status}"
        except DocpipeError as refused:
            error = str(refused)
        except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError) as failure:
            error = f"{masked(event.url)} cannot be told: {type(failure).__name__} {failure}".rstrip()
        return Try(round(time.monotonic() - started, 3), status, error)

    def _post(self, target: SplitResult, event: ClaimedEvent) -> int:
        network = CheckedNetwork(
            self.resolve, partial(self.receivers.permits, target), time.monotonic() + self.seconds
        )
        body = payload(event)
        headers: list[tuple[bytes | str, bytes | str]] = [
            ("Host", target.netloc),
            ("User-Agent", "docpipe"),
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(body.encode()))),
            *signed(event, body, datetime.now(UTC)).items(),
        ]
        path = (target.path or "/") + (f"?{target.query}" if target.query else "")
        url = httpcore.URL(
            scheme=target.scheme, host=target.hostname or "", port=port_of(target), target=path
        )
        timeouts = dict.fromkeys(("connect", "read", "write", "pool"), self.seconds)
        with (
            httpcore.ConnectionPool(ssl_context=self.context, network_backend=network) as pool,
            pool.stream(
                "POST", url, headers=headers, content=body.encode(), extensions={"timeout": timeouts}
            ) as answer,
        ):
            return answer.status


def payload(event: ClaimedEvent) -> str:
    """What is posted, the same in every try."""
    told = {"type": event.type, "timestamp": event.at.isoformat(), "data": event.data}
    return json.dumps(told, separators=(",", ":"))


def signed(event: ClaimedEvent, body: str, at: datetime) -> dict[str, str]:
    """The headers by which a receiver knows that the body is from here, and not an old one sent again."""
    return {
        "webhook-id": event.id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(event.secret).sign(event.id, at, body),
    }
