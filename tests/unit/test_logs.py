"""docpipe's log: one line per change of state, in the standard library's tree, in nobody's way."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from docpipe import errors
from docpipe.execution.logs import configure_logging, get_logger
from docpipe.execution.plan import BUILT_IN
from tests.engines import failing
from tests.unit.conftest import NewPipeline, Python


@pytest.fixture
def tree() -> Iterator[logging.Logger]:
    """docpipe's logger, put back as it was."""
    logger = logging.getLogger("docpipe")
    before = (list(logger.handlers), logger.level, logger.propagate)
    yield logger
    logger.handlers, logger.level, logger.propagate = before[0], before[1], before[2]
    logger.setLevel(before[1])


def _fields(record: logging.LogRecord) -> dict[str, object]:
    plain = vars(logging.makeLogRecord({})).keys() | {"message"}
    return {name: value for name, value in vars(record).items() if name not in plain}


def test_every_change_of_state_is_one_line_with_its_place(
    new_eager: NewPipeline, note: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="docpipe")
    submission = new_eager().submit(note)
    records = [record for record in caplog.records if record.name == "docpipe.execution.runner"]
    steps = [(record.getMessage(), _fields(record)["stage"]) for record in records]
    stages = [stage.name for stage in BUILT_IN]
    assert steps == [(said, stage) for stage in stages for said in ("stage_processing", "stage_complete")]
    first = _fields(records[0])
    assert first == {
        "document": submission.document_uuid,
        "run": 1,
        "stage": "ocr",
        "attempt": 1,
        "task": submission.task_id,
    }


def test_a_bug_is_logged_with_its_traceback(
    new_eager: NewPipeline, note: Path, caplog: pytest.LogCaptureFixture
) -> None:
    new_eager(failing(BUILT_IN[0], KeyError("number")), *BUILT_IN[1:]).submit(note)
    (record,) = [record for record in caplog.records if record.getMessage() == "stage_failed"]
    assert record.levelno == logging.ERROR
    assert _fields(record)["code"] == "bug"
    assert "KeyError: 'number'" in logging.Formatter().format(record)


def test_a_retry_is_a_warning_without_traceback(
    new_eager: NewPipeline, note: Path, caplog: pytest.LogCaptureFixture
) -> None:
    new_eager(failing(BUILT_IN[0], errors.SourceUnavailableError("away")), *BUILT_IN[1:]).submit(note)
    (record,) = [record for record in caplog.records if record.getMessage() == "stage_retrying"]
    assert (record.levelno, _fields(record)["code"]) == (logging.WARNING, "source_unavailable")
    assert not record.exc_info


def test_no_line_is_lost_to_a_name_the_record_has_already(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="docpipe")
    with structlog.contextvars.bound_contextvars(name="the host's", module="the host's", request="r1"):
        get_logger("docpipe.test").info("said", message="also", code="c")
    (record,) = caplog.records
    assert (record.name, record.getMessage()) == ("docpipe.test", "said")
    assert _fields(record) == {
        "name_": "the host's",
        "module_": "the host's",
        "request": "r1",
        "message_": "also",
        "code": "c",
    }


def test_the_host_s_own_structlog_configuration_stays_without_effect(
    caplog: pytest.LogCaptureFixture,
) -> None:
    before = structlog.get_config()
    structlog.configure(processors=[lambda logger, method, event: pytest.fail("the host's processor ran")])
    try:
        get_logger("docpipe.test").warning("said")
    finally:
        structlog.configure(**before)
    assert caplog.messages == ["said"]


def test_what_is_below_the_level_is_not_even_put_together(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR, logger="docpipe")
    get_logger("docpipe.test").info("unsaid")
    assert caplog.records == []


def test_until_somebody_configures_logging_nothing_is_shown(python: Python, note: Path) -> None:
    program = "from docpipe.execution.logs import get_logger; get_logger('docpipe.x').error('said', code='c')"
    done = python("-c", program)
    assert (done.stdout, done.stderr) == ("", "")


def test_a_program_may_show_the_log_as_json(tree: logging.Logger, capsys: pytest.CaptureFixture[str]) -> None:
    root = (list(logging.getLogger().handlers), logging.getLogger().level)
    configure_logging("INFO", as_json=True)
    get_logger("docpipe.test").info("said", document="6ab4b8f7", seconds=1.5)
    logging.getLogger("docpipe.plain").warning("plain %s", "line")
    first, second = map(json.loads, capsys.readouterr().err.splitlines())
    assert {key: first[key] for key in ("event", "level", "document", "seconds")} == {
        "event": "said",
        "level": "info",
        "document": "6ab4b8f7",
        "seconds": 1.5,
    }
    assert first["timestamp"].endswith("Z")
    assert (second["event"], second["level"]) == ("plain line", "warning")
    assert root == (logging.getLogger().handlers, logging.getLogger().level)


def test_a_program_may_show_the_log_to_people(
    tree: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging()
    get_logger("docpipe.test").info("said", document="6ab4b8f7")
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "said" in shown.err
    assert "6ab4b8f7" in shown.err
