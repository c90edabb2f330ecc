"""`docpipe entities`, `export` and `delete`, on the store of a finished run."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from docpipe import set_default_pipeline
from docpipe.cli import cli
from docpipe.errors import DocumentNotFoundError
from docpipe.models import Document
from docpipe.pipeline.pipeline import Pipeline
from docpipe.stores.sqlite.store import SqliteStore
from tests.unit.conftest import NewPipeline


@pytest.fixture
def pipeline(new_pipeline: NewPipeline) -> Pipeline:
    pipeline = new_pipeline()
    set_default_pipeline(pipeline)
    return pipeline


@pytest.fixture
def documents(pipeline: Pipeline) -> list[Document]:
    texts = ("Write to ann@example.org.", "Ann has ann@example.org and bob@example.org.")
    return [pipeline.process(t.encode(), name=f"{i}.txt", project_id="p") for i, t in enumerate(texts)]


def run(*arguments: str) -> str:
    done = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_entities_are_listed_merged_split_and_explained(documents: list[Document]) -> None:
    listed = [
        json.loads(line)
        for line in run("entities", "list", "--project", "p", "--label", "EMAIL", "--json").splitlines()
    ]
    assert [(each["name"], each["documents"]) for each in listed] == [
        ("ann@example.org", 2),
        ("bob@example.org", 1),
    ]
    ann, bob = (each["id"] for each in listed)
    said = ("--by", "Cat", "--because", "one \x1b[1mmailbox")
    merged = run("entities", "merge", bob, ann, *said)
    assert merged == f"{ann} EMAIL ann@example.org: 3 mentions in 2 documents\n"
    explained = run("entities", "explain", ann)
    assert "merge 1.00: EMAIL ann@example.org | EMAIL bob@example.org (decided by Cat on 20" in explained
    assert "because: one " in explained
    assert "\x1b" not in explained
    (reason,) = json.loads(run("entities", "explain", ann, "--json"))["reasons"]
    assert (reason["who"], reason["at"][:2]) == ("Cat", "20")
    assert run("entities", "split", bob, ann) == f"{bob} EMAIL bob@example.org: 1 mentions in 1 documents\n"
    assert run("entities", "link") == "0 documents linked\n"


def test_a_project_is_exported_with_the_entities_that_join_its_documents(documents: list[Document]) -> None:
    graph = json.loads(run("export", "--project", "p"))
    ids = [node["id"] for node in graph["nodes"]]
    assert len(set(ids)) == len(ids)
    assert {edge[end] for edge in graph["edges"] for end in ("source", "target")} <= set(ids)
    joined = [node for node in graph["nodes"] if node["type"] == "ProjectEntity"]
    same = [edge for edge in graph["edges"] if edge["type"] == "SAME_AS"]
    assert sum(node["properties"]["mentions"] for node in joined) == sum(len(d.mentions) for d in documents)
    assert len(same) == sum(len(document.entities) for document in documents)


def test_a_document_is_exported_to_a_folder(documents: list[Document], tmp_path: Path) -> None:
    run("export", documents[0].document_uuid, "--format", "csv", "--out", str(tmp_path / "out"))
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["nodes.csv", "relationships.csv"]


@pytest.mark.parametrize("arguments", [(), ("x", "--project", "p"), ("x", "--format", "csv")])
def test_an_export_of_nothing_or_both_is_wrong_usage(arguments: tuple[str, ...]) -> None:
    assert CliRunner().invoke(cli, ("export", *arguments)).exit_code == 2


def test_a_project_without_documents_is_no_export(documents: list[Document], tmp_path: Path) -> None:
    out = tmp_path / "graph.json"
    with pytest.raises(DocumentNotFoundError, match="project 'typo' has no completed document"):
        CliRunner().invoke(cli, ("export", "--project", "typo", "--out", str(out)), catch_exceptions=False)
    assert not out.exists()


def test_a_document_is_deleted(pipeline: Pipeline, documents: list[Document]) -> None:
    uuid = documents[0].document_uuid
    assert run("delete", uuid) == f"{uuid} deleted\n"
    assert CliRunner().invoke(cli, ("delete", uuid)).exit_code == 1
    assert [each.document_uuid for each in pipeline.store.documents()] == [documents[1].document_uuid]


def test_documents_that_were_never_linked_are_linked_on_request(
    pipeline: Pipeline, documents: list[Document]
) -> None:
    assert isinstance(pipeline.store, SqliteStore)
    listed = run("entities", "list", "--project", "p")
    with closing(sqlite3.connect(pipeline.store.path, isolation_level=None)) as db:
        for table in ("linked", "names", "blocks", "links"):
            db.execute(f"delete from docpipe_entity_{table}")
        db.execute("update docpipe_runs set unlinked = 1")
    assert run("entities", "list", "--project", "p") != listed
    assert run("entities", "link", "--project", "q") == "0 documents linked\n"
    assert run("entities", "link") == "2 documents linked\n"
    assert run("entities", "list", "--project", "p") == listed
