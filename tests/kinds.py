"""What kind of test each one is, and which tests of a run share a process: read off folder and fixtures.

A test names neither: whoever writes one in a folder of slow tests, or asks for a server, has said it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from xdist.scheduler import LoadScopeScheduling

SLOW = (
    "tests/acceptance/hostile/",
    "tests/acceptance/test_examples.py",
    "tests/acceptance/test_failures.py",
    "tests/acceptance/test_long_documents.py",
    "tests/acceptance/test_traces.py",
    "tests/faults/",
    "tests/integration/",
    "tests/soak/",
)
"""Folders and modules that `make test` leaves to `make test-all`: they kill, or wait for leases."""

MODELS = (
    "tests/acceptance/",
    "tests/unit/engines/test_contract.py",
    "tests/unit/engines/test_onnx_tagger.py",
    "tests/unit/engines/test_rapidocr.py",
    "tests/unit/engines/test_spacy.py",
    "tests/unit/test_docs.py",
)
"""Where the real OCR or NER models are loaded."""

SERVERS = frozenset({"stack", "redis_server", "bolt"})
BROWSERS = frozenset({"browser"})
"""Fixtures that start a server of its own process, or a browser."""

TOGETHER = {
    "tests/acceptance/test_edges.py": "embedded",
    "tests/acceptance/test_facts.py": "embedded",
    "tests/acceptance/test_workers.py": "embedded",
    "tests/unit/engines/test_contract.py": "recognition",
    "tests/unit/engines/test_rapidocr.py": "recognition",
    "tests/unit/test_second_engine.py": "recognition",
}
"""Modules that share what is dear to make: models, or a run over all example documents."""

APART = frozenset(
    {
        "tests/faults/test_deliveries.py",
        "tests/integration/endless.py",
        "tests/integration/test_howtos.py",
        "tests/integration/test_intake.py",
        "tests/integration/test_services.py",
        "tests/integration/test_stopping.py",
        "tests/integration/test_takeover_queue.py",
        "tests/integration/test_takeover_whole.py",
        "tests/unit/test_docs.py",
    }
)
"""Modules of long tests that share nothing: each test goes to whichever process is free."""

LONGEST_FIRST = (
    "tests/integration/test_takeover_whole.py",
    "tests/acceptance/hostile/",
    "tests/faults/",
    "tests/soak/",
    "tests/acceptance/test_workers.py",
    "tests/unit/engines/test_rapidocr.py",
    "tests/integration/test_howtos.py",
    "tests/integration/test_services.py",
    "tests/integration/test_takeover_queue.py",
    "tests/integration/test_intake.py",
    "tests/acceptance/",
    "tests/unit/test_docs.py",
    "tests/unit/test_isolation.py",
)
"""What a run begins with, so that at its end no process works alone on a long one."""


def kinds_of(item: pytest.Item) -> Iterator[str]:
    """The marks that the test has earned by its place and its fixtures."""
    fixtures = set(getattr(item, "fixturenames", ()))
    stores = getattr(item, "callspec", None)
    if fixtures & SERVERS or (stores and {"supabase", "postgres"} & set(map(str, stores.params.values()))):
        yield "servers"
    if fixtures & BROWSERS:
        yield "browser"
    if item.nodeid.startswith(MODELS):
        yield "models"
    if is_slow(item.nodeid):
        yield "slow"


def is_slow(path: str) -> bool:
    """Whether all tests of this module, or of this one's module, are left to `make test-all`."""
    return path.startswith(SLOW)


def place_of(nodeid: str) -> int:
    """Where the test stands in a run."""
    places = (place for place, start in enumerate(LONGEST_FIRST) if nodeid.startswith(start))
    return next(places, len(LONGEST_FIRST))


def group_of(nodeid: str) -> str:
    """The tests of one group run in one process, in their order: by default those of a module."""
    module = nodeid.partition("::")[0]
    return nodeid if module in APART else TOGETHER.get(module, module)


def scheduler(config: pytest.Config, log: object) -> LoadScopeScheduling:
    """Hands out groups, in the order of the run."""
    from xdist.scheduler import LoadScopeScheduling

    class Groups(LoadScopeScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            return group_of(nodeid)

    config.option.loadscopereorder = False
    return Groups(config, log)
