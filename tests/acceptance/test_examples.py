"""Every example runs, and shows what its page says it shows."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from docpipe.models.status import QUEUES
from tests.acceptance.conftest import FACTS, FOLDER, Services
from tests.stack.server import free_ports
from tests.workers import HANG_SECONDS, REPOSITORY, Workers, clean_environment, wait_until

EXAMPLES = REPOSITORY / "examples"
BYTES = {"Content-Type": "application/octet-stream"}


def run(*command: str | Path, cwd: Path = REPOSITORY, **env: str) -> str:
    """What the program prints; it must end well."""
    done = subprocess.run(
        [sys.executable, *command],
        cwd=cwd,
        env=clean_environment(env) | {"PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=HANG_SECONDS,
    )
    assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
    return done.stdout


# --- quickstart and custom stage ------------------------------------------------------------------


def test_the_quickstart_ends_with_parties_dates_and_amounts_and_where_each_stands() -> None:
    shown = run("examples/quickstart.py")
    assert [line for line in shown.splitlines() if len(line) > 80] == []
    assert shown.count("docpipe ") == 3, "three commands to try next"
    end = shown[shown.index("Parties") :]
    rows = {tuple(part.strip() for part in line.split("  ") if part.strip()) for line in end.splitlines()}
    first = {row[0].removesuffix(" (also:"): int(row[2]) for row in rows if len(row) == 4 and "," in row[3]}
    wanted = [f for f in FACTS["contract_scan.pdf"] if f["kind"] in {"party", "date", "amount"}]
    assert {f["text"] for f in wanted if first.get(f["text"], math.inf) > f["page"]} == set()


def test_the_custom_stage_runs_in_its_place_and_its_result_is_kept() -> None:
    shown = dict(line.split(": ", 1) for line in run("examples/custom_stage.py").splitlines())
    own = "text_complete -> classify_processing -> classify_complete -> entity_processing"
    assert own in shown["statuses"]
    assert shown["statuses"].endswith("-> completed")
    assert shown["extras"].startswith("{'classify': {'kind': 'quotation'")


# --- loaders ----------------------------------------------------------------------------------------


def test_passages_have_ids_of_their_own_text_and_flat_metadata() -> None:
    shown = [json.loads(line) for line in run("examples/loaders/passages.py").splitlines()]
    for number, each in enumerate(shown):
        told = each["metadata"]
        assert each["id"] == f"{told['document_uuid']}-1-{number}"
        assert told["source"] == "notice_latin1.txt"
        assert {type(value) for value in told.values()} == {str, int}
        assert each["text"]
    assert "Brontë Heritage Trust" in shown[0]["metadata"]["names"].split("; ")
    assert shown[0]["text"].startswith("ARCHIVES TRIBUNAL OF SAINT-AURÈLE")


@pytest.mark.parametrize(
    ("library", "loader"),
    [("langchain_core", "langchain_loader"), ("llama_index.core", "llama_index_reader")],
)
def test_a_loader_gives_the_library_its_documents(library: str, loader: str) -> None:
    pytest.importorskip(library)
    assert "ARCHIVES TRIBUNAL OF SAINT-AURÈLE" in run(f"examples/loaders/{loader}.py")


# --- Django -----------------------------------------------------------------------------------------


def test_the_django_project_passes_its_own_tests(tmp_path: Path) -> None:
    run("-W", "error", "manage.py", "test", cwd=EXAMPLES / "host_django", HOST_DATA=str(tmp_path))


# --- FastAPI ----------------------------------------------------------------------------------------

FASTAPI = EXAMPLES / "host_fastapi"


def test_the_web_application_passes_its_own_tests(tmp_path: Path) -> None:
    # its own warnings are FastAPI's affair: the newest TestClient wants another HTTP client
    options = ["-p", "no:cacheprovider", "-o", "filterwarnings=default"]
    run("-m", "pytest", *options, "test_app.py", cwd=FASTAPI, SHOP_DATA=str(tmp_path))


def people(entities: list[dict[str, Any]]) -> list[str]:
    return [entity["name"] for entity in entities if entity["label"] == "PERSON"]


@pytest.fixture
def server(services: Services, tmp_path: Path) -> Iterator[httpx.Client]:
    """The web application under uvicorn and one real worker, over Redis and the Supabase API."""
    env = {name: value for name, value in services.env.items() if not name.startswith("DOCPIPE_")}
    env |= {"SHOP_DATA": str(tmp_path), "DOCUMENT_STORE": "supabase"}
    (port,) = free_ports(1)
    with Workers(tmp_path, env, app="background") as workers:
        workers.start(*QUEUES.values(), cwd=FASTAPI)
        with uvicorn(port, env, tmp_path / "uvicorn.log"), httpx.Client(timeout=HANG_SECONDS) as client:
            client.base_url = f"http://127.0.0.1:{port}"
            wait_until(lambda: _answers(client), "uvicorn answers")
            workers.wait_until_ready()
            yield client


@contextmanager
def uvicorn(port: int, env: dict[str, str], log: Path) -> Iterator[None]:
    """`uvicorn app:app` for the time of the block."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", "app:app", "--port", str(port)],
            cwd=FASTAPI,
            env=clean_environment(env),
            stdout=output,
            stderr=output,
        )
    try:
        yield
    finally:
        process.terminate()
        process.wait(timeout=HANG_SECONDS)


def _answers(client: httpx.Client) -> bool:
    try:
        return client.get("/openapi.json").status_code == 200
    except httpx.TransportError:
        return False


def test_an_upload_to_the_real_server_is_read_by_the_real_worker(server: httpx.Client) -> None:
    letter = (FOLDER / "letter.docx").read_bytes()
    reply = server.post("/documents?name=letter.docx", content=letter, headers=BYTES)
    assert reply.status_code == 202, reply.text
    address = f"/documents/{reply.json()['uuid']}"

    def final() -> dict[str, Any] | None:
        found: dict[str, Any] = server.get(address).json()
        return found if found["status"].startswith(("completed", "error")) else None

    found = wait_until(final, "the worker has read the letter")
    assert (found["status"], found["error"]) == ("completed", None)
    assert "Laura Bennett" in people(server.get(f"{address}/entities").json())
