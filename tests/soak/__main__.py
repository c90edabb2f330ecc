"""`python -m tests.soak --seed 1 --documents 1000`: prints what it found; exit code 1 unless all is well."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

from docpipe.stores.values import PRIORITIES
from tests.faults.field import opened_pipeline
from tests.faults.fleet import Fleet
from tests.soak.chaos import Chaos
from tests.soak.soak import Plan, Report, quiet_run, soak
from tests.soak.texts import texts
from tests.stack import Stack

WORKERS = 3
SETTINGS = {
    "DOCPIPE_LEASE_SECONDS": "5",
    "DOCPIPE_GRACE_SECONDS": "5",
    "DOCPIPE_REAP_SECONDS": "3",
    "DOCPIPE_BACKOFF_SECONDS": "0.5",
    "DOCPIPE_OUTAGE_SECONDS": "60",
    "DOCPIPE_SOFT_TIME_LIMIT": "15",
    "DOCPIPE_HARD_TIME_LIMIT": "20",
    "SOFT_SHUTDOWN_SECONDS": "2",
}
HOST = {
    "task_serializer": "pickle",
    "result_serializer": "pickle",
    "accept_content": ["pickle", "json"],
    "task_compression": "gzip",
    "task_annotations": {"*": {"acks_late": False, "serializer": "pickle", "expires": 5}},
    "broker_transport_options": {
        "priority_steps": [*range(10)],
        "sep": ":",
        "queue_order_strategy": "priority",
    },
}
"""Settings of Celery that a host may have for its own tasks."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--documents", type=int, default=1000)
    parser.add_argument("--seconds", type=float, help="of random faults; by default 0.24 for each document")
    parser.add_argument("--outage", type=float, default=300.0, help="seconds without API, in the middle")
    parser.add_argument("--host", action="store_true", help="with a host's settings, and all priorities")
    told = parser.parse_args()
    if told.host:
        os.environ |= {"HOST_SETTINGS": json.dumps(HOST), "C_FORCE_ROOT": "1"}  # root may not unpickle else
    seconds = told.seconds or 0.24 * told.documents
    _say(f"soak: seed {told.seed}, {told.documents} documents, {seconds:g} s of faults")
    with tempfile.TemporaryDirectory() as name:
        report = run(Path(name), told, seconds)
    for line in report.lines():
        _say(f"soak: {line}")
    return 0 if report.good else 1


def run(folder: Path, told: argparse.Namespace, seconds: float) -> Report:
    """Start servers and workers in `folder`, and soak them."""
    documents = list(texts(told.seed, told.documents))
    priorities = PRIORITIES if told.host else (0,)
    plan = Plan(documents, quiet_run(documents, folder), seconds, told.outage, priorities)
    with Stack(folder / "stack") as stack:
        redis_url = stack.redis.database_url(1)
        marks = {"FAULTS_FOLDER": str(folder), "DOCPIPE_UPLOADS": str(folder / "uploads")}
        env = stack.env | SETTINGS | marks | {"REDIS_URL": redis_url}
        os.environ.update(env)
        with opened_pipeline() as pipeline, Fleet(folder, env) as fleet:
            for _ in range(WORKERS):
                fleet.start_worker("ocr,text,entity,graph", concurrency=2)
            fleet.start_beat()
            fleet.wait_until_ready()
            return soak(plan, stack, pipeline, Chaos(stack, fleet, told.seed), redis_url)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
