from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from docpipe.engines import load_ner
from docpipe.engines.ports import Report, Span
from docpipe.errors import ConfigurationError, DocpipeError, RateLimitedError, TransientError
from docpipe.models import Chunk, Warn
from docpipe.stages.entities.mentions import find_mentions

if TYPE_CHECKING:
    from docpipe.engines.ner.openai import OpenAiEngine


class ChatServer:
    """Speaks the chat completions protocol; `answers` are given in order, the last one for ever."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, dict[str, str], bytes]] = []
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                server.requests.append(json.loads(body))
                server.keys.append(self.headers["Authorization"])
                index = min(len(server.requests), len(server.answers)) - 1
                status, headers, content = server.answers[index]
                self.send_response(status)
                for name, value in {"Content-Type": "application/json", **headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/v1"

    def says(self, content: str, finish: str = "stop") -> None:
        message = {"role": "assistant", "content": content}
        answer = {
            "id": "1",
            "object": "chat.completion",
            "created": 1,
            "model": "tiny",
            "choices": [{"index": 0, "message": message, "finish_reason": finish}],
            "usage": {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120},
        }
        self.answers.append((200, {}, json.dumps(answer).encode()))

    def names(self, *mentions: tuple[str, str]) -> None:
        self.says(json.dumps({"mentions": [{"text": text, "label": label} for text, label in mentions]}))

    def fails(self, status: int, **headers: str) -> None:
        self.answers.append((status, headers, json.dumps({"error": {"message": "no"}}).encode()))


@pytest.fixture
def server() -> Iterator[ChatServer]:
    server = ChatServer()
    thread = threading.Thread(target=server.http.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.http.shutdown()
    thread.join()
    server.http.server_close()


def engine_of(server: ChatServer, **options: Any) -> OpenAiEngine:
    from docpipe.engines.ner.openai import OpenAiEngine

    return OpenAiEngine("tiny", base_url=server.url, api_key="secret", **options)


def test_names_are_found_at_their_places_in_order(server: ChatServer) -> None:
    server.names(("Ann Lee", "PERSON"), ("Acme", "ORG"), ("Acme", "ORG"))
    text = "Acmeist Ann Lee of Acme sued Acme."
    assert list(engine_of(server).find([text])) == [
        [Span(8, 15, "PERSON"), Span(19, 23, "ORG"), Span(29, 33, "ORG")]
    ]


def test_the_request_asks_for_json_of_a_schema_and_carries_the_text_and_the_key(server: ChatServer) -> None:
    server.names()
    assert list(engine_of(server, labels=["ORG"]).find(["some text"])) == [[]]
    (request,) = server.requests
    schema = request["response_format"]["json_schema"]["schema"]
    label = schema["properties"]["mentions"]["items"]["properties"]["label"]
    assert (request["model"], request["messages"][1]["content"]) == ("tiny", "some text")
    assert label == {"type": "string", "enum": ["ORG"]}
    assert server.keys == ["Bearer secret"]


def test_a_mention_that_does_not_stand_in_the_text_is_dropped_and_counted(server: ChatServer) -> None:
    server.names(("Ann", "PERSON"), ("Bob", "PERSON"), ("Ann", "PERSON"), ("text", "COLOUR"), ("", "ORG"))
    engine = engine_of(server, price_in=2.0, price_out=10.0)
    assert list(engine.find(["a text by Ann"])) == [[Span(10, 13, "PERSON")]]
    message = "openai:tiny named 4 mentions that the text does not hold; they were dropped."
    usage = {"requests": 1, "prompt_tokens": 100, "completion_tokens": 20, "cost": 0.0004}
    assert engine.report() == Report((Warn("mentions_dropped", message),), usage)
    assert engine.report() == Report()


def test_warnings_and_cost_belong_to_the_stages_output(server: ChatServer) -> None:
    server.names(("Ann Lee", "PERSON"), ("Nobody", "PERSON"))
    text = "by Ann\nLee"
    output = find_mentions(text, [], [Chunk(0, 0, 10, 1, 1)], engine=engine_of(server))
    assert [(m.text, m.source) for m in output.mentions or ()] == [("Ann\nLee", "openai:tiny")]
    assert [warning.code for warning in output.warnings] == ["mentions_dropped"]
    assert output.extra == {"requests": 1, "prompt_tokens": 100, "completion_tokens": 20, "cost": 0.0}


def test_a_server_that_asks_to_wait_is_asked_again(server: ChatServer) -> None:
    server.fails(429, **{"Retry-After": "0.01"})
    server.fails(503, **{"Retry-After": "0.01"})
    server.names(("Ann", "PERSON"))
    assert list(engine_of(server).find(["Ann"])) == [[Span(0, 3, "PERSON")]]
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (429, RateLimitedError),
        (500, TransientError),
        (401, ConfigurationError),
        (404, ConfigurationError),
        (400, ConfigurationError),
    ],
)
def test_a_failure_is_an_error_and_never_no_names(
    server: ChatServer, status: int, error: type[DocpipeError]
) -> None:
    server.fails(status)
    with pytest.raises(error, match="openai:tiny"):
        list(engine_of(server, max_retries=0).find(["Ann"]))


@pytest.mark.parametrize(
    ("content", "finish", "said"),
    [
        ('{"mentions": [', "length", "did not finish its answer .length"),
        ("", "content_filter", "did not finish its answer .content_filter"),
        ("There are no names.", "stop", "did not answer in the requested format"),
        ('{"names": []}', "stop", "did not answer in the requested format"),
    ],
)
def test_an_answer_cut_off_or_not_as_asked_is_tried_again(
    server: ChatServer, content: str, finish: str, said: str
) -> None:
    server.says(content, finish)
    with pytest.raises(TransientError, match=said):
        list(engine_of(server).find(["Ann"]))


def test_a_server_that_is_away_is_tried_again() -> None:
    from docpipe.engines.ner.openai import OpenAiEngine

    engine = OpenAiEngine("tiny", base_url="http://127.0.0.1:9/v1", api_key="x", max_retries=0)
    with pytest.raises(TransientError, match="cannot be reached"):
        list(engine.find(["Ann"]))


def test_it_is_chosen_by_name_and_asks_for_a_key() -> None:
    assert load_ner("openai", model="tiny", api_key="x").name == "openai:tiny"
    with pytest.raises(ConfigurationError, match="DOCPIPE_NER_KEY"):
        load_ner("openai", model="tiny")


def test_a_redirect_takes_no_text_to_another_address(server: ChatServer) -> None:
    server.answers.append((307, {"Location": server.url.replace("127.0.0.1", "localhost")}, b""))
    with pytest.raises(DocpipeError):
        list(engine_of(server).find(["confidential"]))
    assert len(server.requests) == 1
