"""Settings: Django's own, Celery's (`CELERY_…`), and where docpipe keeps its documents."""

from __future__ import annotations

import os
from pathlib import Path

from docpipe import celery_defaults

DATA = Path(os.environ.get("HOST_DATA", "/tmp/docpipe-django"))
DATA.mkdir(parents=True, exist_ok=True)

SECRET_KEY = os.environ.get("DJANGO_SECRET_KEY", "only-for-trying")
DEBUG = True
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
ROOT_URLCONF = "host.urls"
INSTALLED_APPS = ["host"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": DATA / "django.db"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True

CELERY_BROKER_URL = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0")
for name, value in celery_defaults(prefix="host:").items():
    globals()[f"CELERY_{name.upper()}"] = value

DOCPIPE_STORE = os.environ.get("DOCUMENT_STORE", f"sqlite://{DATA / 'docpipe.db'}")  # or: supabase
DOCPIPE_UPLOADS = DATA / "uploads"
SUPABASE_URL = os.environ.get("SUPABASE_URL")
SUPABASE_KEY = os.environ.get("SUPABASE_SECRET_KEY")
