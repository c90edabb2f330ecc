"""What an importer does, for a process that is killed: imported once by the server that forks it."""

from __future__ import annotations

import supabase  # noqa: F401 - loaded before the fork, which makes each start cheap

from docpipe.cli.takeover.queue import importing as queue
from docpipe.pipeline.factory import new_pipeline
from docpipe.pipeline.settings import Settings


def settings_of(env: dict[str, str]) -> Settings:
    """The settings that these variables stand for."""
    names = {"SUPABASE_SECRET_KEY": "supabase_key"}
    values = {names.get(name, name.removeprefix("DOCPIPE_").lower()): text for name, text in env.items()}
    return Settings.model_validate(values)


def import_all(env: dict[str, str], batch: int) -> None:
    """As `docpipe queue import --batch`."""
    queue.import_rows(env["SUPABASE_DB_URL"], new_pipeline(settings_of(env)), batch=batch)
