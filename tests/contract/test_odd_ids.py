"""Ids of any spelling name their own document or none, and projects of any name stay apart, on each store."""

from __future__ import annotations

import uuid

import pytest

from docpipe.errors import DocumentNotFoundError
from docpipe.execution.plan import BUILT_IN
from docpipe.models import DocumentStatus
from docpipe.stores.port import Store
from docpipe.stores.values import NewDocument, Selection

PLAN = [stage.planned for stage in BUILT_IN]
ODD = [
    *("", " ", "*", "%", "_", "'", "''", '"', "\\", ",", "(", ")", "null", "NULL", "eq.1", "not.is.null"),
    *("' or '1'='1", "'; drop table source_documents; --", "a,document_uuid.neq.b", "){x}", "../../rpc/x"),
    *(
        "a?select=*",
        "a&or=(1.eq.1)",
        "\n",
        "\t",
        "a\x00b",
        "\ud800",
        "a\udce9",
        "\N{RIGHT-TO-LEFT OVERRIDE}a",
    ),
    *("x" * 5000, "🎻", "ä", "a\N{COMBINING DIAERESIS}", "0", "-1", "1e9", "true", "{}", "[]"),
]


def document(project_id: str | None = None) -> NewDocument:
    return NewDocument(
        document_uuid=str(uuid.uuid4()),
        project_id=project_id,
        name="note.txt",
        uri="file:///srv/note.txt",
        digest="ab" * 32,
        size=12,
        metadata={},
        stages=PLAN,
    )


def test_an_odd_id_names_no_document_and_changes_none(store: Store) -> None:
    project = uuid.uuid4().hex
    known = store.register(document(project)).ref.document_uuid
    before = store.status(known)
    for odd in ODD:
        with pytest.raises(DocumentNotFoundError):
            store.status(odd)
        assert (store.cancel(odd), store.delete(odd)) == (False, None)
        assert store.resume(odd, "task") is None
        assert store.reprocess(odd, "ocr", PLAN) is None
    assert store.status(known) == before
    assert [each.document_uuid for each in store.documents(Selection(project_id=project))] == [known]


def test_projects_of_odd_names_do_not_cross(store: Store) -> None:
    mark = uuid.uuid4().hex
    names = [f"{mark}{odd}" for odd in ODD if not any(c == "\0" or "\ud800" <= c <= "\udfff" for c in odd)]
    made: dict[str, DocumentStatus] = {}
    for name in names:
        made[name] = store.status(store.register(document(name)).ref.document_uuid)
    found = {name: store.documents(Selection(project_id=name)) for name in names}
    assert {name: [each.document_uuid for each in summaries] for name, summaries in found.items()} == {
        name: [status.document_uuid] for name, status in made.items()
    }
    assert {status.project_id for status in made.values()} == set(names)
