"""What waits in the broker: reads Celery's lists in Redis and changes none of them; keeps small keys beside.

Kombu keeps one list per queue and priority step, each element a JSON envelope whose base64 body holds the
arguments (kombu.transport.redis). What is docpipe's and cannot be read is unknown: it is never said to be
gone.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import redis
from celery import Celery

from docpipe.delivery.canvas import CANARY, ON_ERROR, REAP
from docpipe.delivery.redis_lists import Link, Lists, unavailable
from docpipe.execution.logs import get_logger
from docpipe.models import RangeRef, Ref
from docpipe.stores.values import PRIORITIES, Look

log = get_logger(__name__)

MAX_MESSAGE_BYTES = 65_536
"""Twenty times the largest message of docpipe's own: the first of a chain, with all that follows it."""
_LOOKED_AT = 100
"""Messages of one list, the oldest: so many that one of them is the newest of its document."""
_SILENCE_SECONDS = 24 * 3600
_OF_NO_DOCUMENT = (ON_ERROR, REAP, CANARY)
"""Docpipe's tasks whose messages carry no document to its next stage."""


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """The messages of one queue; None: only a Redis tells.

    There, a worker that takes a message moves it from the queue's lists to a common hash until it
    acknowledges it.
    """

    waiting: int
    """All priorities together."""
    priorities: Mapping[int, int] | None = None
    """Waiting per priority step, 0 first."""
    unacknowledged: int | None = None
    """Taken by a worker that has not finished with them."""
    delayed: int | None = None
    """Of the unacknowledged: held by a worker until their time comes."""


def active_queues(app: Celery, seconds: float) -> dict[str, list[Any]]:
    """What each worker consumes, of those that answer within `seconds`.

    Asked on a connection of its own: one from Celery's pool may be left over from before Redis restarted.

    Raises:
        OSError, kombu.exceptions.OperationalError, redis.RedisError: the broker cannot be reached.
    """
    with app.connection_for_write() as connection:
        found = app.control.inspect(timeout=seconds, connection=connection).active_queues()
    return found or {}


@dataclass(frozen=True, slots=True)
class WorkerReport:
    """What one worker says about itself."""

    queues: frozenset[str]
    active: Sequence[Mapping[str, Any]]
    """The tasks that its processes run, as Celery describes them."""


def worker_reports(app: Celery, seconds: float) -> list[WorkerReport]:
    """What each worker consumes and runs, of those that answer; asked and raises as `active_queues`."""
    with app.connection_for_write() as connection:
        inspect = app.control.inspect(timeout=seconds / 2, connection=connection)
        active, queues = inspect.active() or {}, inspect.active_queues() or {}
    return [
        WorkerReport(frozenset(queue["name"] for queue in queues.get(worker, ())), tasks)
        for worker, tasks in active.items()
    ]


class UnreadableError(ValueError):
    """A message that is docpipe's, or may be, and says not in plain JSON what it is about."""


class Broker:
    """The broker behind a Celery app. Most of what is asked here only a Redis can answer."""

    def __init__(self, app: Celery) -> None:
        self._link = Link(app)

    @property
    def is_redis(self) -> bool:
        """Whether its queues can be looked into. Raises `BrokerUnavailableError`."""
        return self._link.driver == "redis"

    @property
    def tells(self) -> bool:
        """Whether it knows how many messages wait: other brokers than Redis and RabbitMQ may guess, or say 0.
        Raises `BrokerUnavailableError`.
        """
        return self.is_redis or self._link.driver == "amqp"

    def ping(self) -> None:
        """Reach the broker, whatever it is. Raises `BrokerUnavailableError`."""
        self._link.ping()

    def depths(self, queues: Iterable[str]) -> dict[str, int]:
        """Messages waiting per queue, all priorities together. Raises `BrokerUnavailableError`."""
        if not self.is_redis:
            return {queue: each.waiting for queue, each in self._link.declared(queues).items()}
        with self._reaching() as lists:
            return {queue: _length(lists, queue) for queue in queues}

    def counts(self, queues: Iterable[str]) -> dict[str, QueueDepth] | None:
        """The messages per queue, of Redis counted at one moment; None of a broker that does not tell.

        Raises:
            BrokerUnavailableError: it cannot be reached.
        """
        if not self.tells:
            self.ping()
            return None
        if not self.is_redis:
            return {queue: QueueDepth(count) for queue, count in self.depths(queues).items()}
        queues = list(queues)
        with self._reaching() as lists, lists.client.pipeline(transaction=True) as look:
            for queue in queues:
                for key in lists.keys(queue):
                    look.llen(key)
            look.hvals(lists.unacknowledged)
            *lengths, taken = look.execute()
        held = [_taken(value) for value in taken]
        found = iter(lengths)
        return {queue: _depth(queue, {step: next(found) for step in lists.steps}, held) for queue in queues}

    def consumers(self, queues: Iterable[str]) -> dict[str, int]:
        """How many consume each queue, as RabbitMQ knows; empty of another broker.

        Raises:
            BrokerUnavailableError: it cannot be reached.
        """
        if self.is_redis or not self.tells:
            return {}
        return {queue: each.consumers for queue, each in self._link.declared(queues).items()}

    # --- canaries -------------------------------------------------------------------------------

    def next_canary(self, queue: str, seconds: float) -> tuple[int, bool]:
        """Number of the canary to wait for, and whether it is new and has to be sent: one that was sent
        less than `seconds` ago and is not back yet is not followed by another.
        """
        with self._reaching() as lists:
            key, client = _canary(lists, queue), lists.client
            second, microsecond = client.time()
            number = int(second) * 1_000_000 + int(microsecond)
            if client.set(key, number, nx=True, px=int(seconds * 1000)):
                return number, True
            return int(client.get(key) or number), False

    def answer_canary(self, queue: str, number: int) -> None:
        """Say that the queue's canary has come back."""
        if self.is_redis:
            with self._reaching() as lists:
                lists.client.set(f"{_canary(lists, queue)}:back", number, ex=_SILENCE_SECONDS)
                lists.client.delete(_canary(lists, queue))

    def newest_back(self, queue: str) -> int:
        """Number of the canary that came back last; 0 if none has."""
        with self._reaching() as lists:
            return int(lists.client.get(f"{_canary(lists, queue)}:back") or 0)

    @contextmanager
    def _reaching(self) -> Iterator[Lists]:
        """Raises `BrokerUnavailableError`; the next to ask opens a connection anew, to the next address."""
        lists = self._link.lists()
        try:
            yield lists
        except (redis.RedisError, OSError) as error:
            self._link.close()
            raise unavailable("Redis", error) from error

    # --- what waits -----------------------------------------------------------------------------

    def looks(self, queues: Iterable[str]) -> list[Look]:
        """The oldest messages in each list of the queues, in one round trip however many wait.

        A list is left out where one of them is docpipe's and not the plain JSON that docpipe sends. So are
        the queues of a broker that is no Redis, but those of which it knows that nothing waits there.

        Raises:
            BrokerUnavailableError: the broker cannot be reached.
        """
        if not self.is_redis:
            return self._empty(queues) if self.tells else []
        with self._reaching() as lists, lists.client.pipeline(transaction=False) as ask:
            places = [(queue, step, key) for queue in queues for step, key in lists.by_step(queue)]
            for _, _, key in places:
                ask.lrange(key, -1 - _LOOKED_AT, -1)
            found = ask.execute()
        seen = (
            _look(queue, lists.priorities(step), messages)
            for (queue, step, _), messages in zip(places, found, strict=True)
        )
        return [look for look in seen if look is not None]

    def _empty(self, queues: Iterable[str]) -> list[Look]:
        counts = self.depths(queues)
        return [Look(queue, tuple(PRIORITIES), (), whole=True) for queue in counts if not counts[queue]]

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
        if not self.is_redis:
            return fingerprint
        with self._reaching() as lists:
            key, client = f"{lists.prefix}fingerprint", lists.client
            client.set(key, fingerprint, nx=not insist, ex=_SILENCE_SECONDS)
            found = client.get(key)
            if found == fingerprint.encode():
                client.expire(key, _SILENCE_SECONDS)
        return found.decode() if isinstance(found, bytes) else fingerprint

    def _config(self, name: str) -> str | None:
        if not self.is_redis:
            return None
        with self._reaching() as lists:
            try:
                found = lists.client.config_get(name)
            except redis.ResponseError:  # managed services forbid CONFIG
                return None
        return {str(key): str(value) for key, value in found.items()}.get(name)

    def close(self) -> None:
        """Give the connection back."""
        self._link.close()


def _length(lists: Lists, queue: str) -> int:
    return sum(int(lists.client.llen(key)) for key in lists.keys(queue))


def _canary(lists: Lists, queue: str) -> str:
    return f"{lists.prefix}canary:{queue}"


def _depth(queue: str, priorities: dict[int, int], held: list[tuple[str, bool]]) -> QueueDepth:
    mine = [delayed for name, delayed in held if name == queue]
    return QueueDepth(sum(priorities.values()), priorities, len(mine), sum(mine))


def _look(queue: str, priorities: tuple[int, ...], messages: list[bytes]) -> Look | None:
    """`messages`: one more than are looked at, where the list has more. They are pushed on the left."""
    whole, oldest = len(messages) <= _LOOKED_AT, messages[::-1][:_LOOKED_AT]
    try:
        read = tuple(told for told in map(message_of, oldest) if told is not None)
    except UnreadableError as unreadable:
        log.warning("messages_unreadable", queue=queue, reason=str(unreadable))
        return None
    return Look(queue, priorities, read, whole)


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


def message_of(message: bytes | str) -> tuple[Ref | RangeRef, str] | None:
    """The run, or range, that a message in Redis is about, and its task's id; None for a message that is not
    docpipe's.

    Raises:
        UnreadableError: it may be docpipe's, and is no plain JSON.
    """
    if len(message) > MAX_MESSAGE_BYTES:
        return None
    try:
        envelope = json.loads(message)
        headers = envelope.get("headers") or {}
        task, plain = headers.get("task"), _is_plain(envelope, headers)
        if not plain and (task is None or _is_a_documents(task)):
            raise UnreadableError(f"a message of {task or 'a task unknown'} is compressed or no JSON")
        task_id = str((envelope.get("properties") or {}).get("correlation_id"))
        return _named(json.loads(base64.b64decode(envelope["body"]))), task_id
    except UnreadableError:
        raise
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError, binascii.Error):
        return None


def _is_plain(envelope: Mapping[str, Any], headers: Mapping[str, Any]) -> bool:
    is_json = envelope.get("content-type", "application/json") == "application/json"
    return is_json and not headers.get("compression")


def _is_a_documents(task: object) -> bool:
    return isinstance(task, str) and task.startswith("docpipe.") and task not in _OF_NO_DOCUMENT


def _named(body: Any) -> Ref | RangeRef:
    """What a body is about: of protocol 2 a list, the arguments first; of protocol 1 an object."""
    arguments = body["args"] if isinstance(body, dict) else body[0]
    kind = RangeRef if "first_page" in arguments[0] else Ref
    return kind.from_message(arguments[0])
