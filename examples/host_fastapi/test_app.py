"""`pytest test_app.py`: the whole way through, without Redis and without a worker."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from app import app, the_pipeline
from fastapi.testclient import TestClient

from docpipe import Pipeline

NOTE = b"Minutes of 3 May 2024. Present were Maria Delgado and Thomas Whitfield."
BYTES = {"Content-Type": "application/octet-stream"}


@pytest.fixture
def client(docpipe_eager: Pipeline) -> Iterator[TestClient]:
    """The web application over a pipeline of `docpipe.testing`, which runs all stages inside `submit`."""
    app.dependency_overrides[the_pipeline] = lambda: docpipe_eager
    with TestClient(app) as client:
        yield client
    app.dependency_overrides.clear()


def test_an_upload_is_read(client: TestClient) -> None:
    reply = client.post("/documents?name=note.txt", content=NOTE, headers=BYTES)
    uuid = reply.json()["uuid"]
    assert (reply.status_code, reply.json()["created"]) == (202, True)
    assert client.get(f"/documents/{uuid}").json() == {
        "name": "note.txt",
        "status": "completed",
        "stages": dict.fromkeys(("ocr", "chunk", "entities", "graph"), "complete"),
        "error": None,
    }
    entities = client.get(f"/documents/{uuid}/entities").json()
    people = [entity["name"] for entity in entities if entity["label"] == "PERSON"]
    assert people == ["Maria Delgado", "Thomas Whitfield"]


def test_the_same_bytes_are_one_document(client: TestClient) -> None:
    first, second = (client.post("/documents?name=a.txt", content=NOTE, headers=BYTES) for _ in range(2))
    assert second.json() == {"uuid": first.json()["uuid"], "created": False}


def test_what_cannot_be_done_is_explained(client: TestClient) -> None:
    unknown = client.get("/documents/00000000-0000-0000-0000-000000000000")
    empty = client.post("/documents?name=empty.txt", content=b"", headers=BYTES)
    assert (unknown.status_code, unknown.json()["code"]) == (404, "document_not_found")
    assert (empty.status_code, empty.json()["code"]) == (422, "empty")


def test_the_pages_of_docpipe_answer_this_machine_only(client: TestClient) -> None:
    assert client.get("/papers/documents").status_code == 403
