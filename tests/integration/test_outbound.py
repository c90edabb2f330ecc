"""Nothing leaves the machine but to the services that are configured, and nothing is written elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import needs
from tests.outbound import REDIS_PORT, Heard, listen, unavailable
from tests.workers import clean_environment

FILES = [
    str(Path(__file__).parents[2] / "examples" / "documents" / name)
    for name in ("invoice.png", "contract.pdf", "notice_latin1.txt")
]
OF_TELEMETRY = ("ORT_DISABLE_TELEMETRY", "HF_HUB_DISABLE_TELEMETRY", "DO_NOT_TRACK", "CI", "TF_BUILD")
COMMAND = "from docpipe.cli import main; main()"
EMBEDDED = """
import sys
from docpipe import process
for file in sys.argv[1:]:
    print(process(file).status)
"""
MEETS_OTHERS = """
import socket
for address in (("example.org", 443), ("203.0.113.9", 80)):
    try:
        socket.create_connection(address)
    except OSError:
        pass
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"hello", ("203.0.113.9", 9999))
"""

Run = Callable[..., Heard]


@pytest.fixture(scope="module", autouse=True)
def namespaces() -> None:
    """Skips where no network namespace can be made; never in CI."""
    if reason := unavailable():
        needs.unavailable(f"no network namespace: {reason}")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs Python where it is listened to, with a home of its own and nothing that turns telemetry off."""
    home = tmp_path / "home"
    home.mkdir()
    clean = {key: value for key, value in clean_environment({}).items() if key not in OF_TELEMETRY}
    clean |= {"HOME": str(home), "TMPDIR": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    for name in [name for name in clean if name.startswith("XDG_")]:
        del clean[name]

    def run(*arguments: str, served: tuple[int, ...] = (), **env: str) -> Heard:
        return listen([sys.executable, *arguments], clean | env, served=served)

    return run


def files_below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_the_listener_hears_names_connections_and_datagrams(run: Run) -> None:
    heard = run("-c", MEETS_OTHERS)
    assert set(heard.lookups) == {"example.org"}
    assert heard.packets == ["tcp 192.0.2.1 443", "tcp 203.0.113.9 80", "udp 203.0.113.9 9999"]


@pytest.mark.parametrize("inference", ["onnxruntime", "openvino"])
def test_the_command_meets_nobody(run: Run, tmp_path: Path, inference: str) -> None:
    heard = run("-c", COMMAND, "run", *FILES, DOCPIPE_OCR_INFERENCE=inference)
    assert (heard.code, heard.lookups, heard.packets) == (0, [], []), heard.output
    assert files_below(tmp_path / "home") == {".local/share/docpipe/docpipe.db"}


@pytest.mark.parametrize("isolate", ["true", "false"])
@pytest.mark.parametrize("inference", ["onnxruntime", "openvino"])
def test_an_embedded_run_meets_nobody(run: Run, tmp_path: Path, inference: str, isolate: str) -> None:
    heard = run("-c", EMBEDDED, *FILES, DOCPIPE_OCR_INFERENCE=inference, DOCPIPE_ISOLATE=isolate)
    assert (heard.code, heard.lookups, heard.packets) == (0, [], []), heard.output
    assert heard.output.split() == ["completed"] * len(FILES)
    assert files_below(tmp_path / "home") == {".local/share/docpipe/docpipe.db"}


@pytest.mark.parametrize("inference", ["onnxruntime", "openvino"])
def test_a_worker_meets_its_redis_only(run: Run, tmp_path: Path, inference: str) -> None:
    heard = run(
        *("-m", "tests.outbound.worker", str(tmp_path), *FILES),
        served=(REDIS_PORT,),
        DOCPIPE_OCR_INFERENCE=inference,
    )
    assert (heard.code, heard.lookups, heard.packets) == (0, [], []), heard.output
    assert heard.output.split() == ["completed"] * len(FILES)
    assert files_below(tmp_path / "home") == set()


@pytest.mark.parametrize(
    "module",
    [
        "docpipe.engines.ner.fast_gliner",
        "docpipe.engines.ner.openai",
        "docpipe.engines.ocr.openvino",
        "docpipe.engines.ocr.rapidocr",
        "docpipe.engines.ner.onnx_tagger",
        "docpipe.engines.ner.spacy",
    ],
)
def test_an_engine_that_a_host_imports_itself_meets_nobody(run: Run, tmp_path: Path, module: str) -> None:
    pytest.importorskip(module, exc_type=ImportError)
    heard = run("-c", f"import {module}, time; time.sleep(1)")
    assert (heard.code, heard.lookups, heard.packets) == (0, [], []), heard.output
    assert files_below(tmp_path / "home") == set()
