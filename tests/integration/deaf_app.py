"""`celery -A tests.integration.deaf_app worker`: docpipe's worker, which nobody controls from afar."""

from __future__ import annotations

from docpipe.worker import app

assert app is not None
app.conf.worker_enable_remote_control = False
