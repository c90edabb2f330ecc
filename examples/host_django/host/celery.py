"""The project's Celery app, as Django's documentation makes it, with docpipe's pipeline on it.

celery -A host worker -Q ocr,text,entity,graph
"""

from __future__ import annotations

import os

from celery import Celery
from django.conf import settings

from docpipe import Pipeline, Sources, open_store

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "host.settings")

app = Celery("host")
app.config_from_object("django.conf:settings", namespace="CELERY")

pipeline = Pipeline(
    app,
    store=open_store(
        settings.DOCPIPE_STORE, supabase_url=settings.SUPABASE_URL, supabase_key=settings.SUPABASE_KEY
    ),
    sources=Sources.only_bytes(settings.DOCPIPE_UPLOADS),  # users send bytes, and nothing else is read
)
