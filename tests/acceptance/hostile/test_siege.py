"""Hostile files on two workers: each ends as it may, and nothing else happens.

DOCPIPE_ROBUST_CORPUS=DIR puts a corpus of such files in the place of those made here, and
DOCPIPE_ROBUST_CANARY=DIR names a folder that its files point to. It takes an hour, and keeps what became
of each file in `results.jsonl` (below `--basetemp`).
"""

from __future__ import annotations

import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from docpipe import Pipeline
from docpipe.formats.base import Limits
from tests.acceptance.conftest import Services
from tests.acceptance.hostile.cases import Case, End, faults, read_corpus
from tests.acceptance.hostile.files import SECRET, write_cases
from tests.acceptance.hostile.lookouts import Listener, watched
from tests.acceptance.hostile.siege import GOOD_EACH, Siege, lay_siege

CORPUS = os.environ.get("DOCPIPE_ROBUST_CORPUS")
CANARY = os.environ.get("DOCPIPE_ROBUST_CANARY")
PORT = 9 if CORPUS else 0
"""Where the corpus's files would call."""
SECONDS = 4 * 3600.0 if CORPUS else 560.0
GROWTH = 200_000_000
SLACK = 100_000_000
"""A process that reads goes on for some milliseconds before its memory is looked at again."""

pytestmark = [
    pytest.mark.timeout(SECONDS + 200.0),
    pytest.mark.skipif(sys.platform != "linux", reason="who opens a file is watched with Linux's inotify"),
]


@dataclass(frozen=True)
class Outcome:
    """What the siege left behind."""

    cases: list[Case]
    siege: Siege
    opened: bool
    """Whether anybody opened what the files point to."""
    callers: list[str]
    """Who called the address that they name."""


@pytest.fixture(scope="module")
def outcome(services: Services, pipeline: Pipeline, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """All files, once for all tests."""
    folder = tmp_path_factory.mktemp("siege")
    secret = folder / "secret.txt"
    secret.write_text(SECRET)
    with Listener(PORT) as listener:
        cases = read_corpus(Path(CORPUS)) if CORPUS else write_cases(folder, secret, listener.port)
        with watched([secret, *([Path(CANARY)] if CANARY else [])]) as disturbed:
            siege = lay_siege(services, pipeline, cases, folder, SECONDS)
            return Outcome(cases, siege, disturbed(), listener.callers)


def test_every_file_ends_as_it_may(outcome: Outcome) -> None:
    lost = End("lost")
    found = {case.name: list(faults(case, outcome.siege.ends.get(case.name, lost))) for case in outcome.cases}
    assert {name: wrong for name, wrong in found.items() if wrong} == {}


def test_every_good_document_among_them_completes(outcome: Outcome) -> None:
    good = {name: end.status for name, end in outcome.siege.ends.items() if name.startswith("good-")}
    assert good == dict.fromkeys(good, "completed")
    assert len(good) == 1 + (len(outcome.cases) - 1) // GOOD_EACH


def test_the_workers_are_the_processes_that_they_were(outcome: Outcome) -> None:
    assert outcome.siege.after.keys() == outcome.siege.before.keys()


def test_no_worker_has_grown_much(outcome: Outcome) -> None:
    before, after = outcome.siege.before, outcome.siege.after
    growth = {pid: after[pid] - before[pid] for pid in before.keys() & after.keys()}
    assert {pid: grown for pid, grown in growth.items() if grown > GROWTH} == {}


def test_no_process_that_reads_took_more_memory_than_it_may(outcome: Outcome) -> None:
    assert outcome.siege.heaviest_reader < Limits().max_memory_bytes + SLACK


def test_nothing_was_opened_called_or_written_that_the_files_point_to(outcome: Outcome) -> None:
    written = list(Path(tempfile.gettempdir()).glob("docpipe-pwned*"))
    assert (outcome.opened, outcome.callers, written) == (False, [], [])
