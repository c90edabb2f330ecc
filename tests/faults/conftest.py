"""What the fault tests share: real servers behind a failing proxy, supervised workers, and the table."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from docpipe.pipeline.submission import Submission
from tests.faults import mined, verdict
from tests.faults.field import Field, opened_pipeline
from tests.faults.fleet import Fleet
from tests.faults.proxy import Proxy
from tests.faults.verdict import Verdict
from tests.faults.watcher import Watcher
from tests.stack import Stack
from tests.workers import HANG_SECONDS

REDIS_DATABASE = 14
LEASE_SECONDS = 5.0

_PROPERTY = "fault"


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The fault matrix, one line for each document."""
    reports = [report for kind in ("passed", "failed") for report in terminalreporter.getreports(kind)]
    lines = [value for report in reports for name, value in report.user_properties if name == _PROPERTY]
    if lines:
        terminalreporter.section("fault matrix")
        for line in verdict.as_table([json.loads(str(line)) for line in lines]):
            terminalreporter.line(line)


@pytest.fixture
def record(record_property: Callable[[str, object], None]) -> Callable[[Verdict], None]:
    """Puts a verdict into the table at the end."""

    def record(verdict: Verdict) -> None:
        record_property(_PROPERTY, json.dumps(verdict.cells()))

    return record


@pytest.fixture(scope="module")
def battlefield(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Field]:
    """Emptied servers; workers of this environment are started by the modules."""
    stack.mend()
    stack.postgres.empty()
    stack.redis.flush(REDIS_DATABASE)
    folder = tmp_path_factory.mktemp("faults")
    marks = folder / "marks"
    marks.mkdir()
    with Proxy(stack.api.url) as proxy, pytest.MonkeyPatch.context() as patch:
        env = stack.env | {
            "SUPABASE_URL": proxy.url,
            "REDIS_URL": stack.redis.database_url(REDIS_DATABASE),
            "FAULTS_FOLDER": str(marks),
            "DOCPIPE_UPLOADS": str(folder / "uploads"),
            "DOCPIPE_LEASE_SECONDS": str(LEASE_SECONDS),
            "DOCPIPE_GRACE_SECONDS": "1",
            "DOCPIPE_REAP_SECONDS": "1",
            "DOCPIPE_BACKOFF_SECONDS": "0.3",
            "DOCPIPE_OUTAGE_SECONDS": "60",
            "DOCPIPE_SOFT_TIME_LIMIT": "15",
            "DOCPIPE_HARD_TIME_LIMIT": "20",
            "SOFT_SHUTDOWN_SECONDS": "2",
        }
        for name, value in env.items():
            patch.setenv(name, value)
        with opened_pipeline() as pipeline, Watcher(stack.postgres.url) as watcher:
            yield Field(stack, proxy, pipeline, watcher, env, marks, folder)
    stack.mend()
    stack.redis.flush(REDIS_DATABASE)


@pytest.fixture(scope="module")
def fleet(battlefield: Field) -> Iterator[Fleet]:
    """Two workers on all queues and a reaper, under supervisors; one document has passed quietly."""
    with supervised(battlefield, battlefield.submit, concurrency=10) as fleet:
        yield fleet


@pytest.fixture(scope="module")
def readers(battlefield: Field) -> Iterator[Fleet]:
    """As `fleet`, but every document is read in a process of its own; the quiet one is a picture."""
    battlefield.env["FAULTS_ISOLATED"] = "1"
    with supervised(battlefield, lambda name: battlefield.show(name, mined.HARMLESS), concurrency=3) as fleet:
        yield fleet


@contextmanager
def supervised(field: Field, submit: Callable[[str], Submission], concurrency: int) -> Iterator[Fleet]:
    with Fleet(field.logs, field.env) as fleet:
        for _ in range(2):
            fleet.start_worker("ocr,text,entity,graph", concurrency=concurrency)
        fleet.start_reaper(field.policy.reap_seconds)
        fleet.wait_until_ready()
        quiet = submit("quiet")
        quiet.wait(timeout=HANG_SECONDS)
        field.quiet = verdict.results(field.stack.postgres.url, quiet.document_uuid)
        yield fleet
