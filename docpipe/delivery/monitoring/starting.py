"""What a worker does first: it lets itself be watched, and starts on no settings that lose documents."""

from __future__ import annotations

from docpipe.delivery.monitoring.deployment import Deployment
from docpipe.delivery.monitoring.doctor import examine
from docpipe.delivery.monitoring.liveness import watch


def begin_worker(deployment: Deployment) -> None:
    """Let the worker say that it lives, and end it where a check that nobody waived is wrong.

    Raises:
        SystemExit: each check that stops it, and what to do.
    """
    watch(deployment.app, deployment.queues, deployment.policy.hard_time_limit)
    fatal = [each for each in examine(deployment, consumers=False) if not each.ok and each.fatal]
    if fatal:
        told = "\n".join(f"  {each.check}: {each.message}" for each in fatal)
        remedy = "Mend that; or name in DOCPIPE_WAIVE what you know to be harmless."
        raise SystemExit(f"docpipe: the worker does not start:\n{told}\n{remedy}")
