"""Documents inside another are documents of their own: in this process, through Celery, by the command."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from celery import Celery

from docpipe import errors, set_default_pipeline
from docpipe.execution.isolation.taking import Hearing, told
from docpipe.execution.isolation.wire import Block, RefusedError, Taken
from docpipe.formats.base import Limits
from docpipe.models import Document
from docpipe.models.status import PENDING
from docpipe.pipeline.pipeline import Pipeline
from docpipe.sources import Sources
from docpipe.stores.sqlite.store import SqliteStore
from docpipe.stores.values import Selection, Summary
from tests.engines import OPTIONS
from tests.unit.conftest import Docpipe, NewPipeline

MAIL = b"""\
From: Ann Lee <ann@example.org>
Subject: Offer
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=X

--X

Ann met Bob.
--X
Content-Disposition: attachment; filename=price.txt

Eve paid.
--X--
"""


def zipped(**files: bytes) -> bytes:
    """The same bytes whenever it is called."""
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo(f"{name}.{'zip' if name.startswith('in') else 'txt'}")
            archive.writestr(info, content)
    return buffer.getvalue()


TWO = zipped(one=b"Ann met Bob.", two=b"Eve left.")


def inside(pipeline: Pipeline, parent: str) -> list[Summary]:
    return pipeline.store.documents(Selection(parent=parent))[::-1]


def texts(pipeline: Pipeline, document: Document) -> list[str]:
    return [pipeline.get(str(child.document_uuid)).text for child in document.children]


@pytest.mark.parametrize("isolate", [False, True])
def test_the_files_of_an_archive_are_processed_as_documents(new_pipeline: NewPipeline, isolate: bool) -> None:
    pipeline = new_pipeline(options=replace(OPTIONS, isolate=isolate))
    document = pipeline.process(TWO, name="all.zip", project_id="p", metadata={"case": 7})
    assert (document.status, document.warnings) == ("completed", ())
    assert document.text == "one.txt\ttext/plain\t12 bytes\ntwo.txt\ttext/plain\t9 bytes"
    assert texts(pipeline, document) == ["Ann met Bob.", "Eve left."]
    child = pipeline.get(str(document.children[0].document_uuid))
    assert (child.name, child.status, child.parent, child.project_id, child.metadata["case"]) == (
        ("one.txt", "completed", document.document_uuid, "p", 7)
    )
    assert pipeline.status(document.document_uuid).children == {"completed": 2}


def test_archives_in_archives_end_at_the_limit_with_a_warning(new_pipeline: NewPipeline) -> None:
    pipeline = new_pipeline(options=replace(OPTIONS, limits=Limits(max_attachment_depth=1)))
    outer = pipeline.process(zipped(inner=TWO), name="outer.zip")
    inner = pipeline.get(str(outer.children[0].document_uuid))
    assert (inner.depth, inner.status, inner.children) == (1, "completed_with_warnings", ())
    assert [warn.code for warn in inner.warnings] == ["attachment_too_deep"] * 2


def test_all_that_is_inside_one_document_has_a_limit_that_a_chain_does_not_pass(
    new_pipeline: NewPipeline,
) -> None:
    def level(depth: int, way: str = "n") -> bytes:
        if depth == 0:
            return f"Ann met {way}.".encode()
        return zipped(**{f"{way}{number}": level(depth - 1, f"{way}{number}") for number in range(3)})

    limits = Limits(max_descendants=7)
    pipeline = new_pipeline(options=replace(OPTIONS, limits=limits))
    bomb = pipeline.process(level(depth=3), name="bomb.zip")
    assert len(pipeline.store.documents()) == 1 + limits.max_descendants
    warned = {
        warn.message
        for each in pipeline.store.documents()
        for warn in pipeline.get(each.document_uuid).warnings
        if warn.code == "too_many_descendants"
    }
    assert warned == {
        f"{left} of the documents inside are no documents of their own: one that is submitted holds at most 7"
        " at all depths (DOCPIPE_LIMITS__MAX_DESCENDANTS)."
        for left in (2, 3)
    }
    assert pipeline.get(bomb.document_uuid).status == "completed"


def test_an_archive_that_was_found_and_is_submitted_too_is_one_document(new_pipeline: NewPipeline) -> None:
    pipeline, archive = new_pipeline(), zipped(one=b"Ann met Bob.")
    outer = pipeline.process(zipped(inner=archive), name="outer.zip")
    inner = pipeline.process(archive, name="again.zip")
    assert (outer.children[0].document_uuid, inner.depth) == (inner.document_uuid, 0)
    assert len(pipeline.store.documents()) == 3


def test_attachments_are_pages_or_children_as_it_is_set(new_pipeline: NewPipeline) -> None:
    pages = new_pipeline().process(MAIL, name="offer.eml")
    assert ([page.part for page in pages.pages], pages.children) == (["", "price.txt"], ())
    pipeline = new_pipeline(options=replace(OPTIONS, attachments="children"))
    apart = pipeline.process(MAIL, name="offer.eml")
    assert apart.text.endswith("Ann met Bob.\n\nprice.txt\ttext/plain\t9 bytes")
    assert texts(pipeline, apart) == ["Eve paid."]


def test_without_a_place_for_their_bytes_they_stay_pages(tmp_path: Path) -> None:
    file = tmp_path / "all.zip"
    file.write_bytes(TWO)
    pipeline = Pipeline(store=SqliteStore(tmp_path / "docpipe.db"), sources=Sources(), options=OPTIONS)
    document = pipeline.process(file)
    assert ([page.part for page in document.pages], document.children) == (["one.txt", "two.txt"], ())


def test_one_that_fails_costs_itself_and_is_tried_again(new_pipeline: NewPipeline) -> None:
    pipeline = new_pipeline()
    broken = b"%PDF-1.7\n1 0 obj <</Type/Catalog>> endobj trailer <</Root 1 0 R>>"
    document = pipeline.process(zipped(one=b"Ann met Bob.", two=broken), name="all.zip")
    assert document.status == "completed"
    assert [each.status for each in inside(pipeline, document.document_uuid)] == ["completed", "error_ocr"]
    failed = inside(pipeline, document.document_uuid)[1].document_uuid
    pipeline.process(zipped(one=b"Ann met Bob.", two=broken), name="all.zip")
    assert [each.attempt for each in pipeline.attempts(failed) if each.stage == "ocr"] == [1, 1]


def test_processing_the_container_again_processes_what_is_inside_again(new_pipeline: NewPipeline) -> None:
    pipeline = new_pipeline()
    first = pipeline.process(TWO, name="all.zip")
    again = pipeline.process(TWO, name="all.zip", reprocess=True)
    assert [each.run for each in inside(pipeline, again.document_uuid)] == [2, 2]
    assert again.children == first.children


# --- through Celery ---------------------------------------------------------------------------------


def test_each_is_published_when_the_stage_that_found_it_is_complete(new_eager: NewPipeline) -> None:
    pipeline = new_eager()
    submission = pipeline.submit(TWO, name="all.zip")
    assert submission.status().status == "completed"
    assert [each.status for each in inside(pipeline, submission.document_uuid)] == ["completed"] * 2
    children = [pipeline.status(each.document_uuid) for each in inside(pipeline, submission.document_uuid)]
    assert [word for _, word, _ in children[0].history][:3] == [PENDING, "ocr_queued", "ocr_processing"]


def test_what_the_broker_does_not_take_waits_for_the_reaper(new_pipeline: NewPipeline) -> None:
    away = Celery("away", broker="redis://127.0.0.1:1/0", set_as_current=False)
    away.conf.update(task_publish_retry=False, broker_transport_options={"socket_connect_timeout": 1})
    pipeline = new_pipeline(away)
    submission = pipeline.submit(TWO, name="all.zip")
    away.tasks["docpipe.ocr"].apply(args=({"document_uuid": submission.document_uuid, "run": 1},))
    found = inside(pipeline, submission.document_uuid)
    assert [each.status for each in found] == [PENDING] * 2
    assert [bool(each.error_message) for each in found] == [True, False]
    assert {each.ref.document_uuid for each in pipeline.store.lost([], grace_seconds=0)} >= {
        each.document_uuid for each in found
    }


# --- what the reading process says -------------------------------------------------------------------


def heard(said: Sequence[Taken | Block], limits: Limits | None = None) -> list[tuple[str, str, bytes]]:
    taken: list[tuple[str, str, bytes]] = []
    hearing = Hearing(lambda *each: taken.append(each), limits or Limits())
    for each in said:
        hearing.hear(each)
    return taken


def test_what_was_taken_is_heard_as_it_was_said() -> None:
    large = bytes(range(256)) * 3000
    said = [*told("a.txt", "text/plain", b"a"), *told("b.bin", "x/y", large)]
    assert heard(said) == [("a.txt", "text/plain", b"a"), ("b.bin", "x/y", large)]


@pytest.mark.parametrize(
    ("said", "limits"),
    [
        ([Block("block", "YQ==")], Limits()),
        ([Taken("taken", "a", "t", 1), Taken("taken", "b", "t", 1)], Limits()),
        ([Taken("taken", "a", "t", 1), Block("block", "YWE=")], Limits()),
        ([Taken("taken", "a", "t", 1), Block("block", "?")], Limits()),
        ([*told("a", "t", b"a"), *told("b", "t", b"b")], Limits(max_parts=1, max_attachments=1)),
        ([Taken("taken", "a", "t", 11)], Limits(max_bytes=10, max_expanded_bytes=10)),
    ],
    ids=["no document", "two at once", "too long", "no base64", "too many", "too much"],
)
def test_what_breaks_a_limit_is_refused(said: list[Taken | Block], limits: Limits) -> None:
    with pytest.raises(RefusedError):
        heard(said, limits)


def test_nothing_is_taken_where_nobody_asked() -> None:
    with pytest.raises(RefusedError):
        Hearing(None, Limits()).hear(Taken("taken", "a", "t", 1))


# --- deletion ---------------------------------------------------------------------------------------


def files(folder: Path) -> int:
    return sum(path.is_file() for path in folder.rglob("*"))


def test_a_deletion_takes_the_children_along_where_it_is_asked_to(
    new_pipeline: NewPipeline, tmp_path: Path
) -> None:
    pipeline = new_pipeline()
    uploads = tmp_path / "pipeline-0" / "uploads"
    outer = pipeline.process(zipped(inner=TWO), name="outer.zip")
    assert (files(uploads), len(pipeline.store.documents())) == (4, 4)
    assert pipeline.delete(outer.document_uuid)
    assert (files(uploads), len(pipeline.store.documents())) == (3, 3)
    (inner,) = pipeline.store.documents(Selection(name="inner.zip"))
    assert pipeline.delete(inner.document_uuid, with_children=True)
    assert (files(uploads), pipeline.store.documents()) == (0, [])


def test_a_deletion_spares_what_was_submitted_by_itself(new_pipeline: NewPipeline) -> None:
    pipeline = new_pipeline()
    document = pipeline.process(TWO, name="all.zip")
    pipeline.process(b"Eve left.", name="mine.txt")
    pipeline.delete(document.document_uuid, with_children=True)
    assert [each.name for each in pipeline.store.documents()] == ["two.txt"]


def test_copies_that_were_noted_go_with_a_document_that_failed(
    new_pipeline: NewPipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = new_pipeline()
    kept: list[str] = []

    def keep(uri: str, data: BytesIO) -> None:
        if kept:
            raise errors.SourceForbiddenError("the disk is full")
        kept.append(uri)
        Sources.keep(pipeline.sources, uri, data)

    file = tmp_path / "all.zip"
    file.write_bytes(TWO)
    monkeypatch.setattr(pipeline.sources, "keep", keep)
    with pytest.raises(errors.SourceForbiddenError) as raised:
        pipeline.process(file)
    uploads = tmp_path / "pipeline-0" / "uploads"
    assert (files(uploads), inside(pipeline, str(raised.value.document_uuid))) == (1, [])
    assert pipeline.delete(str(raised.value.document_uuid))
    assert files(uploads) == 0


# --- on the command line ------------------------------------------------------------------------------


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "all.zip"
    path.write_bytes(TWO)
    return path


def test_run_tells_of_the_archive_and_of_each_file_in_it(docpipe: Docpipe, archive: Path) -> None:
    found = [json.loads(line) for line in docpipe("run", "--json", str(archive)).out.splitlines()]
    assert [each["source"] for each in found] == [
        str(archive),
        f"{archive}/one.txt",
        f"{archive}/two.txt",
    ]
    uuid = found[0]["document_uuid"]
    assert [each["parent"] for each in found] == [None, uuid, uuid]
    assert [each["document_uuid"] for each in found[0]["children"]] == [
        each["document_uuid"] for each in found[1:]
    ]


def test_list_and_status_name_parent_and_children(docpipe: Docpipe, new_pipeline: NewPipeline) -> None:
    pipeline = new_pipeline()
    set_default_pipeline(pipeline)
    uuid = pipeline.process(TWO, name="all.zip").document_uuid
    child = inside(pipeline, uuid)[0].document_uuid
    listed = docpipe("list", "--parent", uuid, "--json").out.splitlines()
    assert sorted(json.loads(line)["name"] for line in listed) == ["one.txt", "two.txt"]
    assert "found inside it: 2 completed" in docpipe("status", uuid).out
    assert f"found inside {uuid}" in docpipe("status", child).out
    assert json.loads(docpipe("status", child, "--json").out)["parent"] == uuid
    assert '"name": "one.txt", "file_type": "text/plain"' in docpipe("show", uuid).out
    assert f'"parent": "{uuid}"' in docpipe("show", child).out


def test_delete_names_what_stays_or_takes_it_along(docpipe: Docpipe, new_pipeline: NewPipeline) -> None:
    pipeline = new_pipeline()
    set_default_pipeline(pipeline)
    uuid = pipeline.process(TWO, name="all.zip").document_uuid
    children = [each.document_uuid for each in inside(pipeline, uuid)]
    assert docpipe("delete", uuid).out.splitlines() == [
        *(f"{child} stays; it was found inside {uuid}" for child in children),
        f"{uuid} deleted",
    ]
    again = pipeline.process(TWO, name="all.zip").document_uuid
    assert docpipe("delete", "--with-children", again).out == f"{again} deleted\n"
    assert pipeline.store.documents() == []
