"""The short-lived copy of progress in Redis, for live views. Nothing is ever decided from it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import redis

from docpipe.execution.logs import get_logger

log = get_logger(__name__)

DEFAULT_TTL_SECONDS = 7 * 24 * 3600


class RedisProgress:
    """One hash per document, `<prefix>state:<uuid>`: `<phase>_status`, `<phase>_timestamp` (ISO 8601, UTC)
    and `<phase>_metadata` (JSON); the whole hash expires `ttl_seconds` after its last change.
    """

    def __init__(
        self, client: redis.Redis, *, prefix: str = "docpipe:", ttl_seconds: int = DEFAULT_TTL_SECONDS
    ) -> None:
        self._client = client
        self._prefix = prefix
        self._ttl = ttl_seconds

    @classmethod
    def from_url(cls, url: str, *, prefix: str = "docpipe:") -> RedisProgress:
        """Short time-outs: progress must never hold work up."""
        client = redis.Redis.from_url(url, socket_timeout=2.0, socket_connect_timeout=2.0)
        return cls(client, prefix=prefix)

    def _key(self, document_uuid: str) -> str:
        return f"{self._prefix}state:{document_uuid}"

    def update_document_state(
        self, document_uuid: str, phase: str, status: str, metadata: Mapping[str, Any] | None = None
    ) -> None:
        fields: dict[str | bytes | int | float, str | bytes | int | float] = {
            f"{phase}_status": status,
            f"{phase}_timestamp": datetime.now(UTC).isoformat(),
            f"{phase}_metadata": json.dumps(dict(metadata or {})),
        }
        try:
            pipe = self._client.pipeline(transaction=True)
            pipe.hset(self._key(document_uuid), mapping=fields)  # type: ignore[arg-type]  # the stub wants an invariant union
            pipe.expire(self._key(document_uuid), self._ttl)
            pipe.execute()
        except redis.RedisError as error:
            log.warning("progress_not_written", document=document_uuid, phase=phase, error=str(error))

    def forget(self, document_uuid: str) -> bool:
        """Remove the hash; false if Redis is away."""
        try:
            self._client.delete(self._key(document_uuid))
        except redis.RedisError as error:
            log.warning("progress_not_forgotten", document=document_uuid, error=str(error))
            return False
        return True

    def read(self, document_uuid: str) -> dict[str, str]:
        """The whole hash; empty when there is none (any more)."""
        found: Mapping[bytes, bytes] = self._client.hgetall(self._key(document_uuid))  # type: ignore[assignment]
        return {key.decode(): value.decode() for key, value in found.items()}

    def told(self, document_uuid: str, phase: str) -> Mapping[str, Any]:
        """The newest metadata of a phase; empty if there is none, or Redis is away."""
        try:
            found: Mapping[str, Any] = json.loads(self.read(document_uuid).get(f"{phase}_metadata", "{}"))
        except redis.RedisError as error:
            log.warning("progress_not_looked_at", document=document_uuid, error=str(error))
            return {}
        return found

    def left(self, document_uuid: str) -> int | None:
        """How many fields the hash has; None if Redis is away."""
        try:
            return len(self.read(document_uuid))
        except redis.RedisError as error:
            log.warning("progress_not_looked_at", document=document_uuid, error=str(error))
            return None
