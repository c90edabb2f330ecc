"""`celery -A tests.acceptance.failing_worker worker`."""

from __future__ import annotations

from tests.acceptance.failing import new_pipeline

app = new_pipeline().app
