"""Kombu's Redis transport with a check at the border: a message that cannot be docpipe's costs itself alone.

Whoever can write to Redis can put anything into a queue's list. Kombu parses what it takes from there,
inflates it and logs its id, each without a bound, and what is no JSON ends the worker. Here an entry is
looked at before any of that; what is refused is gone, with one log line that says why and quotes nothing.

    app.conf.broker_transport = "docpipe.delivery.guarded_redis:Transport"

The worker of `docpipe.worker` has it. An app whose own tasks send large or compressed messages cannot.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from kombu.transport import redis

from docpipe.delivery.broker import MAX_MESSAGE_BYTES
from docpipe.execution.logs import get_logger

log = get_logger(__name__)

_ID = re.compile(r"[!-~]{1,255}")
_NAME = re.compile(r"[\w.:/-]{1,255}", re.ASCII)
_OPTIONAL_IDS = ("root_id", "parent_id", "group", "shadow", "origin")
_DELIVERY = ("exchange", "routing_key")
_MOST_RETRIES = 1_000_000
_CONTROL_QUEUE = re.compile(r"\.pidbox$|^celeryev")
"""Celery's remote control and events, whose messages name no task."""


class Channel(redis.Channel):
    """A channel that leaves out of the lists what is too long or no JSON object."""

    def _create_client(self, asynchronous: bool = False) -> Any:
        client = super()._create_client(asynchronous)  # type: ignore[misc]  # the stubs lack it
        client.set_response_callback("BRPOP", _checked_pair)
        client.set_response_callback("RPOP", _checked)
        return client

    def _handle_message(self, client: Any, response: Any) -> Any:
        """What came by a subscription: remote control and events."""
        payload = super()._handle_message(client, response)  # type: ignore[misc]  # the stubs lack it
        if isinstance(payload["data"], bytes | str) and _checked(payload["data"]) is None:
            payload["data"] = None
        return payload


class Transport(redis.Transport):
    """A transport that gives only well-formed messages to the consumers of queues."""

    Channel = Channel

    def _deliver(self, message: Any, queue: str | None) -> None:
        reason = refusal(message, is_control=bool(_CONTROL_QUEUE.search(queue or "")))
        if reason is None:
            super()._deliver(message, queue)
        else:
            log.error("message_refused", queue=queue, reason=reason)


def _checked_pair(found: Any, **_: object) -> Any:
    """What BRPOP took from a list, key and entry; None, as if the time had run out, for a refused entry."""
    if not found:
        return None
    key, entry = found
    return (key, entry) if _checked(entry) is not None else None


def _checked(entry: Any, **_: object) -> Any:
    if entry is None:
        return None
    reason = _unreadable(entry)
    if reason is None:
        return entry
    log.error("message_refused", bytes=len(entry), reason=reason)
    return None


def _unreadable(entry: bytes | str) -> str | None:
    if len(entry) > MAX_MESSAGE_BYTES:
        return f"longer than {MAX_MESSAGE_BYTES} bytes"
    try:
        read = json.loads(entry)
    except (ValueError, RecursionError):
        return "no JSON"
    return None if isinstance(read, dict) else "no JSON object"


def refusal(message: Any, *, is_control: bool = False) -> str | None:
    """Why a message in kombu's envelope can be neither a task nor one of remote control; None if it can."""
    if not isinstance(message, Mapping):
        return "no JSON object"
    headers, properties = message.get("headers"), message.get("properties")
    if not isinstance(headers, Mapping) or not isinstance(properties, Mapping):
        return "no headers or properties"
    if headers.get("compression"):
        return "compressed"
    envelope = _bad_envelope(message, properties)
    return envelope if envelope or is_control else _bad_headers(headers) or _bad_body(message["body"])


def _bad_envelope(message: Mapping[str, Any], properties: Mapping[str, Any]) -> str | None:
    delivery = properties.get("delivery_info")
    if not isinstance(message.get("body"), str) or properties.get("body_encoding") != "base64":
        return "no base64 body"
    if not isinstance(delivery, Mapping) or not {str} >= {type(delivery.get(key)) for key in _DELIVERY}:
        return "no delivery_info"
    if not _is_id(properties.get("delivery_tag")):
        return "no delivery_tag"
    types = (message.get("content-type"), message.get("content-encoding"))
    return None if types == ("application/json", "utf-8") else "not JSON in UTF-8"


def _bad_body(body: str) -> str | None:
    try:
        found = json.loads(base64.b64decode(body, validate=True))
    except (ValueError, RecursionError):
        return "no JSON body"
    is_call = isinstance(found, list) and [type(part) for part in found] == [list, dict, dict]
    return None if is_call else "no arguments"


def _bad_headers(headers: Mapping[str, Any]) -> str | None:
    if not isinstance(name := headers.get("task"), str) or not _NAME.fullmatch(name):
        return "no task name"
    if not _is_id(headers.get("id")):
        return "an id that is none"
    if not all(headers.get(key) is None or _is_id(headers[key]) for key in _OPTIONAL_IDS):
        return "a related id that is none"
    retries = headers.get("retries") or 0
    if not isinstance(retries, int) or not 0 <= retries <= _MOST_RETRIES:
        return "a count of retries that is none"
    if not all(headers.get(key) is None or _is_time(headers[key]) for key in ("eta", "expires")):
        return "a time that is none"
    return None if _are_limits(headers.get("timelimit")) else "time limits that are none"


def _is_id(value: Any) -> bool:
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def _is_time(value: Any) -> bool:
    try:
        datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return False
    return True


def _are_limits(value: Any) -> bool:
    if value is None:
        return True
    return (
        isinstance(value, list)
        and len(value) == 2
        and all(limit is None or (isinstance(limit, int | float) and limit >= 0) for limit in value)
    )
