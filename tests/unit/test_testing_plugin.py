"""The fixtures for hosts: five lines of a host's own test, run as the host runs them."""

from __future__ import annotations

from pathlib import Path

import pytest

import docpipe
from docpipe import Options, Pipeline
from tests.engines import OPTIONS

pytest_plugins = ["pytester"]

HOST = """
import pytest
from docpipe import Options, get, submit

@pytest.fixture
def docpipe_options():
    return Options(ner_engine="tests.engines:Capitals", isolate=False)

def test_upload(docpipe_eager):
    submission = submit(b"Ann met Bob.", name="note.txt")
    assert get(submission.document_uuid).status == "completed"

def test_waiting(docpipe_queued):
    assert submit(b"Ann met Bob.", name="note.txt").status().status == "ocr_queued"
"""


@pytest.fixture
def docpipe_options() -> Options:
    return OPTIONS


def test_a_host_tests_its_own_code_in_five_lines(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    pytester.makepyfile(HOST)
    pytester.runpytest_subprocess("-W", "error", "-p", "no:cacheprovider").assert_outcomes(passed=2)


def test_submit_runs_all_stages_at_once(docpipe_eager: Pipeline, note: Path) -> None:
    submission = docpipe.submit(note)
    assert submission.wait(timeout=0).status == "completed"
    assert docpipe_eager.get(submission.document_uuid) == docpipe.get(submission.document_uuid)


def test_the_file_may_go_after_submit(docpipe_queued: Pipeline, note: Path) -> None:
    submission = docpipe.submit(note)
    note.unlink()
    assert submission.status().status == "ocr_queued"
    assert docpipe.cancel(submission.document_uuid)


def test_the_module_level_functions_answer_for_the_fixture(docpipe_eager: Pipeline, note: Path) -> None:
    assert docpipe.default_pipeline() is docpipe_eager
    (submission,) = docpipe.submit_many([note], project_id="p1")
    assert isinstance(submission, docpipe.Submission)
    assert submission.result() == docpipe.process(note, project_id="p1")


def test_after_the_test_the_default_pipeline_is_built_from_settings_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    docpipe.set_default_pipeline(None)
    monkeypatch.setenv("DOCPIPE_STORE", "sqlite://unused.db")
    mine = docpipe.default_pipeline()
    assert docpipe.default_pipeline() is mine
    docpipe.set_default_pipeline(None)
    assert docpipe.default_pipeline() is not mine
    docpipe.set_default_pipeline(None)
