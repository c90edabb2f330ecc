"""Builds the stand-alone Celery app and pipeline from settings.

Celery and Redis are imported for the pipelines that have them: an embedded one does without both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from docpipe.execution.progress import Progress
from docpipe.pipeline.pipeline import Pipeline
from docpipe.pipeline.settings import Settings, read_settings
from docpipe.stores import open_store
from docpipe.stores.port import Store

if TYPE_CHECKING:  # an embedded pipeline needs neither Celery nor Redis
    from celery import Celery


def new_app(settings: Settings) -> Celery:
    """A Celery app of docpipe's own; it does not become the process's current app."""
    from celery import Celery  # noqa: PLC0415

    from docpipe.delivery.tasks import celery_defaults  # noqa: PLC0415

    url = settings.redis_url.get_secret_value()
    app = Celery("docpipe", broker=url, backend=url, set_as_current=False)
    app.conf.update(celery_defaults(settings.policy(), prefix=settings.key_prefix))
    if url.startswith(("redis://", "rediss://")):
        app.conf.broker_transport = "docpipe.delivery.guarded_redis:Transport"
    return app


def new_pipeline(settings: Settings | None = None) -> Pipeline:
    """The stand-alone pipeline. Nothing is connected until it is used."""
    from docpipe.execution.redis_progress import RedisProgress  # noqa: PLC0415

    settings = settings or read_settings()
    return Pipeline(
        new_app(settings),
        store=settings.open_store(),
        sources=settings.sources(),
        options=settings.options(),
        policy=settings.policy(),
        progress=RedisProgress.from_url(settings.redis_url.get_secret_value(), prefix=settings.key_prefix),
        waive=settings.waive,
        webhook_hosts=settings.webhooks_internal or (),
        otlp_endpoint=settings.otlp_endpoint,
    )


def embedded_pipeline(settings: Settings | None = None, progress: Progress | None = None) -> Pipeline:
    """A pipeline without services: `process` only, with a SQLite store whatever else is set."""
    settings = settings or read_settings()
    return _without_app(settings, open_store(settings.embedded_store), progress)


def store_pipeline(settings: Settings | None = None) -> Pipeline:
    """The stand-alone pipeline without its Celery app: it looks into the store, and publishes nothing."""
    settings = settings or read_settings()
    return _without_app(settings, settings.open_store())


def _without_app(settings: Settings, store: Store, progress: Progress | None = None) -> Pipeline:
    return Pipeline(
        None,
        store=store,
        sources=settings.sources(),
        options=settings.options(),
        policy=settings.policy(),
        progress=progress,
        webhook_hosts=settings.webhooks_internal or (),
        otlp_endpoint=settings.otlp_endpoint,
    )
