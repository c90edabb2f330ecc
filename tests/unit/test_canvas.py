"""The order: the signature that takes a document through the stages, without a broker."""

from __future__ import annotations

import json
from typing import Any

import pytest
from celery import Celery, Signature
from kombu import Message

from docpipe.delivery.canvas import ON_ERROR, document_chain, first_of
from docpipe.execution.plan import BUILT_IN, CHUNK, OCR, own_stage
from docpipe.models import Ref
from docpipe.models.status import QUEUES, Stage
from tests.unit.conftest import sent, size_of

REF = Ref("6ab4b8f7-9f7a-4d9f-a2a0-2f9f6f6d3c11", 3)
MESSAGE = {"document_uuid": REF.document_uuid, "run": 3}


@pytest.fixture
def signature(app: Celery) -> Signature[Any]:
    return document_chain(app, BUILT_IN, REF, task_id="first", priority=2)


def _tasks(signature: Signature[Any]) -> list[Signature[Any]]:
    tasks: list[Signature[Any]] = signature.tasks  # type: ignore[attr-defined]  # of a chain
    return tasks


def test_the_tasks_are_the_stages_in_their_order(signature: Signature[Any]) -> None:
    assert [task.task for task in _tasks(signature)] == [f"docpipe.{stage.value}" for stage in Stage]


def test_each_task_goes_to_its_stage_s_queue_with_the_priority(signature: Signature[Any]) -> None:
    routes = [(task.options["queue"], task.options["priority"]) for task in _tasks(signature)]
    assert routes == [(QUEUES[stage], 2) for stage in Stage]


def test_only_the_first_task_is_given_the_ref(signature: Signature[Any]) -> None:
    assert [task.args for task in _tasks(signature)] == [(MESSAGE,), (), (), ()]


def test_each_task_has_an_id_that_is_known_before_it_is_sent(signature: Signature[Any]) -> None:
    ids = [task.options.get("task_id") for task in _tasks(signature)]
    assert ids == ["first", "first.chunk", "first.entities", "first.graph"]


def test_no_later_task_is_immutable_so_the_ref_is_handed_on(signature: Signature[Any]) -> None:
    assert [task.immutable for task in _tasks(signature)] == [False] * 4


def test_the_signature_is_json(signature: Signature[Any]) -> None:
    assert json.loads(json.dumps(signature))["task"] == "celery.chain"


def test_a_stage_of_ones_own_stands_where_it_was_put(app: Celery) -> None:
    mine = own_stage("classify", lambda document: None, queue="mine")
    tasks = _tasks(document_chain(app, (OCR, mine, CHUNK), REF, task_id="first"))
    assert [(task.task, task.options["queue"]) for task in tasks] == [
        ("docpipe.ocr", "ocr"),
        ("docpipe.classify", "mine"),
        ("docpipe.chunk", "text"),
    ]


def test_making_the_signature_sends_nothing(app: Celery, signature: Signature[Any]) -> None:
    assert [sent(app, queue) for queue in QUEUES.values()] == [[], [], [], []]


def test_the_first_message_carries_the_ref_and_the_rest_of_the_chain_alone(
    app: Celery, signature: Signature[Any]
) -> None:
    signature.apply_async()
    (message,) = sent(app, "ocr")
    args, kwargs, embed = message.payload
    assert (args, kwargs) == ([MESSAGE], {})
    assert message.headers["id"] == "first"
    later = [(task["task"], task["args"], task["options"]["queue"]) for task in reversed(embed["chain"])]
    assert later == [
        ("docpipe.chunk", [], "text"),
        ("docpipe.entities", [], "entity"),
        ("docpipe.graph", [], "graph"),
    ]


def test_the_first_of_a_chain_is_sent_as_the_chain_is(app: Celery, signature: Signature[Any]) -> None:
    signature.apply_async()
    first_of(document_chain(app, BUILT_IN, REF, task_id="first", priority=2)).apply_async()
    whole, first = (_said(message) for message in sent(app, "ocr"))
    assert first == whole
    assert [task["options"]["task_id"] for task in first["chain"]] == [
        "first.graph",
        "first.entities",
        "first.chunk",
    ]


def test_a_chain_of_one_task_is_its_first(app: Celery) -> None:
    only = document_chain(app, BUILT_IN[3:], REF, task_id="last")
    first_of(only).apply_async()
    (message,) = sent(app, "graph")
    assert (message.headers["id"], _said(message)["chain"]) == ("last", [])


def _said(message: Message) -> dict[str, Any]:
    """What a message asks for; `reply_to`, which Celery puts into each task of a chain, nobody reads."""
    arguments, _, embedded = json.loads(message.body or "")
    for task in embedded["chain"] or []:
        task["options"].pop("reply_to", None)
    names = ("task", "id", "root_id", "parent_id", "retries", "timelimit", "eta", "expires")
    headers = {name: message.headers[name] for name in names}
    queue = message.delivery_info["routing_key"]
    return {
        **headers,
        "arguments": arguments,
        **embedded,
        "chain": embedded["chain"] or [],
        "queue": queue,
        "priority": message.properties["priority"],
    }


def test_every_task_has_one_immutable_errback_that_names_it(app: Celery, signature: Signature[Any]) -> None:
    signature.apply_async()
    (message,) = sent(app, "ocr")
    embed = message.payload[2]
    errbacks = [embed["errbacks"], *(task["options"]["link_error"] for task in embed["chain"])]
    found = [
        [(back["task"], back["args"], back["immutable"], back["options"]["queue"]) for back in of_one_task]
        for of_one_task in errbacks
    ]
    of_the_first, *of_the_rest = found
    assert [of_the_first, *reversed(of_the_rest)] == [
        [(ON_ERROR, [MESSAGE | {"task_id": task.options["task_id"]}], True, task.options["queue"])]
        for task in _tasks(signature)
    ]


def test_the_first_message_is_smaller_than_4_kilobytes(app: Celery, signature: Signature[Any]) -> None:
    signature.apply_async()
    (message,) = sent(app, "ocr")
    assert size_of(message) < 4096


def test_a_message_may_carry_keys_of_a_newer_release() -> None:
    assert Ref.from_message({**MESSAGE, "trace": "of the future"}) == REF
    assert Ref.from_message(REF.to_message()) == REF
