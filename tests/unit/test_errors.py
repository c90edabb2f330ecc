"""The one tree of errors: codes, remedies, and the way back from the store."""

from __future__ import annotations

import pickle

import pytest

from docpipe import errors
from docpipe.errors import DocpipeError, from_code

# Only docpipe's own: other tests, run before this one in the same process, make classes too.
OURS = {cls for cls in errors._subclasses(DocpipeError) if cls.__module__.startswith("docpipe.")}
CLASSES = sorted(OURS, key=lambda cls: cls.__name__)
BRANCHES = (errors.TransientError, errors.PermanentError, errors.ConfigurationError, errors.BugError)


@pytest.mark.parametrize("cls", CLASSES)
def test_a_class_says_in_one_sentence_what_happened(cls: type[DocpipeError]) -> None:
    assert cls.__doc__ is not None
    assert cls().message == cls.__doc__.strip().splitlines()[0]
    assert cls().message.endswith(".")
    assert cls.remedy == "" or cls.remedy.endswith(".")


@pytest.mark.parametrize("cls", CLASSES)
def test_an_error_comes_back_from_its_code_as_what_it_was(cls: type[DocpipeError]) -> None:
    error = cls("scan.pdf is torn.", stage="ocr")
    stored = from_code(error.code, str(error), stage=error.stage)
    assert type(stored) is cls
    assert (str(stored), stored.stage, stored.retryable) == (str(error), "ocr", cls.retryable)


def test_no_two_classes_share_a_code() -> None:
    codes = [cls.code for cls in CLASSES]
    assert len(codes) == len(set(codes))


def test_only_transient_errors_are_tried_again() -> None:
    again = {cls for cls in CLASSES if cls.retryable}
    assert again == {cls for cls in CLASSES if issubclass(cls, errors.TransientError)}


@pytest.mark.parametrize("cls", CLASSES)
def test_every_error_belongs_to_one_branch(cls: type[DocpipeError]) -> None:
    branches = [branch for branch in BRANCHES if issubclass(cls, branch)]
    assert len(branches) == (cls not in {DocpipeError, errors.WaitTimeoutError})


def test_a_message_names_the_remedy_once() -> None:
    error = errors.EncryptedDocumentError("a.pdf is protected by a password.")
    assert str(error) == "a.pdf is protected by a password. Remove the password and submit it again."
    assert str(errors.EncryptedDocumentError(str(error))) == str(error)


@pytest.mark.parametrize("cls", CLASSES)
def test_an_error_crosses_processes(cls: type[DocpipeError]) -> None:
    error = cls("torn", stage="graph")
    error.document_uuid = "6ab4b8f7"
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy), vars(copy)) == (cls, str(error), vars(error))


def test_a_code_of_the_host_s_own_is_kept_as_a_permanent_error() -> None:
    error = from_code("no_signature", "The contract is not signed.", stage="classify")
    assert type(error) is errors.PermanentError
    assert vars(error) == {
        "message": "The contract is not signed.",
        "stage": "classify",
        "document_uuid": None,
        "code": "no_signature",
    }
    assert errors.PermanentError.code == "permanent"


def test_a_missing_extra_names_its_pip_line() -> None:
    error = errors.MissingExtraError.for_module("boto3", "s3")
    assert str(error) == "boto3 is not installed. Run: pip install 'docpipe-celery[s3]'"


def test_waiting_too_long_is_also_python_s_own_time_out() -> None:
    assert issubclass(errors.WaitTimeoutError, TimeoutError)
