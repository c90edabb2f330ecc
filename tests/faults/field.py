"""The field of fire: servers, a failing proxy before them, and what a test asks of a document there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import redis

from docpipe import set_default_pipeline
from docpipe.execution.policy import Policy
from docpipe.models import DocumentStatus
from docpipe.pipeline.pipeline import Pipeline
from docpipe.pipeline.settings import read_settings
from docpipe.pipeline.submission import Submission
from tests.faults import bombs, mined, verdict
from tests.faults.armed import TEXT, new_pipeline
from tests.faults.bombs import Bomb
from tests.faults.proxy import Proxy
from tests.faults.verdict import Rows, Verdict
from tests.faults.watcher import Watcher
from tests.stack import Stack
from tests.workers import HANG_SECONDS, wait_until

_OPEN = {
    "active runs": "select count(*) from docpipe_runs where state = 'active'",
    "leases": "select count(*) from stage_runs where state = 'running' or lease_expires_at is not null",
    "staged parts": "select count(*) from docpipe_staged",
}


@dataclass
class Field:
    """The field of fire: servers, proxy, a pipeline in this process, and where bombs leave their marks."""

    stack: Stack
    proxy: Proxy
    pipeline: Pipeline
    watcher: Watcher
    env: dict[str, str]
    marks: Path
    logs: Path
    quiet: Rows = field(default_factory=dict)

    def submit(self, project: str, bomb: Bomb | None = None) -> Submission:
        """The text as a document of its own project."""
        metadata = bomb.to_metadata() if bomb else {}
        return self.pipeline.submit(TEXT, name="note.txt", project_id=project, metadata=metadata)

    def show(self, project: str, mine: int) -> Submission:
        """A picture with this mine as a document of its own project."""
        return self.pipeline.submit(mined.picture(mine), name="picture.png", project_id=project)

    def known(self, project: str) -> Submission:
        """The document of this project, which another process registered."""
        with psycopg.connect(self.stack.postgres.url, autocommit=True) as connection:
            query = "select document_uuid from source_documents where project_id = %s"
            ((uuid,),) = connection.execute(query, (project,)).fetchall()
        return Submission(uuid, None, False, self.pipeline.store)

    def held(self, submission: Submission) -> None:
        """Return when the document's bomb has gone off."""
        self.gone_off(submission.document_uuid)

    def gone_off(self, mark: str) -> None:
        """Return when the bomb that leaves this mark has gone off."""
        wait_until(lambda: bombs.went_off(self.marks, mark), f"{mark} goes off")

    def release(self, submission: Submission) -> None:
        """Let a held stage go on."""
        bombs.release(self.marks, submission.document_uuid)

    @property
    def policy(self) -> Policy:
        """By which the workers of this field work."""
        return self.pipeline.policy

    def final(self, submission: Submission) -> DocumentStatus:
        """The document's status when it is final, or, if it is lost, after a long time."""
        self.watcher.wait_until_final(submission.document_uuid, HANG_SECONDS)
        return submission.status()

    def leftovers(self) -> dict[str, int]:
        """As the function of this name."""
        return leftovers(self.env["REDIS_URL"], self.stack.postgres.url)

    def leftovers_in_the_end(self) -> dict[str, int]:
        """The same, when nothing is left or, if something stays, after a long time."""
        with suppress(AssertionError):
            wait_until(lambda: self.leftovers() == {}, "nothing is left")
        return self.leftovers()

    def waiting(self, prefix: str) -> dict[str, int]:
        """What is left in Redis under this prefix."""
        return {name: count for name, count in self.leftovers().items() if name.startswith(prefix)}

    def judge(self, failure: str, stage: str, status: DocumentStatus) -> Verdict:
        """The verdict on the document, compared with the quiet run."""
        return verdict.judge(failure, stage, status, self.stack.postgres.url, self.quiet)


@contextmanager
def opened_pipeline() -> Iterator[Pipeline]:
    """The pipeline of this process, by its environment, of commands in it too; closed at the end."""
    pipeline = new_pipeline(read_settings())
    set_default_pipeline(pipeline)
    yield pipeline
    set_default_pipeline(None)
    pipeline.store.close()
    pipeline.broker.close()
    assert pipeline.app is not None
    pipeline.app.close()


def leftovers(redis_url: str, dsn: str) -> dict[str, int]:
    """What is still in Redis and the ledger when all documents are final, by name."""
    left = {}
    with redis.Redis.from_url(redis_url) as client:
        for key in client.scan_iter("*"):
            if client.type(key) == b"list":
                left[key.decode()] = client.llen(key)
            elif key.endswith(b"unacked"):
                left[key.decode()] = client.hlen(key)
    with psycopg.connect(dsn, autocommit=True) as connection:
        for name, query in _OPEN.items():
            left[name] = connection.execute(query.encode()).fetchall()[0][0]
    return {name: count for name, count in left.items() if count}
