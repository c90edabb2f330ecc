"""What tests need of the machine: where it is missing they are skipped, and in CI they fail."""

from __future__ import annotations

import os
import shutil
from typing import NoReturn

import pytest

CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


def unavailable(reason: str) -> NoReturn:
    """Ends the test: skipped with the reason, but in CI failed, so that nothing goes untested unseen."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def program(*names: str, package: str) -> str:
    """The first of these programs that is on PATH; `package` is what Debian and Homebrew call it."""
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        brewed = package.removesuffix("-ocr")
        unavailable(
            f"there is no {names[0]} on PATH. Run: apt-get install {package}, or: brew install {brewed}"
        )
    return found
