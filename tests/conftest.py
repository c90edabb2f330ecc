"""Fixtures over the real stack: Redis, Postgres and a Supabase-compatible API.

One stack serves a whole test run (with pytest-xdist one per worker, so that workers share
nothing). DOCPIPE_STACK_DIR=.stack uses the one of `make stack` and leaves it running: its tables
are emptied, its Redis database 0 is not touched.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests import kinds
from tests.guardian import Guardian
from tests.needs import CHROMIUM, program, unavailable

if TYPE_CHECKING:
    from xdist.scheduler import LoadScopeScheduling

    from tests.stack import Stack

REDIS_DATABASES = 16
_numbers = count()

# Processes share the cores: a library that starts a thread for each would only wait for the others'.
os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

# Where an image forbids bytecode, every process that a test starts would compile all it imports, for seconds.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


def pytest_configure(config: pytest.Config) -> None:
    """Whatever ends this run, nothing that it started outlives it."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        config.add_cleanup(Guardian().dismiss)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Where slow tests are left out, their modules and all that these import are not even read."""
    left_out = config.option.markexpr == "not slow"
    return (left_out and kinds.is_slow(collection_path.relative_to(config.rootpath).as_posix() + "/")) or None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test by its kind (before `-m` chooses), and begin with the longest."""
    for item in items:
        for kind in kinds.kinds_of(item):
            item.add_marker(kind)
    items.sort(key=lambda item: kinds.place_of(item.nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> LoadScopeScheduling:
    """Hand whole groups to the processes of `pytest -n`."""
    return kinds.scheduler(config, log)


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The running servers; `docpipe db apply` has been run.

    A test may kill, pause or stop a server: `database` and `redis_url` mend the stack first.
    """
    try:
        from tests.stack import Stack, StackError
    except ImportError as error:
        unavailable(f"the real stack is not available: {error}")
    try:
        if shared := _shared_folder():
            yield _taken_over(Stack(shared))
        else:
            with Stack(tmp_path_factory.mktemp("stack")) as own:
                yield own
    except StackError as error:
        unavailable(f"the real stack is not available: {error}")


@pytest.fixture
def database(stack: Stack) -> str:
    """The DSN of the database behind the API, with docpipe's tables, all empty."""
    stack.mend()
    stack.postgres.empty()
    return stack.postgres.url


@pytest.fixture
def empty_database(stack: Stack) -> Iterator[str]:
    """The DSN of a database of its own, with Supabase's roles and nothing else: for migrations."""
    stack.mend()
    name = f"empty_{os.getpid()}_{next(_numbers)}"
    yield stack.postgres.create_database(name)
    stack.postgres.drop_database(name)


@pytest.fixture
def redis_url(stack: Stack) -> Iterator[str]:
    """The URL of an empty Redis database, never number 0; emptied again afterwards."""
    number = 1 + next(_numbers) % (REDIS_DATABASES - 1)
    stack.mend()
    stack.redis.flush(number)
    yield stack.redis.database_url(number)
    stack.mend()
    stack.redis.flush(number)


@pytest.fixture
def supabase_env(stack: Stack, database: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """SUPABASE_URL, SUPABASE_SECRET_KEY and SUPABASE_DB_URL, set for this test; the tables are empty."""
    variables = {name: value for name, value in stack.env.items() if name.startswith("SUPABASE_")}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return variables


@pytest.fixture(scope="session")
def browser() -> str:
    """The command of a Chromium."""
    return program(*CHROMIUM, package="chromium")


@pytest.fixture(scope="session")
def tesseract() -> str:
    """The command of Tesseract, which finds English and orientation."""
    return program("tesseract", package="tesseract-ocr")


def _shared_folder() -> Path | None:
    folder = os.environ.get("DOCPIPE_STACK_DIR")
    return Path(folder) if folder and "PYTEST_XDIST_WORKER" not in os.environ else None


def _taken_over(stack: Stack) -> Stack:
    if not stack.running:
        unavailable(f"the real stack is not available: no stack runs in {stack.folder}. Run: make stack")
    stack.apply_sql()
    return stack
