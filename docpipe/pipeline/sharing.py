"""What a limit is asked for."""

from __future__ import annotations

from docpipe.errors import ConfigurationError
from docpipe.stores.ids import may_be_stored
from docpipe.stores.share_port import Limit


def checked(limit: Limit) -> Limit:
    """The limit, if it is one. Raises `ConfigurationError`."""
    for name in ("in_flight", "per_day"):
        value = getattr(limit, name)
        if value is not None and (not isinstance(value, int) or value < 1):
            raise ConfigurationError(f"{name} is {value!r}; it must be at least 1. To hold all back, pause.")
    if not 0 < limit.weight < float("inf"):
        raise ConfigurationError(f"weight is {limit.weight!r}; it must be more than 0.")
    if limit.project_id is None and limit.weight != 1:
        raise ConfigurationError("A weight is a project's: name the project.")
    if not may_be_stored(limit.project_id or ""):
        raise ConfigurationError(f"project_id={limit.project_id!a} holds NUL or an unpaired surrogate.")
    return limit
