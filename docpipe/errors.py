"""One tree of errors: each class knows its code, whether to retry, and what the reader can do.

A class's docstring is its default message. Vendor exceptions are translated into these once, in
the adapter that meets them.
"""

from __future__ import annotations

import builtins
import errno
from typing import ClassVar, Self


class DocpipeError(Exception):
    """Something went wrong in docpipe."""

    code: ClassVar[str] = "error"
    """Stable word stored with the failure; never changes between releases."""
    retryable: ClassVar[bool] = False
    """Whether the same input may succeed later without anybody's help."""
    remedy: ClassVar[str] = ""
    """What the reader can do, when it is the same for every case of this class."""

    def __init__(
        self, message: str | None = None, *, stage: str | None = None, code: str | None = None
    ) -> None:
        self.message = message or (self.__doc__ or "").strip().splitlines()[0]
        self.stage = stage
        self.document_uuid: str | None = None
        """Set once the document has a row."""
        if code is not None:  # an error read back from the store keeps the code it was stored with
            self.code = code  # type: ignore[misc]
        super().__init__(self.message)

    def __str__(self) -> str:
        if self.remedy and self.remedy not in self.message:
            return f"{self.message} {self.remedy}"
        return self.message


# --- wrong set-up -----------------------------------------------------------------------------


class ConfigurationError(DocpipeError):
    """docpipe is not set up for this."""

    code = "configuration"


class MissingExtraError(ConfigurationError):
    """An optional part of docpipe is not installed."""

    code = "missing_extra"

    @classmethod
    def for_module(cls, module: str, extra: str) -> MissingExtraError:
        """The error for `module`, which `docpipe-celery[extra]` would bring."""
        return cls(f"{module} is not installed. Run: pip install 'docpipe-celery[{extra}]'")


class SchemaError(ConfigurationError):
    """The database lacks something docpipe needs."""

    code = "schema"
    remedy = "Run: docpipe db check, then docpipe db apply."


class PermissionDeniedError(ConfigurationError):
    """The database key may not do this."""

    code = "permission_denied"
    remedy = "Use the service key (SUPABASE_SECRET_KEY), and run docpipe db apply as the database's owner."


class RequestTooLargeError(ConfigurationError):
    """A gateway takes no request of this size."""

    code = "request_too_large"
    remedy = "docpipe has split what it could: let the gateway take more, 1 MB at least."


class IdempotencyError(ConfigurationError):
    """The idempotency key of a submit belongs to another document of the project."""

    code = "idempotency"
    remedy = "Use a new key for each document; repeat a key only with the same bytes."

    @classmethod
    def of(cls, key: object, holder: str) -> Self:
        """The key, and the document that has it."""
        return cls(f"The idempotency key {key!r} stands for document {holder}, which has other bytes.")


# --- may work later ---------------------------------------------------------------------------


class TransientError(DocpipeError):
    """A service or resource is not available right now."""

    code = "transient"
    retryable = True


class StoreUnavailableError(TransientError):
    """The store cannot be reached."""

    code = "store_unavailable"


class BrokerUnavailableError(TransientError):
    """The message broker cannot be reached."""

    code = "broker_unavailable"


class SourceUnavailableError(TransientError):
    """The place where the document rests cannot be reached."""

    code = "source_unavailable"


class NoRoomError(TransientError):
    """There is no room for a file of docpipe's own, or no folder for it."""

    code = "no_room"
    remedy = (
        "Make room there, or name another folder: TMPDIR for temporary files, DOCPIPE_UPLOADS for copies."
        " It is tried again; `docpipe retry` resumes what failed."
    )

    @classmethod
    def of(cls, error: BaseException, place: object = None) -> Self | None:
        """The error, if a disk is full; `place` is named where the system does not name one."""
        if not isinstance(error, OSError) or error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            return None
        return cls(f"{error.filename or place or 'A file'} cannot be written: {error.strerror}.")


class RateLimitedError(TransientError):
    """A service asks for fewer requests."""

    code = "rate_limited"


class MemoryExhaustedError(TransientError):
    """The stage ran out of memory."""

    code = "memory"
    remedy = "Give the worker more memory, or lower its concurrency."


class StageTimeoutError(TransientError):
    """The stage ran longer than its time limit."""

    code = "timeout"
    remedy = "Raise the stage's time limit, or split the document."


class WorkerLostError(TransientError):
    """The worker died while it held the stage."""

    code = "worker_lost"


# --- will never work with this input ------------------------------------------------------------


class PermanentError(DocpipeError):
    """This document cannot be processed."""

    code = "permanent"


class RefusedByDatabaseError(PermanentError):
    """A rule of the database's own refuses what docpipe writes."""

    code = "refused_by_database"
    remedy = "Change that trigger or constraint, or what it asks for, and then: docpipe retry UUID."


class UnsupportedFormatError(PermanentError):
    """The document is of a type docpipe does not read."""

    code = "unsupported"
    remedy = "Convert it to PDF, DOCX, XLSX, EML, HTML, plain text or an image (PNG, JPEG, TIFF, WebP, BMP)."


class CorruptDocumentError(PermanentError):
    """The document is damaged and cannot be read."""

    code = "corrupt"
    remedy = "Open it in the program that made it and save it again."


class EncryptedDocumentError(PermanentError):
    """The document is protected by a password."""

    code = "encrypted"
    remedy = "Remove the password and submit it again."


class EmptyDocumentError(PermanentError):
    """The document holds no text."""

    code = "empty"
    remedy = "Check the file: it has no bytes, no pages or nothing readable on them."


class DocumentTooLargeError(PermanentError):
    """The document is larger than the limit."""

    code = "too_large"
    remedy = "Split it, or raise the limit in the settings."


class TooManyPagesError(DocumentTooLargeError):
    """The document has more pages than the limit."""

    code = "too_many_pages"


class TooManyPixelsError(DocumentTooLargeError):
    """An image is larger than the limit."""

    code = "too_many_pixels"


class TooManyPartsError(DocumentTooLargeError):
    """The document has more parts than the limit."""

    code = "too_many_parts"


class TooDeepError(DocumentTooLargeError):
    """The document is nested deeper than the limit."""

    code = "too_deep"


class ExpansionLimitError(DocumentTooLargeError):
    """The document unpacks to more than the limit."""

    code = "expansion_limit"


class ReadingTimeoutError(PermanentError):
    """Reading the document made no progress for too long."""

    code = "reading_timeout"
    remedy = "Split the document, or raise DOCPIPE_LIMITS__MAX_SECONDS."


class ReadingMemoryError(PermanentError):
    """Reading the document took too much memory."""

    code = "reading_memory"
    remedy = "Split the document, or raise DOCPIPE_LIMITS__MAX_MEMORY_BYTES."


class ReadingCrashError(PermanentError):
    """Reading the document crashed the library that reads it."""

    code = "reading_crash"
    remedy = "Open it in the program that made it and save it again."


class ReadingForbiddenError(PermanentError):
    """Reading the document tried what the process that reads it may not do."""

    code = "reading_forbidden"
    remedy = "The document may be hostile. If an engine needs it: docs/explanation/sandbox.md."


class SourceNotFoundError(PermanentError):
    """There is no document at this place."""

    code = "not_found"


class SourceForbiddenError(PermanentError):
    """The document may not be read from this place."""

    code = "forbidden"


class SourceRejectedError(PermanentError):
    """The source is not a regular file."""

    code = "rejected"


class SourceChangedError(PermanentError):
    """The file changed after it was submitted."""

    code = "source_changed"
    remedy = "Submit it again, or set DOCPIPE_UPLOADS so that docpipe keeps its own copy."


class DocumentNotFoundError(PermanentError):
    """The store knows no document with this uuid."""

    code = "document_not_found"
    remedy = "docpipe status lists those it knows."


class EntityNotFoundError(PermanentError):
    """The store knows no entity with this id."""

    code = "entity_not_found"
    remedy = "docpipe entities list shows those it knows, docpipe entities link joins new ones to them."


class CancelledError(PermanentError):
    """The document was cancelled."""

    code = "cancelled"


class PoisonDocumentError(PermanentError):
    """The stage was started too often without ending."""

    code = "poison"
    remedy = "The document stops workers: `docpipe status UUID` shows what became of each attempt."


class PausedError(TransientError):
    """Nothing is to begin at a stage, or at the documents of a project, for now."""

    code = "paused"
    remedy = "`docpipe doctor` says what is paused, and `docpipe resume --all` or its like lets it go on."


class WaitTimeoutError(DocpipeError, builtins.TimeoutError):
    """The document did not reach a final state in time."""

    code = "wait_timeout"


class BugError(DocpipeError):
    """An unexpected error, most likely a fault in docpipe or in a host's own stage."""

    code = "bug"
    remedy = "The traceback is in the ledger (docpipe status UUID) and in the worker's log."


class InconsistentGraphError(BugError):
    """The graph of the document is not whole."""

    code = "inconsistent_graph"


def _subclasses(cls: type[DocpipeError]) -> list[type[DocpipeError]]:
    return [cls, *(deep for sub in cls.__subclasses__() for deep in _subclasses(sub))]


def from_code(code: str, message: str, *, stage: str | None = None) -> DocpipeError:
    """The error that was stored as `code`; an unknown code (a host's own) becomes `PermanentError`."""
    by_code = {cls.code: cls for cls in _subclasses(DocpipeError)}
    return by_code.get(code, PermanentError)(message, stage=stage, code=code)
