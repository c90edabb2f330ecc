"""`python manage.py test`: the whole way through, without Redis and without a worker."""

from __future__ import annotations

from tempfile import TemporaryDirectory
from unittest.mock import patch

from celery import Celery
from django.test import TestCase
from starlette.testclient import TestClient

from docpipe import Pipeline, Sources, open_store
from host.asgi import application

NOTE = b"Minutes of 3 May 2024. Present were Maria Delgado and Thomas Whitfield."


class PaperTest(TestCase):
    """With a pipeline whose tasks run at once, inside `submit`, over a store of the test's own."""

    def setUp(self) -> None:
        folder = self.enterContext(TemporaryDirectory())
        app = Celery("test", broker="memory://", set_as_current=False)
        app.conf.task_always_eager = True
        self.store = open_store(f"sqlite://{folder}/docpipe.db")
        self.addCleanup(self.store.close)
        pipeline = Pipeline(app, store=self.store, sources=Sources(uploads=folder))
        self.enterContext(patch("host.views.pipeline", pipeline))

    def hand_in(self) -> int:
        reply = self.client.post("/papers?name=note.txt", NOTE, content_type="application/octet-stream")
        self.assertEqual(reply.status_code, 202)
        return int(reply.json()["id"])

    def test_a_paper_is_read_when_the_transaction_commits(self) -> None:
        with self.captureOnCommitCallbacks(execute=True):
            pk = self.hand_in()
        self.assertEqual(
            self.client.get(f"/papers/{pk}").json(),
            {"name": "note.txt", "status": "completed", "people": ["Maria Delgado", "Thomas Whitfield"]},
        )

    def test_nothing_is_submitted_before_the_commit(self) -> None:
        pk = self.hand_in()
        self.assertEqual(self.client.get(f"/papers/{pk}").json()["status"], "not submitted")
        self.assertEqual(self.store.documents(), [])

    def test_docpipes_pages_answer_this_machine_and_nobody_else(self) -> None:
        near = TestClient(application, base_url="http://localhost", client=("127.0.0.1", 1))
        self.assertIn("Documents", near.get("/look/documents").text)
        self.assertEqual(TestClient(application).get("/look/documents").status_code, 403)
