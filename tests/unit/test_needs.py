from __future__ import annotations

import os
import sys

import pytest
from _pytest.outcomes import Failed, Skipped

from tests.needs import program


@pytest.mark.parametrize(("ci", "outcome"), [("", Skipped), ("true", Failed)])
def test_what_is_missing_skips_a_test_but_fails_it_in_ci(
    monkeypatch: pytest.MonkeyPatch, ci: str, outcome: type[BaseException]
) -> None:
    monkeypatch.setenv("CI", ci)
    with pytest.raises(
        outcome, match=r"no tesseract-42 on PATH\. Run: apt-get install tesseract-ocr, or: brew"
    ):
        program("tesseract-42", package="tesseract-ocr")


def test_the_first_program_that_is_there_is_taken() -> None:
    assert program("sh-42", "sh", "ls", package="none").endswith("/sh")


def test_what_a_process_of_the_run_has_compiled_the_next_one_loads() -> None:
    assert not sys.dont_write_bytecode
    assert "PYTHONDONTWRITEBYTECODE" not in os.environ
