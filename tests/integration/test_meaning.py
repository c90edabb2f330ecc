"""A worker makes vectors in the stage embed; the command and the web find what is near."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from docpipe import Options, Pipeline, open_store
from docpipe.testing import memory_app
from docpipe.web import app as web_app
from tests.integration.test_health import command, environment  # noqa: F401 - fixtures
from tests.unit.conftest import Docpipe
from tests.unit.conftest import docpipe as docpipe_command  # noqa: F401 - a fixture
from tests.workers import Workers

ENGINE = "tests.engines:Vowels"


@pytest.mark.slow
def test_what_a_worker_embedded_is_found_by_the_command_and_on_the_web(
    command: Docpipe,  # noqa: F811
    environment: dict[str, str],  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    environment |= {"DOCPIPE_EMBED_ENGINE": ENGINE}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    for name, words in (("near.txt", "banana mama"), ("far.txt", "iii pipi")):
        (tmp_path / name).write_text(words)
    with Workers(tmp_path, environment) as workers:
        workers.start("ocr", "text", "entity", "graph")
        workers.wait_until_ready()
        assert (
            command("submit", str(tmp_path / "near.txt"), str(tmp_path / "far.txt"), "--wait", "120").code
            == 0
        )
    found = command("search", "--meaning", "alas papa", "--json").objects
    assert [each["name"] for each in found] == ["near.txt", "far.txt"]
    pipeline = Pipeline(
        memory_app(), store=open_store(environment["DOCPIPE_STORE"]), options=Options(embed_engine=ENGINE)
    )
    web = TestClient(web_app(pipeline), base_url="http://localhost", client=("127.0.0.1", 1))
    page = web.get("/search?q=alas&by=meaning").text
    assert 0 < page.index("near.txt, page 1") < page.index("far.txt, page 1")
    assert "by=hybrid" in page
