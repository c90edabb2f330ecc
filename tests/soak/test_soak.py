"""A short soak in every test run; `make soak` is the long one."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.stack import Stack
from tests.workers import REPOSITORY

COMMAND = ["-m", "tests.soak", "--seed", "7", "--documents", "50", "--seconds", "30", "--outage", "8"]


@pytest.mark.timeout(600)
def test_fifty_documents_under_fire_become_what_they_become_in_peace(
    stack: Stack, capfd: pytest.CaptureFixture[str]
) -> None:
    done = subprocess.run([sys.executable, *COMMAND], cwd=REPOSITORY, timeout=580)
    told = capfd.readouterr().out
    with capfd.disabled():
        sys.stdout.write(f"\n{told}")
    assert "50 of 50 final (50 completed), 0 lost, 0 duplicated, 0 differing" in told
    assert done.returncode == 0, told
