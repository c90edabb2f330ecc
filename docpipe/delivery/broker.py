"""What waits in the broker: reads Celery's lists in Redis and changes none of them; keeps small keys beside.

Kombu keeps one list per queue and priority step (`queue`, then `queue\\x06\\x163`, …), each element a JSON
envelope whose base64 body holds the arguments (kombu.transport.redis). Everything is under the app's
`global_keyprefix`.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import redis
from celery import Celery

from docpipe.errors import BrokerUnavailableError
from docpipe.models import RangeRef, Ref

MAX_MESSAGE_BYTES = 65_536
"""Twenty times the largest message of docpipe's own: the first of a chain, with all that follows it."""
_SLICE = 500
_MOST_READ = 20_000
"""Messages read in one look; beyond it there is a backlog, and a look would cost more than it is worth."""
_SILENCE_SECONDS = 24 * 3600
_PRIORITY_SEPARATOR = "\x06\x16"
_PRIORITY_STEPS = (0, 3, 6, 9)


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """The messages of one queue, wherever Redis keeps them.

    A worker that takes a message moves it from the queue's lists to a common hash until it acknowledges it.
    """

    waiting: int
    """In the queue's lists, all priorities together."""
    priorities: Mapping[int, int]
    """Waiting per priority step, 0 first."""
    unacknowledged: int
    """Taken by a worker that has not finished with them."""
    delayed: int
    """Of the unacknowledged: held by a worker until their time comes."""


def _said(error: Exception) -> str:
    return str(error).rstrip(".")


def active_queues(app: Celery, seconds: float) -> dict[str, list[Any]]:
    """What each worker consumes, of those that answer within `seconds`.

    Asked on a connection of its own: one from Celery's pool may be left over from before Redis restarted.

    Raises:
        OSError, kombu.exceptions.OperationalError, redis.RedisError: the broker cannot be reached.
    """
    with app.connection_for_write() as connection:
        found = app.control.inspect(timeout=seconds, connection=connection).active_queues()
    return found or {}


class Broker:
    """The Redis behind a Celery app."""

    def __init__(self, app: Celery) -> None:
        url = str(app.conf.broker_read_url or app.conf.broker_url or "")
        options = app.conf.broker_transport_options or {}
        self._prefix = options.get("global_keyprefix", "")
        self._steps = options.get("priority_steps", _PRIORITY_STEPS)
        self._unacknowledged = self._prefix + options.get("unacked_key", "unacked")
        self._redis = redis.Redis.from_url(url, socket_timeout=10.0) if url.startswith("redis") else None

    def depths(self, queues: Iterable[str]) -> dict[str, int]:
        """Messages waiting per queue, all priorities together. Raises `BrokerUnavailableError`."""
        return {queue: sum(self._length(key) for key in self._keys(queue)) for queue in queues}

    def counts(self, queues: Iterable[str]) -> dict[str, QueueDepth] | None:
        """All messages per queue, counted at one moment; None for brokers other than Redis.

        Raises:
            BrokerUnavailableError: Redis cannot be reached.
        """
        if self._redis is None:
            return None
        queues = list(queues)
        with self._reaching(), self._redis.pipeline(transaction=True) as look:
            for queue in queues:
                for key in self._keys(queue):
                    look.llen(key)
            look.hvals(self._unacknowledged)
            *lengths, taken = look.execute()
        held = [_taken(value) for value in taken]
        found = iter(lengths)
        return {queue: self._depth(queue, [next(found) for _ in self._steps], held) for queue in queues}

    def _depth(self, queue: str, lengths: list[int], held: list[tuple[str, bool]]) -> QueueDepth:
        mine = [delayed for name, delayed in held if name == queue]
        priorities = dict(zip(self._steps, lengths, strict=True))
        return QueueDepth(sum(lengths), priorities, len(mine), sum(mine))

    # --- canaries -------------------------------------------------------------------------------

    def next_canary(self, queue: str, seconds: float) -> tuple[int, bool]:
        """Number of the canary to wait for, and whether it is new and has to be sent: one that was sent
        less than `seconds` ago and is not back yet is not followed by another.
        """
        assert self._redis is not None
        key = self._canary(queue)
        with self._reaching():
            second, microsecond = self._redis.time()
            number = int(second) * 1_000_000 + int(microsecond)
            if self._redis.set(key, number, nx=True, px=int(seconds * 1000)):
                return number, True
            return int(self._redis.get(key) or number), False

    def answer_canary(self, queue: str, number: int) -> None:
        """Say that the queue's canary has come back."""
        if self._redis is not None:
            with self._reaching():
                self._redis.set(f"{self._canary(queue)}:back", number, ex=_SILENCE_SECONDS)
                self._redis.delete(self._canary(queue))

    def newest_back(self, queue: str) -> int:
        """Number of the canary that came back last; 0 if none has."""
        assert self._redis is not None
        with self._reaching():
            return int(self._redis.get(f"{self._canary(queue)}:back") or 0)

    def _canary(self, queue: str) -> str:
        return f"{self._prefix}canary:{queue}"

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        try:
            yield
        except redis.RedisError as error:
            raise BrokerUnavailableError(f"Redis cannot be reached: {_said(error)}.") from error

    # --- what waits -----------------------------------------------------------------------------

    def waiting(self, queues: Iterable[str]) -> set[Ref | RangeRef] | None:
        """The runs, and ranges of pages, that have a message waiting in one of the queues; None if that
        cannot be known.

        That is so for brokers other than Redis, and for a backlog too long to read.

        Raises:
            BrokerUnavailableError: Redis cannot be reached.
        """
        queues = list(queues)
        if self._redis is None or sum(self.depths(queues).values()) > _MOST_READ:
            return None
        return {ref for queue in queues for key in self._keys(queue) for ref in self._refs(key)}

    def eviction_policy(self) -> str | None:
        """Redis's `maxmemory-policy`; None where it does not report it. Raises `BrokerUnavailableError`."""
        return self._config("maxmemory-policy")

    def appendonly(self) -> bool | None:
        """Whether Redis keeps its append-only file; None where it does not report it."""
        found = self._config("appendonly")
        return None if found is None else found == "yes"

    def agreed(self, fingerprint: str, *, insist: bool = False) -> str:
        """The fingerprint that everyone on this Redis uses: the first one said, until a day of silence.

        Args:
            insist: replace what others said.
        """
        if self._redis is None:
            return fingerprint
        key = f"{self._prefix}fingerprint"
        try:
            self._redis.set(key, fingerprint, nx=not insist, ex=_SILENCE_SECONDS)
            found = self._redis.get(key)
            if found == fingerprint.encode():
                self._redis.expire(key, _SILENCE_SECONDS)
        except redis.RedisError as error:
            raise BrokerUnavailableError(f"Redis cannot be reached: {_said(error)}.") from error
        return found.decode() if isinstance(found, bytes) else fingerprint

    def _config(self, name: str) -> str | None:
        if self._redis is None:
            return None
        try:
            found = self._redis.config_get(name)
        except redis.ResponseError:  # managed services forbid CONFIG
            return None
        except redis.RedisError as error:
            raise BrokerUnavailableError(f"Redis cannot be reached: {_said(error)}.") from error
        return {str(key): str(value) for key, value in found.items()}.get(name)

    def close(self) -> None:
        """Give the connection back."""
        if self._redis is not None:
            self._redis.close()

    def _keys(self, queue: str) -> list[str]:
        names = [queue if step == 0 else f"{queue}{_PRIORITY_SEPARATOR}{step}" for step in self._steps]
        return [self._prefix + name for name in names]

    def _length(self, key: str) -> int:
        if self._redis is None:
            return 0
        try:
            return int(self._redis.llen(key))
        except redis.RedisError as error:
            raise BrokerUnavailableError(f"Redis cannot be reached: {_said(error)}.") from error

    def _refs(self, key: str) -> Iterator[Ref | RangeRef]:
        assert self._redis is not None
        start = 0
        try:
            while found := list(self._redis.lrange(key, start, start + _SLICE - 1)):
                start += len(found)
                yield from (ref for ref in map(ref_of, found) if ref is not None)
        except redis.RedisError as error:
            raise BrokerUnavailableError(f"Redis cannot be reached: {_said(error)}.") from error


def _taken(value: bytes) -> tuple[str, bool]:
    """Queue of a message that a worker holds, and whether it waits for its time (kombu's `QoS.append`)."""
    try:
        message, _, routing_key = json.loads(value)
        return str(routing_key), _lies_ahead(message["headers"].get("eta"))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return "", False


def _lies_ahead(eta: Any) -> bool:
    if not eta:
        return False
    time_ = datetime.fromisoformat(eta)
    return (time_ if time_.tzinfo else time_.replace(tzinfo=UTC)) > datetime.now(UTC)


def ref_of(message: bytes | str) -> Ref | RangeRef | None:
    """The run, or range, that a message in Redis is about; None for a message that is not docpipe's."""
    if len(message) > MAX_MESSAGE_BYTES:
        return None
    try:
        arguments, *_ = json.loads(base64.b64decode(json.loads(message)["body"]))
        kind = RangeRef if "first_page" in arguments[0] else Ref
        return kind.from_message(arguments[0])
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError, binascii.Error):
        return None
