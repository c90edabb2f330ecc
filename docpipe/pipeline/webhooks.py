"""Webhooks as a host manages them: who is told of ends, what became of it, and telling again."""

from __future__ import annotations

import base64
import builtins
import secrets
import uuid
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from docpipe.errors import ConfigurationError
from docpipe.stores.ids import may_be_stored
from docpipe.stores.webhook_port import Delivery, Webhook, WebhookStore

EVENTS = (
    "document.completed",
    "document.completed_with_warnings",
    "document.failed",
    "document.cancelled",
    "batch.completed",
)
"""The types of events, all of which a webhook is told unless it asks for some."""
_SECRET_BYTES = 32
_MOST_BYTES = 64
_LEAST_BYTES = 24
_PREFIX = "whsec_"


@dataclass(frozen=True, slots=True)
class Webhooks:
    """What `Pipeline.webhooks` returns.

    Args:
        internal: hosts of the own network that may be told, too; see `Pipeline`.
    """

    store: WebhookStore
    internal: Collection[str] = ()

    def add(
        self,
        url: str,
        *,
        events: Sequence[str] = EVENTS,
        project_id: str | None = None,
        secret: str | None = None,
    ) -> Webhook:
        """Tell an address of what ends from now on.

        Args:
            url: `https://…`; `http://` and private addresses only of hosts that are named as internal.
            events: some of `EVENTS`.
            project_id: only of documents of this project; None: of all.
            secret: `whsec_` and the Base64 of 24 to 64 bytes; None: a new one.

        Raises:
            ConfigurationError: one of them is wrong.
        """
        from docpipe.delivery.webhooks.receivers import Receivers  # noqa: PLC0415 - only where it is used

        Receivers(self.internal).checked(url)
        if unknown := sorted(set(events) - set(EVENTS)):
            raise ConfigurationError(f"There is no event {unknown[0]}. There are: {', '.join(EVENTS)}.")
        if not may_be_stored(project_id or ""):
            raise ConfigurationError(f"project_id={project_id!a} holds NUL or half a character.")
        webhook = Webhook(str(uuid.uuid4()), url, _secret(secret), tuple(dict.fromkeys(events)), project_id)
        self.store.add(webhook)
        return webhook

    def list(self, project_id: str | None = None) -> builtins.list[Webhook]:
        """All, or those of a project, oldest first."""
        return self.store.list(project_id)

    def remove(self, webhook_id: str) -> bool:
        """Remove one, with what it was still to be told and its log; false if there is none."""
        return self.store.remove(webhook_id)

    def log(self, webhook_id: str, *, limit: int = 50) -> tuple[Delivery, ...]:
        """The newest tries to tell it, newest first."""
        return self.store.log(webhook_id, limit=limit)

    def replay(
        self,
        webhook_id: str,
        *,
        event_id: str | None = None,
        since: datetime | None = None,
        given_up: bool = False,
    ) -> int:
        """Tell again what has been told or given up: one event, or those since a time, or with `given_up`
        only such. A receiver knows by its id what it had before. Returns how many are due again.
        """
        return self.store.replay(webhook_id, event_id=event_id, since=since, given_up=given_up)

    def deliver(self, *, seconds: float = 10.0) -> Counter[str]:
        """Deliver what is due now, for about so many seconds at most; the reaper calls it.

        Returns:
            How many events were `delivered`, how many tries failed (`retried`), how many were `given_up`.

        Raises:
            MissingExtraError: the extra `webhooks` is not installed, and something is due.
            StoreUnavailableError: the store cannot be reached.
        """
        if not self.store.due():
            return Counter()
        from docpipe.delivery.webhooks.courier import Courier  # noqa: PLC0415 - of an extra
        from docpipe.delivery.webhooks.receivers import Receivers  # noqa: PLC0415
        from docpipe.delivery.webhooks.sender import Sender  # noqa: PLC0415

        return Courier(self.store, Sender(Receivers(self.internal)).send).deliver(seconds)


def _secret(given: str | None) -> str:
    if given is None:
        return _PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()
    try:
        size = len(base64.b64decode(given.removeprefix(_PREFIX), validate=True))
    except ValueError:
        size = 0
    if not given.startswith(_PREFIX) or not _LEAST_BYTES <= size <= _MOST_BYTES:
        raise ConfigurationError(
            f"The secret of a webhook is {_PREFIX} and the Base64 of {_LEAST_BYTES} to {_MOST_BYTES} bytes."
            " Leave it out to have one made."
        )
    return given
