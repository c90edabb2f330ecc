"""A small Django project: papers come in by the web, docpipe reads them in the workers."""

from __future__ import annotations

from host.celery import app as celery_app

__all__ = ["celery_app"]
