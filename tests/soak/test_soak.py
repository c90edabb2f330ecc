"""A short soak in every test run; `make soak` is the long one."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.stack import Stack
from tests.workers import HANG_SECONDS, REPOSITORY

COMMAND = ["-m", "tests.soak", "--seed", "7", "--documents", "30", "--seconds", "20", "--outage", "8"]


def test_documents_under_fire_become_what_they_become_in_peace(
    stack: Stack, capfd: pytest.CaptureFixture[str]
) -> None:
    done = subprocess.run([sys.executable, *COMMAND], cwd=REPOSITORY, timeout=HANG_SECONDS)
    told = capfd.readouterr().out
    with capfd.disabled():
        sys.stdout.write(f"\n{told}")
    assert "30 of 30 final (30 completed), 0 lost, 0 duplicated, 0 differing" in told
    assert done.returncode == 0, told
