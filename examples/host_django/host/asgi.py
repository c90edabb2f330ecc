"""Django with docpipe's web pages below /look, for any ASGI server.

uvicorn host.asgi:application
"""

from __future__ import annotations

import os

from django.core.asgi import get_asgi_application
from starlette.applications import Starlette
from starlette.routing import Mount

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "host.settings")
django = get_asgi_application()  # before anything that reads the settings

import docpipe.web  # noqa: E402
from host.celery import pipeline  # noqa: E402

application = Starlette(
    routes=[
        Mount("/look", docpipe.web.app(pipeline)),  # this machine only; `authorize` asks your own login
        Mount("/", django),
    ]
)
