"""What a pause is asked for."""

from __future__ import annotations

from collections.abc import Sequence

from docpipe.errors import ConfigurationError
from docpipe.execution.plan import StageSpec
from docpipe.stores.ids import may_be_stored
from docpipe.stores.pause_port import Pause, Paused


def pause_of(stages: Sequence[StageSpec], stage: str | None, project_id: str | None) -> Pause:
    """The pause of a stage, of a project, or of everything. Raises `ConfigurationError`."""
    if stage is not None and project_id is not None:
        raise ConfigurationError("Pause a stage or a project, not both in one.")
    names = [spec.name for spec in stages]
    if stage is not None and stage not in names:
        raise ConfigurationError(f"There is no stage {stage!a}; it is one of {', '.join(names)}.")
    if project_id is not None and not may_be_stored(project_id):
        raise ConfigurationError(f"project_id={project_id!a} holds NUL or an unpaired surrogate.")
    if stage is not None:
        return Pause(Paused.STAGE, stage)
    return Pause() if project_id is None else Pause(Paused.PROJECT, project_id)
