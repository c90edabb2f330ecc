"""What an attempt's exception means, and what the ledger keeps of it."""

from __future__ import annotations

import traceback
from collections.abc import Mapping

from docpipe.errors import BugError, DocpipeError, MemoryExhaustedError, NoRoomError
from docpipe.models import Failure

_TRACEBACK_CHARACTERS = 8_000


def translated(
    raised: BaseException, translations: Mapping[type[BaseException], type[DocpipeError]]
) -> DocpipeError:
    """An exception that is none of docpipe's, as one of these. `translations`: what the host's own mean."""
    for kind, meaning in translations.items():
        if isinstance(raised, kind):
            return meaning()
    if isinstance(raised, MemoryError):
        return MemoryExhaustedError()
    return NoRoomError.of(raised) or BugError(f"{type(raised).__name__}: {raised}")


def failure_of(error: DocpipeError, stage: str) -> Failure:
    """With the end of its traceback."""
    tail = "".join(traceback.format_exception(error))[-_TRACEBACK_CHARACTERS:]
    return Failure(error.code, type(error).__name__, str(error), stage, tail)
