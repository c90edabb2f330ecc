"""A light client on Windows, shown elsewhere: without the modules and calls that are missing there."""

from __future__ import annotations

from pathlib import Path

from tests.unit.conftest import Python
from tests.unit.test_sources import Service, service  # noqa: F401 - a fixture

MISSING = "fcntl grp pwd resource termios _posixsubprocess"
CALLS = "O_CLOEXEC O_DIRECTORY O_NOFOLLOW O_NONBLOCK O_PATH fork geteuid getuid pread sysconf"
CLIENT = f"""
import multiprocessing.connection, os, sys
import celery.app.amqp, celery.canvas, httpx, kombu.transport.memory, psutil, pydantic_settings, redis
import structlog
sys.modules |= dict.fromkeys({MISSING.split()!r})
for name in {CALLS.split()!r}:
    if hasattr(os, name):  # of O_PATH macOS knows nothing either
        delattr(os, name)
os.supports_dir_fd.clear()
sys.platform = "win32"
from docpipe import DocpipeError, Pipeline, Sources, open_store
from docpipe.testing import memory_app
sources = Sources(uploads="supabase://bucket/kept", supabase=({{url!r}}, "secret"))
pipeline = Pipeline(memory_app(), store=open_store("sqlite://light.db"), sources=sources)
print(pipeline.submit(b"Ann met Bob.", name="note.txt").status().status)
try:
    pipeline.submit({{note!r}})
except DocpipeError as error:
    print(type(error).__name__, "Submit the bytes themselves" in str(error))
"""


def test_it_imports_and_submits_bytes_and_says_that_files_are_not_read(
    python: Python,
    service: Service,  # noqa: F811
    note: Path,
) -> None:
    done = python("-c", CLIENT.format(url=service.url, note=str(note)))
    assert done.stdout.splitlines() == ["ocr_queued", "SourceRejectedError True"], done.stderr
    assert [(method, sent) for method, _, _, sent in service.asked] == [("POST", b"Ann met Bob.")]
