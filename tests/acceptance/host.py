"""A host application of its own process: `python -m tests.acceptance.host FILE…`.

It submits each file as any program would and prints one JSON object per line: name, uuid, task id.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from docpipe import submit


def main(files: list[str]) -> None:
    for file in files:
        submission = submit(file)
        line = {"name": Path(file).name, "uuid": submission.document_uuid, "task_id": submission.task_id}
        print(json.dumps(line), flush=True)  # noqa: T201 - the test reads it


if __name__ == "__main__":
    main(sys.argv[1:])
