"""Builds the stand-alone Celery app and pipeline from settings."""

from __future__ import annotations

from celery import Celery

from docpipe.delivery.tasks import celery_defaults
from docpipe.execution.progress import RedisProgress
from docpipe.pipeline.pipeline import Pipeline
from docpipe.pipeline.settings import Settings, read_settings
from docpipe.stores import open_store


def new_app(settings: Settings) -> Celery:
    """A Celery app of docpipe's own; it does not become the process's current app."""
    url = settings.redis_url.get_secret_value()
    app = Celery("docpipe", broker=url, backend=url, set_as_current=False)
    app.conf.update(celery_defaults(settings.policy(), prefix=settings.key_prefix))
    if url.startswith(("redis://", "rediss://")):
        app.conf.broker_transport = "docpipe.delivery.guarded_redis:Transport"
    return app


def new_pipeline(settings: Settings | None = None) -> Pipeline:
    """The stand-alone pipeline. Nothing is connected until it is used."""
    settings = settings or read_settings()
    return Pipeline(
        new_app(settings),
        store=settings.open_store(),
        sources=settings.sources(),
        options=settings.options(),
        policy=settings.policy(),
        progress=RedisProgress.from_url(settings.redis_url.get_secret_value(), prefix=settings.key_prefix),
    )


def embedded_pipeline(settings: Settings | None = None) -> Pipeline:
    """A pipeline without services: `process` only, with a SQLite store whatever else is set."""
    settings = settings or read_settings()
    return Pipeline(
        None,
        store=open_store(settings.embedded_store),
        sources=settings.sources(),
        options=settings.options(),
        policy=settings.policy(),
    )
