"""Whatever a document does to the process that reads it, the worker goes on, and nothing is left behind."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import FrameType

import psutil
import pytest
from PIL import Image

from docpipe import errors
from docpipe.execution.isolation.reader_process import ReaderProcess
from docpipe.execution.isolation.wire import Failed, RefusedError
from docpipe.execution.layers import Sandbox
from docpipe.execution.options import Options
from docpipe.execution.progress import PagesDone
from docpipe.formats.base import Limits
from docpipe.models import StageOutput
from tests.hostile_engines import LARGE, OFFSPRING_SECONDS
from tests.workers import HANG_SECONDS

ROOT = Path(__file__).parents[2]
CHILD = str(ROOT / "docpipe" / "execution" / "isolation" / "child.py")
LIMITS = Limits(max_seconds=6.0, max_memory_bytes=400_000_000)
PATIENT = replace(LIMITS, max_seconds=60.0)
ENGINE = Options(ocr_engine="tests.engines:OneLine", limits=PATIENT)
EXAMPLES = Path(__file__).parents[2] / "examples" / "documents"

NewReader = Callable[[Options], ReaderProcess]

OTHERS: set[psutil.Process] = set()


def hostile(act: str, limits: Limits = PATIENT) -> Options:
    return Options(ocr_engine="tests.hostile_engines:Hostile", ocr_options={"act": act}, limits=limits)


def picture(path: Path, *widths: int) -> Path:
    frames = [Image.linear_gradient("L").resize((width, 40)) for width in widths]
    frames[0].save(path, "TIFF", save_all=True, append_images=frames[1:])
    return path


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    """The document that hostile engines wait for."""
    return picture(tmp_path / "bad.tif", LARGE + 1)


@pytest.fixture
def good(tmp_path: Path) -> Path:
    return picture(tmp_path / "good.tif", LARGE)


@pytest.fixture
def new_reader() -> Iterator[NewReader]:
    """Makes readers; afterwards no process may be left."""
    readers: list[ReaderProcess] = []

    def new(options: Options) -> ReaderProcess:
        readers.append(ReaderProcess(options))
        return readers[-1]

    yield new
    for reader in readers:
        reader.close()
    assert children() == []


@pytest.fixture(scope="module", autouse=True)
def others() -> Iterator[None]:
    """The servers that earlier tests of the same run started are no readers."""
    OTHERS.update(psutil.Process().children())
    yield
    OTHERS.clear()


def children() -> list[psutil.Process]:
    """Processes of these tests, the dead that nobody has buried among them."""
    readers = [child for child in psutil.Process().children() if child not in OTHERS]
    return [process for reader in readers for process in (reader, *reader.children(recursive=True))]


def nothing(page: int, pages: int | None) -> None:
    pass


def read(reader: ReaderProcess, path: Path, report: PagesDone = nothing) -> StageOutput:
    return reader.read(path, path.name, report)


def wait_until_gone(pid: int) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(pid).wait(timeout=HANG_SECONDS)


# --- the worst ------------------------------------------------------------------------------------


OFTEN = [
    ("hold_the_lock", errors.ReadingTimeoutError, "made no progress for 6 seconds"),
    ("segfault", errors.ReadingCrashError, "crashed: Segmentation fault"),
    ("kill", errors.WorkerLostError, "was killed"),
    ("leap", errors.ReadingMemoryError, "400 MB of memory"),
    ("key_error", errors.BugError, "KeyError: 'missing'"),
]
"""Each starts a process that loads what reads twice over; the rarer ones are left to the slow tests."""
SELDOM = [
    ("backtrack", errors.ReadingTimeoutError, "made no progress for 6 seconds"),
    ("stop", errors.ReadingTimeoutError, "made no progress for 6 seconds"),
    ("abort", errors.ReadingCrashError, "crashed: Aborted"),
    ("exit", errors.ReadingCrashError, "exit code 3"),
    ("exit_as_if_all_was_well", errors.ReadingCrashError, "exit code 0"),
    ("hang_up", errors.ReadingCrashError, "no longer answers"),
    ("climb", errors.ReadingMemoryError, "400 MB of memory"),
    ("memory_error", errors.ReadingMemoryError, "400 MB of memory"),
    ("system_exit", errors.ReadingCrashError, "exit code 1"),
    ("interrupt", errors.ReadingCrashError, "crashed: Interrupt"),
    ("recursion", errors.BugError, "RecursionError: too deep"),
]


@pytest.mark.parametrize(
    ("act", "error", "message"), [*OFTEN, *(pytest.param(*each, marks=pytest.mark.slow) for each in SELDOM)]
)
def test_the_worst_costs_the_document_and_the_next_one_is_read(
    new_reader: NewReader, bad: Path, good: Path, act: str, error: type[errors.DocpipeError], message: str
) -> None:
    reader = new_reader(hostile(act, LIMITS if error is errors.ReadingTimeoutError else PATIENT))
    assert read(reader, good).text == "Ann met Bob."
    with pytest.raises(error, match=message) as raised:
        read(reader, bad)
    assert type(raised.value) is error
    assert read(reader, good).text == "Ann met Bob."


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="the system does not tell")
def test_a_machine_busy_with_other_things_costs_no_document(
    new_reader: NewReader, bad: Path, good: Path
) -> None:
    reader = new_reader(hostile("wait_for_a_turn", LIMITS))
    read(reader, good)
    [child] = children()
    processor = {min(os.sched_getaffinity(0))}
    os.sched_setaffinity(child.pid, processor)
    with contextlib.ExitStack() as stack:
        for _ in range(3):
            # each in a session of its own: Linux may share a processor out by session
            busy = subprocess.Popen([sys.executable, "-c", "while True: pass"], start_new_session=True)
            stack.callback(busy.wait)
            stack.callback(busy.kill)
            os.sched_setaffinity(busy.pid, processor)
        assert read(reader, bad).text == "Ann met Bob."


@pytest.mark.slow
@pytest.mark.parametrize("act", ["bear", "bear_and_die"])
def test_programs_that_an_engine_started_end_with_it(new_reader: NewReader, bad: Path, act: str) -> None:
    with pytest.raises((errors.ReadingTimeoutError, errors.ReadingCrashError)):
        read(new_reader(replace(hostile(act, LIMITS), sandbox=Sandbox(waive=frozenset({"programs"})))), bad)
    offspring = [process for process in psutil.process_iter() if OFFSPRING_SECONDS in command(process)]
    psutil.wait_procs(offspring, timeout=HANG_SECONDS)
    assert not any(process.is_running() and process.status() != "zombie" for process in offspring)


def test_a_crash_says_in_its_notes_which_line_called_the_library(new_reader: NewReader, bad: Path) -> None:
    with pytest.raises(errors.ReadingCrashError) as raised:
        read(new_reader(hostile("segfault")), bad)
    notes = "\n".join(raised.value.__notes__)
    assert "Fatal Python error: Segmentation fault" in notes
    assert "hostile_engines.py" in notes


def test_what_libraries_write_is_neither_shown_nor_in_the_way(
    new_reader: NewReader, bad: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert read(new_reader(hostile("shout")), bad).text == "Ann met Bob."
    assert capfd.readouterr() == ("", "")


def test_the_kernel_ends_first_the_process_that_reads(new_reader: NewReader, good: Path) -> None:
    read(new_reader(ENGINE), good)
    [child] = children()
    assert int(Path(f"/proc/{child.pid}/oom_score_adj").read_text()) >= 500


# --- errors and progress ----------------------------------------------------------------------------


def test_an_error_arrives_as_it_was_raised(new_reader: NewReader, tmp_path: Path) -> None:
    path = tmp_path / "letter.pdf"
    path.write_bytes(b"%PDF-1.7\nnot one\n%%EOF")
    reader = new_reader(ENGINE)
    with pytest.raises(errors.CorruptDocumentError, match=r"letter\.pdf") as raised:
        read(reader, path)
    assert "in read_document" in raised.value.__notes__[0] or "in open_document" in raised.value.__notes__[0]
    [child] = children()
    with pytest.raises(errors.CorruptDocumentError):
        read(reader, path)
    assert children() == [child]  # a bad document is no reason to start anew


def test_a_hosts_error_that_cannot_travel_arrives_as_its_nearest_kin(
    new_reader: NewReader, bad: Path
) -> None:
    with pytest.raises(errors.PermanentError) as raised:
        read(new_reader(hostile("odd_error")), bad)
    assert (type(raised.value), raised.value.code, raised.value.message) == (
        errors.PermanentError,
        "odd",
        "Odd.",
    )


def _kinds(kind: type[errors.DocpipeError] = errors.DocpipeError) -> Iterator[type[errors.DocpipeError]]:
    if kind.__module__ == errors.__name__ and kind is not errors.CancelledError:
        yield kind
        for deeper in kind.__subclasses__():
            yield from _kinds(deeper)


@pytest.mark.parametrize("kind", [*_kinds()])
def test_every_error_can_travel(kind: type[errors.DocpipeError]) -> None:
    error = kind("Why.", stage="ocr", code="own")
    error.add_note("Where.")
    arrived = Failed.of(error, "Where.").error()
    assert type(arrived) is kind
    assert vars(arrived) == vars(error)
    assert str(arrived) == str(error)


def test_a_reader_may_not_cancel() -> None:
    with pytest.raises(RefusedError, match="may not cancel"):
        Failed.of(errors.CancelledError(), "").error()


def test_progress_is_told_page_by_page(new_reader: NewReader, tmp_path: Path) -> None:
    told: list[tuple[int, int | None]] = []
    three = picture(tmp_path / "three.tif", 60, 60, 60)
    output = read(new_reader(ENGINE), three, lambda *pages: told.append(pages))
    assert told == [(0, 3), (1, 3), (2, 3), (3, 3)]
    assert output.text == "Ann met Bob.\n\nAnn met Bob.\n\nAnn met Bob."


def test_a_document_that_is_given_up_leaves_nothing_for_the_next(
    new_reader: NewReader, tmp_path: Path
) -> None:
    """Its answer, still under way, must not become the next one's."""

    def cancel(page: int, pages: int | None) -> None:
        raise errors.CancelledError()

    reader = new_reader(ENGINE)
    note = tmp_path / "note.txt"
    note.write_text("Eve left.")
    with pytest.raises(errors.CancelledError):
        read(reader, picture(tmp_path / "three.tif", 60, 60, 60), cancel)
    assert children() == []
    assert read(reader, note).text == "Eve left."


def test_options_that_cannot_travel_name_the_remedy(new_reader: NewReader, good: Path) -> None:
    options = Options(ocr_engine="tests.engines:OneLine", ocr_options={"sieve": lambda line: line})
    with pytest.raises(errors.ConfigurationError, match=r"isolate=False"):
        read(new_reader(options), good)


def test_a_wrong_option_of_an_engine_is_told(new_reader: NewReader, good: Path) -> None:
    options = replace(ENGINE, ocr_options={"colour": "red"})
    with pytest.raises(errors.ConfigurationError, match="does not accept these options"):
        read(new_reader(options), good)


# --- the child's life -----------------------------------------------------------------------------------


def test_the_child_is_kept_for_the_next_document(new_reader: NewReader, good: Path) -> None:
    reader = new_reader(ENGINE)
    read(reader, good)
    [child] = children()
    read(reader, good)
    assert children() == [child]


@pytest.mark.models
def test_the_models_that_read_scans_are_loaded_once(new_reader: NewReader) -> None:
    reader = new_reader(Options())
    read(reader, EXAMPLES / "contract_scan.pdf")
    [child] = children()
    read(reader, EXAMPLES / "invoice.png")
    assert children() == [child]


def test_a_child_that_keeps_too_much_is_replaced(new_reader: NewReader, good: Path, bad: Path) -> None:
    reader = new_reader(hostile("hoard"))
    read(reader, good)
    [child] = children()
    read(reader, bad)
    assert children() == []
    read(reader, good)
    assert children() != [child]


def test_a_child_that_died_while_it_waited_is_replaced(new_reader: NewReader, good: Path) -> None:
    reader = new_reader(ENGINE)
    read(reader, good)
    [child] = children()
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # dead now, but not yet buried
    assert read(reader, good).text == "Ann met Bob."


def test_it_ends_with_its_reader(good: Path) -> None:
    reader = ReaderProcess(ENGINE)
    read(reader, good)
    assert len(children()) == 1
    del reader
    gc.collect()
    assert children() == []


@pytest.mark.slow
def test_five_hundred_documents_leave_no_descriptor_and_no_process(
    new_reader: NewReader, tmp_path: Path
) -> None:
    note = tmp_path / "note.txt"
    note.write_text("Ann met Bob.")
    broken = tmp_path / "broken.pdf"
    broken.write_bytes(b"%PDF-1.7\nnot one\n%%EOF")
    reader = new_reader(ENGINE)
    read(reader, note)
    before = psutil.Process().num_fds()
    pids = set()
    for _ in range(250):
        read(reader, note)
        with pytest.raises(errors.CorruptDocumentError):
            read(reader, broken)
        pids |= {child.pid for child in children()}
    assert psutil.Process().num_fds() == before
    assert len(pids) > 1  # it was replaced in time
    assert len(children()) <= 1


def test_a_module_in_the_current_folder_is_not_run(
    new_reader: NewReader, good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ctypes", "resource", "docpipe", "faulthandler"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('hijacked')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry not in {"", "."}])
    assert read(new_reader(ENGINE), good).text == "Ann met Bob."


def test_threads_have_children_of_their_own(tmp_path: Path, new_reader: NewReader) -> None:
    reader = new_reader(ENGINE)
    texts: dict[str, list[str]] = {"one": [], "two": []}
    together = threading.Barrier(2)

    def work(name: str) -> None:
        path = tmp_path / f"{name}.txt"
        path.write_text(name * 1000)
        for _ in range(20):
            together.wait()
            texts[name].append(read(reader, path).text or "")

    threads = [threading.Thread(target=work, args=(name,)) for name in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert texts == {name: [name * 1000] * 20 for name in texts}
    assert children() == []  # they ended with their threads


# --- the parent's death ----------------------------------------------------------------------------------


class Soft(Exception):  # noqa: N818 - as Celery's SoftTimeLimitExceeded, raised by a signal handler
    """The stage has run for too long."""


@pytest.fixture
def hanging(tmp_path: Path) -> Path:
    """A document whose second page is the bad one."""
    return picture(tmp_path / "hanging.tif", LARGE, LARGE + 1)


def sending(number: int) -> tuple[threading.Thread, PagesDone]:
    """A thread that sends this process a signal, once the report given with it was called."""
    reported = threading.Event()

    def send() -> None:
        assert reported.wait(60)
        os.kill(os.getpid(), number)

    thread = threading.Thread(target=send)
    thread.start()
    return thread, lambda *_: reported.set()


def softly(number: int, frame: FrameType | None) -> None:
    raise Soft


# What a handler raises may come between a call and the `with` that would close what it opened.
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.parametrize(
    ("number", "handler", "error"),
    [
        pytest.param(signal.SIGUSR1, softly, Soft, id="a time limit"),
        pytest.param(signal.SIGINT, signal.default_int_handler, KeyboardInterrupt, id="an interrupt"),
    ],
)
def test_a_signal_that_raises_ends_the_child_at_once(
    new_reader: NewReader,
    hanging: Path,
    number: signal.Signals,
    handler: Callable[[int, FrameType | None], object],
    error: type[BaseException],
) -> None:
    reader = new_reader(hostile("hold_the_lock", Limits(max_seconds=1000.0)))
    previous = signal.signal(number, handler)  # of SIGINT, too: a shell's `&` has it ignored
    try:
        thread, report = sending(number)
        with pytest.raises(error):
            read(reader, hanging, report)
    finally:
        signal.signal(number, previous)
    thread.join()
    assert children() == []


PARENT = """
import sys
from pathlib import Path
from docpipe.formats.base import Limits
from docpipe.execution.isolation.reader_process import ReaderProcess
from docpipe.execution.options import Options

options = Options(
    ocr_engine="tests.hostile_engines:Hostile",
    ocr_options={"act": sys.argv[1]},
    limits=Limits(max_seconds=1000.0),
)
reader = ReaderProcess(options)
reader.read(Path(sys.argv[2]), "good.tif", lambda *_: None)
print(reader._here.child._process.pid, flush=True)
if sys.argv[3:]:
    reader.read(Path(sys.argv[3]), "bad.tif", lambda *_: None)
else:
    sys.stdin.read()
"""


@pytest.fixture
def parent(good: Path) -> Iterator[Callable[..., tuple[subprocess.Popen[str], int]]]:
    """Starts a parent of its own, and says which child it has."""
    started = []

    def start(act: str, *bad: Path) -> tuple[subprocess.Popen[str], int]:
        process = subprocess.Popen(
            [sys.executable, "-c", PARENT, act, str(good), *map(str, bad)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        started.append(process)
        assert process.stdout is not None
        return process, int(process.stdout.readline())

    yield start
    for process in started:
        process.kill()
        with process:  # closes its pipes and waits
            pass


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize("act", ["hold_the_lock", "backtrack", "stop"])
def test_a_child_that_hangs_never_outlives_its_parent(
    parent: Callable[..., tuple[subprocess.Popen[str], int]], bad: Path, act: str, number: int
) -> None:
    process, child = parent(act, bad)
    process.send_signal(number)
    process.wait(30)
    wait_until_gone(child)
    assert not psutil.pid_exists(child)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, None])
def test_a_child_that_waits_never_outlives_its_parent(
    parent: Callable[..., tuple[subprocess.Popen[str], int]], number: int | None
) -> None:
    process, child = parent("exit")
    if number is None:
        assert process.stdin is not None
        process.stdin.close()  # it comes to its end by itself
    else:
        process.send_signal(number)
    process.wait(30)
    wait_until_gone(child)
    assert not psutil.pid_exists(child)


# --- beside Celery ------------------------------------------------------------------------------------------


FORKED = """
import sys
from pathlib import Path
import billiard
import psutil
from docpipe.execution.isolation.reader_process import ReaderProcess
from docpipe.execution.options import Options

reader = ReaderProcess(Options(ocr_engine="tests.engines:OneLine"))

def read():
    return reader.read(Path(sys.argv[1]), "good.tif", lambda *_: None).text

def in_fork(answers):
    answers.put((billiard.current_process().daemon, read(), read()))

if __name__ == "__main__":
    before = read()
    [child] = psutil.Process().children()
    context = billiard.get_context("fork")
    answers = context.Queue()
    forks = [context.Process(target=in_fork, args=(answers,), daemon=True) for _ in range(2)]
    for fork in forks:
        fork.start()
    for _ in forks:
        print(*answers.get(timeout=60))
    for fork in forks:
        fork.join()
    print(before, read(), psutil.Process().children() == [child])
"""


def test_daemonic_children_of_a_fork_read_with_children_of_their_own(
    python: Callable[..., subprocess.CompletedProcess[str]], good: Path
) -> None:
    done = python("-W", "error", "-c", FORKED, str(good))
    assert done.stdout.splitlines() == [
        "True Ann met Bob. Ann met Bob.",
        "True Ann met Bob. Ann met Bob.",
        "Ann met Bob. Ann met Bob. True",
    ], done.stderr
    assert done.stderr == ""


def test_a_spawned_pool_of_the_command_line_reads_and_leaves_nothing(
    python: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    notes = [tmp_path / f"{name}.txt" for name in ("one", "two", "three")]
    for note in notes:
        note.write_text(f"Ann met Bob. {note.stem}")
    done = python(
        *("-c", "from docpipe.cli import main; main()", "run", "--jobs", "2", "--json", *map(str, notes)),
        DOCPIPE_NER_ENGINE="tests.engines:Capitals",
        DOCPIPE_OCR_ENGINE="tests.engines:OneLine",
    )
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 3), done.stderr
    assert orphans() == []


def orphans() -> list[psutil.Process]:
    """Readers whose own reader has ended; those of other test runs on this machine have one that lives."""
    readers = [process for process in psutil.process_iter() if CHILD in command(process)]
    return [reader for reader in readers if is_orphan(reader)]


def is_orphan(reader: psutil.Process) -> bool:
    try:
        parent = reader.parent()
    except psutil.NoSuchProcess:
        return False  # it has ended meanwhile
    return parent is None or not any("python" in part for part in command(parent))


def command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
