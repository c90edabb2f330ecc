"""Ids that no store can hold name nothing, in either store, and are refused where they would be written."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from docpipe import Pipeline
from docpipe.errors import ConfigurationError, DocumentNotFoundError, EntityNotFoundError
from docpipe.testing import memory_app
from tests.unit.conftest import NewPipeline

HALF = "\ud800"
UNHOLDABLE = [HALF, f"id{HALF}", "a\x00b", "\udce9"]


@pytest.mark.parametrize("uuid", UNHOLDABLE)
@pytest.mark.parametrize(
    "call",
    [
        Pipeline.status,
        Pipeline.get,
        Pipeline.wait,
        Pipeline.delete,
        Pipeline.cancel,
        Pipeline.resume,
        Pipeline.ranges,
        Pipeline.reprocess,
        Pipeline.retry_pages,
        lambda pipeline, uuid: pipeline.graphs.document_graph(uuid),
        lambda pipeline, uuid: pipeline.graphs.whole(uuid),
    ],
)
def test_an_id_that_no_store_can_hold_is_no_document(
    new_pipeline: NewPipeline, call: Callable[[Pipeline, str], object], uuid: str
) -> None:
    with pytest.raises(DocumentNotFoundError) as raised:
        call(new_pipeline(memory_app()), uuid)
    str(raised.value).encode()


@pytest.mark.parametrize("uuid", UNHOLDABLE)
def test_an_id_that_no_store_can_hold_is_no_entity(new_pipeline: NewPipeline, uuid: str) -> None:
    with pytest.raises(EntityNotFoundError) as raised:
        new_pipeline().graphs.entity(f"{uuid}/entity:0")
    str(raised.value).encode()


@pytest.mark.parametrize("project_id", UNHOLDABLE)
def test_a_project_that_no_store_can_hold_is_refused(new_pipeline: NewPipeline, project_id: str) -> None:
    with pytest.raises(ConfigurationError, match="project_id") as raised:
        new_pipeline().process(b"Ann met Bob.", name="note.txt", project_id=project_id)
    str(raised.value).encode()


@pytest.mark.parametrize("value", UNHOLDABLE)
def test_metadata_that_no_store_can_hold_is_refused(new_pipeline: NewPipeline, value: str) -> None:
    with pytest.raises(ConfigurationError, match="metadata"):
        new_pipeline().process(b"Ann met Bob.", name="note.txt", metadata={"customer": [value]})


def test_metadata_may_speak_of_what_it_cannot_hold(new_pipeline: NewPipeline) -> None:
    told = {"told": r"NUL is \u0000, half a character is \ud800"}
    assert (
        new_pipeline().process(b"Ann met Bob.", name="note.txt", metadata=told).metadata["told"]
        == told["told"]
    )
