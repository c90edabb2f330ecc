"""The application's own Celery app, with docpipe on it. The web process and the workers import this.

celery -A background worker -Q ocr,text,entity,graph
"""

from __future__ import annotations

import os
from pathlib import Path

from celery import Celery

from docpipe import Pipeline, Sources, celery_defaults, open_store

DATA = Path(os.environ.get("SHOP_DATA", "/tmp/docpipe-fastapi"))
REDIS_URL = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0")

celery_app = Celery("shop", broker=REDIS_URL)
celery_app.conf.update(celery_defaults(prefix="shop:"))

pipeline = Pipeline(
    celery_app,
    store=open_store(
        os.environ.get("DOCUMENT_STORE", f"sqlite://{DATA / 'docpipe.db'}"),  # or: supabase
        supabase_url=os.environ.get("SUPABASE_URL"),
        supabase_key=os.environ.get("SUPABASE_SECRET_KEY"),
    ),
    # bytes only: what a user sends names no file or address that would be read with the application's rights.
    # They rest in a folder that all workers see, s3://bucket/prefix or supabase://bucket/prefix.
    sources=Sources.only_bytes(DATA / "uploads"),
)
