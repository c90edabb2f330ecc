"""The program under fire: the real stages on tiny text documents, each with a place for a bomb."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from celery import Celery

from docpipe.delivery.tasks import celery_defaults
from docpipe.execution.job import Job
from docpipe.execution.plan import BUILT_IN, StageSpec
from docpipe.models import StageOutput
from docpipe.pipeline.pipeline import Pipeline
from docpipe.pipeline.settings import Settings
from tests.engines import OPTIONS
from tests.faults import bombs
from tests.faults.mined import ISOLATED

TEXT = b"Ann met Bob in Paris on 3 May 2024.\n\nOn 4 May 2024 Carol Dunn paid USD 1,200.00 to Acme Corp.\n"


def armed(stage: StageSpec) -> StageSpec:
    """The stage, which dies where the document's bomb says so and works as ever where it does not."""
    work: Callable[[Job], StageOutput] = stage.load()

    def work_or_die(job: Job) -> StageOutput:
        bombs.set_off(job.document.metadata, stage.name, job.document.document_uuid)
        return work(job)

    return replace(stage, work=work_or_die)


def _as_the_host_has_it(app: Celery) -> None:
    """The settings in `HOST_SETTINGS`, as JSON; the options of the broker beside those that there are."""
    told: dict[str, Any] = json.loads(os.environ.get("HOST_SETTINGS", "{}"))
    options = app.conf.broker_transport_options | told.pop("broker_transport_options", {})
    app.conf.update(told, broker_transport_options=options)


def new_pipeline(settings: Settings) -> Pipeline:
    """docpipe's own pipeline, but for the bombs, the tools, and short waits."""
    policy = replace(settings.policy(), backoff_cap_seconds=5.0)
    url = settings.redis_url.get_secret_value()
    app = Celery("faults", broker=url, backend=url, set_as_current=False)
    app.conf.update(celery_defaults(policy, prefix=settings.key_prefix))
    _as_the_host_has_it(app)
    app.conf.update(worker_soft_shutdown_timeout=float(os.environ.get("SOFT_SHUTDOWN_SECONDS", "0")))
    return Pipeline(
        app,
        store=settings.open_store(),
        sources=settings.sources(),
        stages=tuple(map(armed, BUILT_IN)),
        options=ISOLATED if "FAULTS_ISOLATED" in os.environ else OPTIONS,
        policy=policy,
    )
