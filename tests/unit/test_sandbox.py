"""Whoever takes over the process that reads gains nothing by it, and the report names what was in the way."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from PIL import Image

from docpipe import errors
from docpipe.execution.isolation.reader_process import ReaderProcess
from docpipe.execution.layers import LAYERS, Sandbox
from docpipe.execution.options import Options
from docpipe.formats.base import Limits
from docpipe.pipeline.pipeline import Pipeline
from docpipe.testing import memory_app
from tests.hostile_engines import LARGE
from tests.unit.conftest import NewPipeline, Python
from tests.workers import HANG_SECONDS

ROOT = Path(__file__).parents[2]
LIMITS = Limits(max_seconds=60.0, max_memory_bytes=400_000_000)
BRIEF = replace(LIMITS, max_seconds=6.0)
WITH_PROGRAMS = Sandbox(waive=frozenset({"programs"}))
SECRET = "a-key-of-the-parent"
SLEEP_SECONDS = f"36018.{os.getpid():010}"
"""Tells the programs that are started here from any other, those of another run of these tests too."""


def taken_over(
    act: str,
    *at: str | Path,
    limits: Limits = LIMITS,
    sandbox: Sandbox = Sandbox(),  # noqa: B008
) -> Options:
    options = {"act": act, "at": [*map(str, at)]}
    return Options(
        ocr_engine="tests.taken_over:TakenOver", ocr_options=options, limits=limits, sandbox=sandbox
    )


def read(options: Options, path: Path) -> str:
    reader = ReaderProcess(options)
    try:
        return reader.read(path, path.name, lambda *_: None).text or ""
    finally:
        reader.close()


@pytest.fixture(scope="module")
def layers() -> dict[str, str | None]:
    """What this system has."""
    return ReaderProcess(Options()).layers()


@pytest.fixture(autouse=True)
def all_layers(layers: dict[str, str | None]) -> None:
    """Skips where the system lacks a layer; never in CI on Linux."""
    missing = {name: why for name, why in layers.items() if why is not None}
    if missing and os.environ.get("CI") and sys.platform == "linux":
        pytest.fail(f"layers are missing: {missing}")
    if missing:
        pytest.skip(f"layers are missing: {missing}")


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    """The document that takes the process over."""
    path = tmp_path / "bad.tif"
    Image.linear_gradient("L").resize((LARGE + 1, 40)).save(path, "TIFF")
    return path


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.write_text(SECRET)
    return path


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[Path]:
    """A service of this machine that is reached by a file."""
    path = tmp_path / "service"
    with socket.socket(socket.AF_UNIX) as end:
        end.bind(str(path))
        end.listen()
        yield path


def sleepers() -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.cmdline() == ["sleep", SLEEP_SECONDS] and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def sleepers_are_gone() -> bool:
    """Soon, that is: on a busy machine a program that was killed is there until it has a turn to end."""
    deadline = time.monotonic() + HANG_SECONDS
    while (left := sleepers()) and time.monotonic() < deadline:
        psutil.wait_procs(left, timeout=0.2)
    return not left


# --- each layer ---------------------------------------------------------------------------------------


def test_every_layer_is_on_here(layers: dict[str, str | None]) -> None:
    assert layers == dict.fromkeys(LAYERS)


@pytest.mark.parametrize(
    ("act", "at", "layer"),
    [
        ("read", "{key}", "files"),
        ("read", "/etc/passwd", "files"),
        ("read", "/proc/{{parent}}/environ", "files"),
        ("read", "/proc/{{parent}}/cmdline", "files"),
        ("write", "{folder}/new", "files"),
        ("write", "{key}", "files"),
        ("connect", "192.0.2.1", "network"),
        ("connect", "127.0.0.1", "network"),
        ("connect by file", "{service}", "network"),
        ("fork", "", "programs"),
        ("run", "{seconds}", "programs"),
        ("leave session", "", "calls"),
        ("end parent", "", "calls"),
        ("trace parent", "", "calls"),
        ("change mode", "{key}", "calls"),
        ("raise limits", "", "calls"),
        ("fill with one", "", "limits"),
        ("fill with several", "", "limits"),
        ("fill with many", "", "limits"),
        ("open many", "", "limits"),
        ("start many threads", "", "limits"),
    ],
)
def test_what_is_tried_is_stopped_and_the_layer_named(
    bad: Path, key: Path, listener: Path, tmp_path: Path, act: str, at: str, layer: str
) -> None:
    known = {"key": key, "folder": tmp_path, "service": listener, "seconds": SLEEP_SECONDS}
    places = [at.format(**known)] if at else []
    before = {path.name for path in tmp_path.iterdir()}
    with pytest.raises(errors.ReadingForbiddenError, match=rf"was stopped by the layer {layer}: "):
        read(taken_over(act, *places), bad)
    assert key.read_text() == SECRET
    assert key.stat().st_mode & 0o777 == 0o644
    assert {path.name for path in tmp_path.iterdir()} == before


def test_keys_of_the_environment_stay_outside(bad: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SUPABASE_SECRET_KEY", "OPENAI_API_KEY", "AWS_SECRET_ACCESS_KEY", "REDIS_URL", "MY_OWN"):
        monkeypatch.setenv(name, SECRET)
    names = json.loads(read(taken_over("variables"), bad))
    assert not [name for name in names if os.environ.get(name) == SECRET]
    shown = Sandbox(env=("MY_OWN",))
    assert read(taken_over("variable", "MY_OWN", sandbox=shown), bad) == SECRET


def test_the_key_of_who_finds_names_is_not_sent(bad: Path) -> None:
    options = replace(taken_over("variables"), ner_engine="openai", ner_options={"api_key": SECRET})
    reader = ReaderProcess(options)
    assert (reader._options.ner_engine, reader._options.ner_options) == ("", {})


# --- what it says -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("act", "at", "why"),
    [
        ("say pickle", "{folder}/bomb", "bytes long"),
        ("say framed pickle", "{folder}/bomb", "not what a reader says"),
        ("say much", "", "1,099,511,627,776 bytes long"),
        ("say message", '{{"kind": "output", "output": {{"text": 1}}}}', "not what a reader says"),
        ("say message", '{{"kind": "page", "page": -1}}', "not what a reader says"),
        ("say message", '{{"kind": "pictures", "pictures": {{}}}}', "not asked"),
        ("say message", '{{"kind": "pictures", "pictures": {{"1": "\\"><b>"}}}}', "not what a reader says"),
        (
            "say message",
            '{{"kind": "output", "output": {{"extra": {{"a": 1}}}}}}',
            "what reading does not find",
        ),
        (
            "say message",
            '{{"kind": "error", "base": "cancelled", "code": "cancelled", "message": "x"}}',
            "may not cancel",
        ),
    ],
)
def test_what_is_no_answer_is_refused_and_nothing_of_it_is_run(
    bad: Path, tmp_path: Path, act: str, at: str, why: str
) -> None:
    with pytest.raises(errors.ReadingForbiddenError, match=f"the answer was refused, .*{why}"):
        read(taken_over(act, *([at.format(folder=tmp_path)] if at else [])), bad)
    assert not (tmp_path / "bomb").exists()


@pytest.mark.parametrize(("start", "end"), [("-1", "2"), ("0", "5"), ("3", "2")])
def test_places_that_are_not_in_the_text_are_refused(bad: Path, start: str, end: str) -> None:
    with pytest.raises(errors.ReadingForbiddenError, match="the answer was refused, the place"):
        read(taken_over("say output", start, end), bad)


def test_an_answer_that_never_ends_is_waited_for_no_longer_than_any(bad: Path) -> None:
    with pytest.raises(errors.ReadingTimeoutError, match="6 seconds"):
        read(taken_over("say half", limits=BRIEF), bad)


# --- programs, where an engine needs them ---------------------------------------------------------------


def test_programs_end_with_the_document_and_none_leaves_the_group(bad: Path) -> None:
    assert read(taken_over("leave running", SLEEP_SECONDS, sandbox=WITH_PROGRAMS), bad) == "no session: 1"
    assert sleepers_are_gone()


def test_programs_are_counted(bad: Path) -> None:
    with pytest.raises(errors.ReadingForbiddenError, match="the layer limits: more than 32 programs"):
        read(taken_over("run many", SLEEP_SECONDS, sandbox=WITH_PROGRAMS), bad)
    assert sleepers_are_gone()


def test_the_memory_of_programs_counts(bad: Path) -> None:
    with pytest.raises(errors.ReadingMemoryError, match="400 MB"):
        read(taken_over("hold large", sandbox=WITH_PROGRAMS), bad)


PARENT = """
import sys
from pathlib import Path
from docpipe.execution.isolation.reader_process import ReaderProcess
from tests.unit.test_sandbox import WITH_PROGRAMS, taken_over

options = taken_over("run", sys.argv[2], sandbox=WITH_PROGRAMS)
ReaderProcess(options).read(Path(sys.argv[1]), "bad.tif", print)
"""


def test_programs_do_not_outlive_a_parent_that_was_killed(bad: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(bad), SLEEP_SECONDS], cwd=ROOT)
    try:
        while not sleepers():
            with pytest.raises(subprocess.TimeoutExpired):  # it lives on, and needs the processor
                parent.wait(0.1)
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    assert sleepers_are_gone()


# --- demanding and waiving -------------------------------------------------------------------------------


def test_a_layer_that_is_waived_is_not_there(bad: Path, key: Path) -> None:
    waived = Sandbox(waive=frozenset({"files"}))
    assert read(taken_over("read", key, sandbox=waived), bad) == SECRET
    assert "files" not in ReaderProcess(Options(sandbox=waived)).layers()


def test_a_file_that_an_engine_may_read_is_named(bad: Path, key: Path) -> None:
    assert read(taken_over("read", key, sandbox=Sandbox(read=(str(key),))), bad) == SECRET


def test_without_a_sandbox_everything_is_as_in_the_parent(bad: Path, key: Path) -> None:
    assert read(taken_over("read", key, sandbox=Sandbox("off")), bad) == SECRET


def test_layers_that_are_demanded_and_there_are_no_hindrance(bad: Path) -> None:
    assert read(taken_over("variable", "NONE", sandbox=Sandbox("require")), bad) == "unknown"


WITHOUT_LANDLOCK = """
import ctypes, errno, sys
from pathlib import Path
from docpipe.errors import ConfigurationError
from docpipe.execution.isolation import seccomp
from docpipe.execution.isolation.reader_process import ReaderProcess
from docpipe.execution.layers import Sandbox
from docpipe.execution.options import Options

ctypes.CDLL(None).prctl(38, 1, 0, 0, 0)
seccomp.load([
    (seccomp.LOAD, 0, 0, seccomp.NUMBER),
    *seccomp.never([444], errno.EOPNOTSUPP),
    (seccomp.RETURN, 0, 0, seccomp.ALLOW),
])
for mode in ("best", "require"):
    reader = ReaderProcess(Options(ocr_engine="tests.engines:OneLine", sandbox=Sandbox(mode)))
    try:
        print(reader.read(Path(sys.argv[1]), "bad.tif", lambda *_: None).text)
        print(reader.layers()["files"])
    except ConfigurationError as error:
        print(error)
"""


def test_a_layer_that_is_demanded_and_not_there_refuses_every_document(bad: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_LANDLOCK, str(bad)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == [
        "Ann met Bob.",
        "Landlock is turned off at boot",
        "DOCPIPE_SANDBOX=require demands layers that this system does not have:"
        " files (Landlock is turned off at boot)."
        " Name them in DOCPIPE_SANDBOX_WAIVE to go without, or set DOCPIPE_SANDBOX=best.",
    ]


def test_an_unknown_layer_cannot_be_waived() -> None:
    with pytest.raises(ValueError, match="There is no layer netwrok"):
        Sandbox(waive=frozenset({"netwrok"}))


# --- what is left behind -----------------------------------------------------------------------------------


def test_nothing_is_left_in_the_folder_for_temporary_files(
    bad: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before = {path.name for path in tmp_path.iterdir()}
    with pytest.raises(errors.ReadingForbiddenError):
        read(taken_over("fill with several"), bad)
    assert {path.name for path in tmp_path.iterdir()} == before


# --- what people are told ----------------------------------------------------------------------------


def findings(pipeline: Pipeline) -> dict[str, str]:
    found = pipeline.examine(consumers=True)
    return {each.check: each.message for each in found if each.ok and each.check.startswith("sandbox")}


def test_doctor_says_of_each_layer_whether_it_is_on(new_pipeline: NewPipeline) -> None:
    waived = Options(ocr_engine="tests.engines:OneLine", sandbox=Sandbox(waive=frozenset({"network"})))
    found = findings(new_pipeline(memory_app(), options=waived))
    assert {name.removeprefix("sandbox "): said.partition(":")[0] for name, said in found.items()} == {
        **dict.fromkeys(LAYERS, "on"),
        "network": "off",
    }
    without = findings(new_pipeline(memory_app(), options=Options(isolate=False)))
    assert without == {"sandbox": "off: documents are read in the worker itself. Set DOCPIPE_ISOLATE=true."}


SHOW = """
import sys
from docpipe.cli import cli
cli(["run", "--json", sys.argv[1]], standalone_mode=False)
"""
SHOWN = """
import sys
from docpipe.cli import cli
cli(["show", sys.argv[1]], standalone_mode=False)
print(sorted({"pymupdf", "fitz", "PIL", "numpy"} & set(sys.modules)))
"""


def test_a_document_is_drawn_in_the_process_that_reads(python: Python, examples: Path) -> None:
    engines = {"DOCPIPE_NER_ENGINE": "tests.engines:Capitals", "DOCPIPE_OCR_ENGINE": "tests.engines:OneLine"}
    done = python("-c", SHOW, str(examples / "contract.pdf"), **engines)
    uuid = json.loads(done.stdout)["document_uuid"]
    shown = python("-c", SHOWN, uuid, **engines)
    assert shown.stdout.count("data:image/webp;base64,") == len(json.loads(done.stdout)["pages"])
    assert shown.stdout.splitlines()[-1] == "[]", shown.stderr
