"""An archive of 300 mails while its workers die ten times: each mail is one document, and none is lost."""

from __future__ import annotations

import os
import random
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import psycopg
import pytest

from docpipe.models.status import Stage
from docpipe.pipeline.submission import Submission
from tests.faults.conftest import supervised
from tests.faults.field import Field
from tests.faults.fleet import Fleet
from tests.workers import wait_until

MAILS = int(os.environ.get("MAILS", "300"))
KILLS_AT_WORK = 7
"""Beside the three while the archive itself is at work."""
_NAMES = ("Ann", "Bob", "Carol", "Dunn", "Eve", "Frank")
_OF_CHILDREN = """
select count(*) from docpipe_attempts a join source_documents d using (document_uuid)
 where d.project_id = 'archive' and d.docpipe_depth = 1
"""
_MAIL = """\
From: {name} <{name}@example.org>
Subject: Offer {number}
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=X

--X

{name} offers {number} chairs.
--X
Content-Disposition: attachment; filename=price.txt

{name} met Bob on 3 May 2024 about offer {number}.
--X--
"""


def mail(number: int) -> bytes:
    return _MAIL.format(name=_NAMES[number % len(_NAMES)], number=number).encode()


def archive() -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for number in range(MAILS):
            file.writestr(f"{number}.eml", mail(number))
    return buffer.getvalue()


@pytest.fixture(scope="module")
def fleet(battlefield: Field) -> Iterator[Fleet]:
    """Two workers and a reaper; being killed often is no fault of a document."""
    battlefield.env["DOCPIPE_MAX_ATTEMPTS"] = "20"
    with supervised(battlefield, battlefield.submit, concurrency=2) as fleet:
        yield fleet


@pytest.fixture(scope="module")
def ask(battlefield: Field) -> Iterator[Callable[[str], Any]]:
    """The first value of a query's first row."""
    with psycopg.connect(battlefield.stack.postgres.url, autocommit=True) as connection:

        def ask(query: str) -> Any:
            row = connection.execute(query.encode()).fetchone()
            assert row is not None
            return row[0]

        yield ask


def kill(fleet: Fleet) -> None:
    for worker in fleet.workers:
        worker.kill()


def kill_while_the_archive_is_at_work(field: Field, fleet: Fleet, ask: Callable[[str], Any]) -> None:
    """When the mails are noted, when some are copied, and when they are registered and not yet published."""
    noted = "select count(*) from docpipe_children"
    for what, happens in (
        ("the mails are noted", lambda: ask(noted) == MAILS),
        ("some are copied", lambda: copies(field) > MAILS // 3),
        ("they are registered", lambda: ask(f"{noted} where child_uuid is not null") == MAILS),
    ):
        wait_until(happens, what)
        kill(fleet)


def kill_while_the_mails_are_at_work(fleet: Fleet, ask: Callable[[str], Any]) -> None:
    least = MAILS * len(Stage)
    for moment in sorted(random.Random(12).sample(range(1, least), KILLS_AT_WORK)):
        wait_until(partial(_begun, ask, moment), f"{moment} attempts were begun")
        kill(fleet)


def _begun(ask: Callable[[str], Any], attempts: int) -> bool:
    return bool(ask(_OF_CHILDREN) >= attempts)


def copies(field: Field) -> int:
    folder = Path(field.env["DOCPIPE_UPLOADS"])
    return sum(path.is_file() for path in folder.rglob("*") if not path.name.endswith(".part"))


@pytest.mark.timeout(3600)  # its workers start ten times
def test_workers_that_die_lose_no_mail_and_double_none(
    battlefield: Field, fleet: Fleet, ask: Callable[[str], Any]
) -> None:
    before = copies(battlefield)
    submission = battlefield.pipeline.submit(archive(), name="offers.zip", project_id="archive")
    kill_while_the_archive_is_at_work(battlefield, fleet, ask)
    kill_while_the_mails_are_at_work(fleet, ask)
    assert battlefield.final(submission).status == "completed"
    document = battlefield.pipeline.get(submission.document_uuid)
    children = [str(child.document_uuid) for child in document.children]
    for child in children:
        ended = battlefield.final(Submission(child, None, False, battlefield.pipeline.store))
        assert (ended.status, ended.run, ended.parent) == ("completed", 1, submission.document_uuid)
    assert battlefield.pipeline.status(submission.document_uuid).children == {"completed": MAILS}
    assert len(set(children)) == MAILS
    assert ask("select count(*) from source_documents where project_id = 'archive'") == MAILS + 1
    assert copies(battlefield) - before == MAILS + 1
    for number, child in enumerate(children):
        found = battlefield.pipeline.get(child)
        name = _NAMES[number % len(_NAMES)]
        assert [page.part for page in found.pages] == ["", "price.txt"]
        assert found.text.endswith(f"{name} met Bob on 3 May 2024 about offer {number}.")
        assert found.entities


def test_at_the_end_nothing_is_left_in_broker_and_ledger(battlefield: Field, fleet: Fleet) -> None:
    assert battlefield.leftovers_in_the_end() == {}
