"""How an attempt fails: what its exception means, what the ledger keeps of it, and what the task is told."""

from __future__ import annotations

import traceback
from collections.abc import Mapping

from docpipe.errors import BugError, DocpipeError, MemoryExhaustedError, NoRoomError, TransientError
from docpipe.models import Failure

_TRACEBACK_CHARACTERS = 8_000


class TryAgainError(Exception):
    """The attempt failed, the ledger says `retrying`, and the next attempt is due in `seconds`."""

    def __init__(self, error: DocpipeError, seconds: float) -> None:
        super().__init__(str(error))
        self.error = error
        self.seconds = seconds


class UnclaimedError(Exception):
    """The store lets this process begin nothing: it lacks a right or a function. No document is at fault."""

    def __init__(self, error: DocpipeError) -> None:
        super().__init__(str(error))
        self.error = error


class UnrecordedError(TransientError):
    """How the attempt ended could not be recorded in the store."""

    code = "unrecorded"
    remedy = "Nothing is lost: the stage is resumed when its lease has lapsed and the store is back."


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
