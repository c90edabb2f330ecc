"""`docpipe run` over many files, beside the functions of the stages on the same files and nothing else.

    python -m benchmarks.embedded [--rounds 3] [--write docs/benchmarks.md]

A hundred files of six formats, made from the examples, each different: `docpipe run --jobs 2` reads them in
a sandbox, records them in SQLite and shows facts; the plain pool of two processes calls the four functions,
keeps what they return until the next file, and has no sandbox, no store and no progress. Both start anew in
each round and load their models. CPU is that of all their processes, the least of the rounds, for a busy
machine only ever adds; the ratio of wall times is of one round, and the least.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

from benchmarks.report import machine, replace_section, table
from docpipe.execution import work
from docpipe.execution.isolation.reader_process import ReaderProcess
from docpipe.execution.job import Job
from docpipe.execution.options import Options
from docpipe.execution.tools import Tools
from docpipe.models import Document

_EXAMPLES = Path(__file__).parents[1] / "examples" / "documents"
FILES = {
    "contract.pdf": 30,
    "letter.docx": 25,
    "mail.eml": 20,
    "notice_latin1.txt": 15,
    "invoice.png": 8,
    "contract_scan.pdf": 2,
}
"""How many of each example; a hundred together."""
JOBS = 2
RUN = f"`docpipe run --jobs {JOBS}`"
PEER = f"the stages' functions in a pool of {JOBS}"


def make(folder: Path, few: int | None = None) -> None:
    """The files, no two with the same bytes; of each kind `few`."""
    for name, number in FILES.items():
        for copy in range(few or number):
            path = folder / f"{copy}-{name}"
            shutil.copy(_EXAMPLES / name, path)
            if path.suffix == ".docx":
                with zipfile.ZipFile(path, "a") as archive:
                    archive.comment = str(copy).encode()
            else:
                with path.open("ab") as file:
                    file.write(f"\n{copy}\n".encode())


# --- the peer: the stages' functions -----------------------------------------------------------


def peer(folder: Path) -> None:
    """Call the four functions on every file, in a pool of two processes."""
    with ProcessPoolExecutor(JOBS, get_context("spawn")) as pool:
        print(sum(pool.map(mentions_in, sorted(folder.iterdir()))), "mentions")


def mentions_in(path: Path) -> int:
    """How many the stages find in a file."""
    job = replace(_job(), document=Document("", 1, "", path.name), fetch=lambda: nullcontext(path))
    for stage in (work.ocr, work.chunk, work.entities, work.graph):
        output = stage(job)
        found = {name: value for name in _KEPT if (value := getattr(output, name)) is not None}
        job = replace(job, document=replace(job.document, **found))
    return len(job.document.mentions)


_KEPT = ("text", "pages", "chunks", "mentions")
"""What a later stage works on."""


@cache
def _job() -> Job:
    """One for a process: its models are loaded once."""
    options = Options(isolate=False)
    here = Document("", 1, "", "")
    return Job(here, Tools(options), ReaderProcess(options), lambda: nullcontext(Path()), lambda *_: None)


# --- both ----------------------------------------------------------------------------------------


class Cost(NamedTuple):
    cpu: float
    wall: float


def cost(command: Sequence[str], **variables: str) -> Cost:
    """Seconds of the command, with all processes that it starts and waits for."""
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    started = time.perf_counter()
    with subprocess.Popen(command, env=clean | variables, stdout=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command} failed with exit code {process.returncode}.")
    return Cost(usage.ru_utime + usage.ru_stime, time.perf_counter() - started)


def docpipe_run(files: Path, store: Path, **variables: str) -> Cost:
    docpipe = (sys.executable, "-c", "from docpipe.cli import main; main()")
    command = (*docpipe, "run", "--jobs", str(JOBS), str(files))
    return cost(command, DOCPIPE_STORE=f"sqlite://{store}", **variables)


def measured(rounds: int) -> Iterator[dict[str, Cost]]:
    """Of each round, after a run over one file of each kind that lets Python write its bytecode."""
    with tempfile.TemporaryDirectory() as folder:
        files, first = Path(folder) / "files", Path(folder) / "first"
        for each, few in ((files, None), (first, 1)):
            each.mkdir()
            make(each, few)
        docpipe_run(first, Path(folder) / "first.db", DOCPIPE_ISOLATE="false")
        for number in range(rounds):
            yield {
                RUN: docpipe_run(files, Path(folder) / f"{number}.db"),
                PEER: cost((sys.executable, "-m", "benchmarks.embedded", "--peer", str(files))),
            }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", type=Path, metavar="PAGE", help="Put the table into this page.")
    parser.add_argument("--peer", type=Path, metavar="FOLDER", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peer:
        peer(options.peer)
        return
    found = list(measured(options.rounds))
    rows = []
    floor = min(each[PEER].cpu for each in found)
    for name in (RUN, PEER):
        cpu = min(each[name].cpu for each in found)
        wall = min(each[name].wall / each[PEER].wall for each in found)
        rows.append((name, f"{cpu:.1f}", f"{cpu / floor:.2f}", f"{wall:.2f}"))
    text = f"{machine()}.\n\n{table(('100 files', 'CPU s', 'CPU, ratio', 'wall, ratio'), rows)}"
    print(text)
    if options.write:
        replace_section(options.write, "embedded", text)


if __name__ == "__main__":
    main()
