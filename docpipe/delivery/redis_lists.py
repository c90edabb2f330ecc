"""The Redis behind a Celery app, reached as Celery reaches it: by kombu's own connection.

So every option that the host has set counts: TLS and its certificates, a Unix socket, Sentinel, a list of
brokers to fail over to, users and passwords, key prefixes, `sep` and the priority steps.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import redis
from celery import Celery
from kombu import Connection
from kombu.exceptions import KombuError

from docpipe.errors import BrokerUnavailableError
from docpipe.models.masking import masked
from docpipe.stores.values import PRIORITIES

_TIMEOUTS = {"socket_timeout": 10.0, "socket_connect_timeout": 5.0}
"""Where the host has set none: who looks must not wait for ever."""
_NO_SUCH_QUEUE = "404"
FAILURES = (KombuError, redis.RedisError, OSError, ValueError)


@dataclass(frozen=True, slots=True)
class Lists:
    """Where Celery's messages are in Redis."""

    client: redis.Redis
    """Without the app's key prefix."""
    prefix: str
    steps: tuple[int, ...]
    """Of priority."""
    unacknowledged: str
    """Key of the hash of messages that workers have taken."""
    key_of: Callable[[str, int], str]
    step_of: Callable[[int], int]

    def keys(self, queue: str) -> list[str]:
        """The lists of a queue, by priority step."""
        return [key for _, key in self.by_step(queue)]

    def by_step(self, queue: str) -> list[tuple[int, str]]:
        return [(step, self.prefix + self.key_of(queue, step)) for step in self.steps]

    def priorities(self, step: int) -> tuple[int, ...]:
        """Those whose messages are in the list of this step."""
        return tuple(each for each in PRIORITIES if self.step_of(each) == step)


@dataclass(frozen=True, slots=True)
class Declared:
    """What a broker tells of a queue. Those that are no RabbitMQ know no consumers, and some guess."""

    waiting: int
    consumers: int


class Link:
    """The connection, opened when it is needed, and opened anew after an error."""

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._lock = threading.Lock()
        self._opened: tuple[Connection, Lists] | None = None

    @cached_property
    def driver(self) -> str:
        """What kombu speaks: `redis`, `amqp` or another; nothing is connected.

        Raises:
            BrokerUnavailableError: there is no such broker.
        """
        try:
            with self._app.connection_for_read() as connection:
                return str(getattr(connection.get_transport_cls(), "driver_type", ""))
        except (*FAILURES, ImportError, KeyError) as error:
            raise unavailable("The broker", error) from error

    def lists(self) -> Lists:
        """Raises `BrokerUnavailableError`: it cannot be reached, or does not let this user in."""
        with self._lock:
            if self._opened is None:
                self._opened = self._open()
            return self._opened[1]

    def _open(self) -> tuple[Connection, Lists]:
        connection: Connection | None = None
        try:
            connection = self._app.connection_for_read()
            connection.transport_options = _TIMEOUTS | (connection.transport_options or {})
            _connect(connection)
            return connection, _lists(connection.default_channel)
        except FAILURES as error:
            if connection is not None:
                connection.release()
            raise unavailable("Redis", error) from error

    def ping(self) -> None:
        """Reach the broker, whatever it is. Raises `BrokerUnavailableError`."""
        try:
            with self._app.connection_for_read() as connection:
                _connect(connection)
        except FAILURES as error:
            raise unavailable("The broker", error) from error

    def declared(self, queues: Iterable[str]) -> dict[str, Declared]:
        """What a broker that is not Redis tells of queues. Raises `BrokerUnavailableError`."""
        try:
            with self._app.connection_for_read() as connection:
                _connect(connection)
                return {queue: _declared(connection, queue) for queue in queues}
        except FAILURES as error:
            raise unavailable("The broker", error) from error

    def close(self) -> None:
        """Give the connection back."""
        with self._lock:
            opened, self._opened = self._opened, None
        if opened is not None:
            opened[1].client.connection_pool.disconnect()
            opened[0].release()


def unavailable(what: str, error: Exception) -> BrokerUnavailableError:
    """What the error means; a refusal for want of rights is not an absence."""
    said = masked(str(error)).rstrip(".")
    if isinstance(error.__cause__ or error, redis.exceptions.NoPermissionError):
        return BrokerUnavailableError(f"{what} refuses this user: {said}. Allow it what Celery needs.")
    return BrokerUnavailableError(f"{what} cannot be reached: {said}.")


def _connect(connection: Connection) -> None:
    """Try each address that the host gave once: kombu would try for ever."""
    others = max(0, len(connection.alt) - 1)
    connection.ensure_connection(max_retries=others, interval_start=0, interval_step=0, interval_max=0)


def _lists(channel: Any) -> Lists:
    return Lists(
        redis.Redis(connection_pool=channel.pool),
        channel.global_keyprefix,
        tuple(channel.priority_steps),
        channel.global_keyprefix + channel.unacked_key,
        channel._q_for_pri,
        channel.priority,
    )


def _declared(connection: Connection, queue: str) -> Declared:
    with connection.channel() as channel:
        asked: Any = channel
        try:
            told = asked.queue_declare(queue, passive=True)
        except connection.channel_errors as error:
            if str(getattr(error, "reply_code", "")) != _NO_SUCH_QUEUE:
                raise BrokerUnavailableError(f"The broker refuses to tell of {queue}: {error}.") from error
            return Declared(0, 0)
    return Declared(int(told.message_count), int(told.consumer_count))
