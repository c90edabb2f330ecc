"""What starting costs: CPU seconds and memory of a command, with the processes that it starts.

    python -m benchmarks.startup [--rounds 5] [--write docs/benchmarks.md]

Each command runs in processes of its own with a new, empty store. Bytecode is cached by a run that is not
counted, in which documents are read without a sandbox, for that may not write. CPU is user and system time
of the command and its children; the least of the rounds is given, for a busy machine only ever adds. Memory
is the most that any one of its processes held. The floors are what Python and one library cost without
docpipe.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from benchmarks.report import machine, replace_section, table

_EXAMPLES = Path(__file__).parents[1] / "examples" / "documents"
_DOCPIPE = (sys.executable, "-c", "from docpipe.cli import main; main()")
COMMANDS: dict[str, tuple[str, ...]] = {
    "`docpipe --version`": (*_DOCPIPE, "--version"),
    "`docpipe --help`": (*_DOCPIPE, "--help"),
    "`docpipe status`": (*_DOCPIPE, "status"),
    "`docpipe run`, two pages with text": (*_DOCPIPE, "run", str(_EXAMPLES / "contract.pdf")),
    "`docpipe run`, two scanned pages": (*_DOCPIPE, "run", str(_EXAMPLES / "contract_scan.pdf")),
    "floor: Python": (sys.executable, "-c", "pass"),
    "floor: Python, click": (sys.executable, "-c", "import click"),
    "floor: Python, pydantic-settings, rich": (
        sys.executable,
        "-c",
        "import pydantic_settings, rich.table",
    ),
    "floor: Python, spaCy": (sys.executable, "-c", "import docpipe.engines.ner.spacy"),
}


class Cost(NamedTuple):
    seconds: float
    megabytes: float


def cost(command: tuple[str, ...], **variables: str) -> Cost:
    """Of one run of the command, its children's processes included."""
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            **clean,
            **variables,
            "XDG_DATA_HOME": folder,
            "DOCPIPE_STORE": f"sqlite://{folder}/docpipe.db",
        }
        with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as process:
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command[-2:]} failed with exit code {process.returncode}.")
    kilobytes = usage.ru_maxrss / (1024 if sys.platform == "darwin" else 1)
    return Cost(usage.ru_utime + usage.ru_stime, kilobytes / 1024)


def least(command: tuple[str, ...], rounds: int) -> Cost:
    cost(command, DOCPIPE_ISOLATE="false")  # Python writes the bytecode
    costs = [cost(command) for _ in range(rounds)]
    return Cost(min(each.seconds for each in costs), max(each.megabytes for each in costs))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--write", type=Path, metavar="PAGE", help="Put the table into this page.")
    options = parser.parse_args()
    found = {name: least(command, options.rounds) for name, command in COMMANDS.items()}
    rows = [(name, f"{each.seconds:.2f}", f"{each.megabytes:.0f}") for name, each in found.items()]
    text = f"{machine()}.\n\n{table(('command', 'CPU s', 'peak MB'), rows)}"
    print(text)
    if options.write:
        replace_section(options.write, "startup", text)


if __name__ == "__main__":
    main()
