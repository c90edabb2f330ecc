"""A project's handle: it sees its own documents, and of others not even that they are there."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from celery import Celery

from docpipe.errors import ConfigurationError, DocumentNotFoundError, EntityNotFoundError
from docpipe.pipeline.pipeline import Pipeline
from docpipe.pipeline.project import Project
from docpipe.stores.values import Selection
from tests.unit.conftest import NewPipeline

TEXT = b"Ann Lee met Bob Ray."
Act = Callable[[Project, str, Path], object]

ON_A_DOCUMENT: dict[str, Act] = {
    "get": lambda project, uid, _: project.get(uid),
    "status": lambda project, uid, _: project.status(uid),
    "cancel": lambda project, uid, _: project.cancel(uid),
    "delete": lambda project, uid, _: project.delete(uid),
    "graph": lambda project, uid, _: project.graph(uid),
    "export": lambda project, uid, folder: project.export(folder / "graph.json", document_uuid=uid),
}
ON_AN_ENTITY: dict[str, Act] = {
    "entity": lambda project, uid, _: project.entity(f"{uid}/entity:0"),
    "neighbours": lambda project, uid, _: project.neighbours(f"{uid}/entity:0"),
}


@pytest.fixture
def pipeline(new_pipeline: NewPipeline) -> Pipeline:
    return new_pipeline()


@pytest.fixture
def foreign(pipeline: Pipeline) -> str:
    """A document of another project."""
    return pipeline.process(TEXT, name="other.txt", project_id="other").document_uuid


def refusal(act: Act, project: Project, uid: str, folder: Path) -> tuple[type[Exception], str]:
    with pytest.raises((DocumentNotFoundError, EntityNotFoundError)) as refused:
        act(project, uid, folder)
    return refused.type, str(refused.value).replace(uid, "ID")


@pytest.mark.parametrize("call", [*ON_A_DOCUMENT, *ON_AN_ENTITY])
def test_another_projects_id_is_answered_as_one_that_nobody_has(
    pipeline: Pipeline, foreign: str, tmp_path: Path, call: str
) -> None:
    act = (ON_A_DOCUMENT | ON_AN_ENTITY)[call]
    unowned = pipeline.process(TEXT, name="unowned.txt").document_uuid
    before = [pipeline.status(each) for each in (foreign, unowned)]
    told = {
        refusal(act, pipeline.project(name), uid, tmp_path)
        for name in ("acme", "Other", "other ", "oth", "%", "*")
        for uid in (foreign, unowned, str(uuid.uuid4()))
    }
    assert len(told) == 1
    assert [pipeline.status(each) for each in (foreign, unowned)] == before
    assert not (tmp_path / "graph.json").exists()


@pytest.mark.parametrize("call", [*ON_A_DOCUMENT, *ON_AN_ENTITY])
def test_its_own_id_is_answered(pipeline: Pipeline, foreign: str, tmp_path: Path, call: str) -> None:
    (ON_A_DOCUMENT | ON_AN_ENTITY)[call](pipeline.project("other"), foreign, tmp_path)


def test_lists_searches_and_exports_hold_its_own_documents_only(
    pipeline: Pipeline, foreign: str, tmp_path: Path
) -> None:
    own = pipeline.process(TEXT, name="own.txt", project_id="acme").document_uuid
    acme = pipeline.project("acme")
    assert [each.document_uuid for each in acme.list()] == [own]
    assert [each.document_uuid for each in acme.list(Selection(project_id="other"))] == [own]
    assert {member.partition("/")[0] for each in acme.search("").items for member in each.members} == {own}
    acme.export(tmp_path / "graph.json")
    written = (tmp_path / "graph.json").read_text()
    assert (own in written, foreign in written) == (True, False)
    assert pipeline.project("nobody").list() == []


def test_the_same_bytes_submitted_to_two_projects_are_two_documents(
    new_pipeline: NewPipeline, app: Celery
) -> None:
    pipeline = new_pipeline(app)
    one, two = (pipeline.project(name).submit(TEXT, name="a.txt") for name in ("acme", "other"))
    assert one.created and two.created
    assert pipeline.status(one.document_uuid).project_id == "acme"
    with pytest.raises(DocumentNotFoundError):
        pipeline.project("acme").status(two.document_uuid)


def test_a_search_finds_pages_of_the_project_only(pipeline: Pipeline, foreign: str) -> None:
    assert [each.document_uuid for each in pipeline.project("other").search_text("ann met")] == [foreign]
    assert pipeline.project("acme").search_text("ann met") == []


@pytest.mark.parametrize("odd", ["", "a\0b", "a\udcff"])
def test_a_project_without_a_usable_id_is_refused(pipeline: Pipeline, odd: str) -> None:
    with pytest.raises(ConfigurationError):
        pipeline.project(odd)


def test_every_method_of_the_handle_is_tried_with_another_projects_id() -> None:
    public = {name for name in vars(Project) if not name.startswith("_")} - {"pipeline", "project_id"}
    assert public == {*ON_A_DOCUMENT, *ON_AN_ENTITY, "submit", "list", "search", "search_text"}
