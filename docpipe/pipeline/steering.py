"""What holds documents back and lets them go on: pauses, and limits of what is in flight."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from docpipe.errors import ConfigurationError
from docpipe.execution.plan import StageSpec
from docpipe.execution.policy import Policy
from docpipe.pipeline.documents import Documents
from docpipe.pipeline.pausing import pause_of
from docpipe.pipeline.sharing import checked
from docpipe.stores.pause_port import Pause
from docpipe.stores.share_port import Limit, Share

if TYPE_CHECKING:
    from celery import Celery

    from docpipe.delivery.dispatch import Dispatch


class Steering(Documents):
    """Documents that are published on a Celery app, and when."""

    app: Celery | None
    stages: tuple[StageSpec, ...]
    policy: Policy

    def _app(self) -> Celery:
        if self.app is None:
            raise ConfigurationError("This pipeline has no Celery app. Use process(), or Pipeline(app, …).")
        return self.app

    @cached_property
    def _dispatch(self) -> Dispatch:
        from docpipe.delivery.dispatch import Dispatch  # noqa: PLC0415 - brings Celery

        return Dispatch(self._app(), self.store, self.stages)

    def _admit(self) -> None:
        self._dispatch.admit_after_end()

    def limit(self, limit: Limit) -> int:
        """Limit how many documents are in flight, all or of a project, or weigh a project; a limit that says
        nothing takes it away. It holds for good, whatever restarts.

        Returns:
            How many documents that waited go on.

        Raises:
            ConfigurationError: a number is too small, or there is no such project id.
        """
        self.store.limit(checked(limit))
        return len(self._dispatch.admit())

    def unpause(self, *, stage: str | None = None, project_id: str | None = None) -> int:
        """Take a pause back, and publish the documents that it held.

        Returns:
            How many documents go on. What the broker does not take, the reaper publishes later.

        Raises:
            ConfigurationError: as `pause`.
        """
        from docpipe.delivery.pausing import release  # noqa: PLC0415 - brings Celery

        self.store.unpause(pause_of(self.stages, stage, project_id))
        count = release(self._dispatch, self.policy.ranges_at_once)
        return count + len(self._dispatch.admit())

    def limits(self) -> list[Limit]:
        """All limits and weights."""
        return self.store.limits()

    def shares(self) -> list[Share]:
        """What each project has in flight and waiting."""
        return self.store.shares()

    def pause(self, *, stage: str | None = None, project_id: str | None = None) -> bool:
        """Let no attempt begin at a stage, at a project's documents (`""`: those without one), or, without
        either, at anything; what works already ends its stage. It holds until `unpause`, whatever restarts.

        Returns:
            False if that was paused before.

        Raises:
            ConfigurationError: the pipeline has no such stage, or both are given.
        """
        return self.store.pause(pause_of(self.stages, stage, project_id))

    def paused(self) -> list[Pause]:
        """What is paused, the oldest first."""
        return self.store.paused()
