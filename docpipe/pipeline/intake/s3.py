"""Objects in S3: all that lie below a prefix, or those that S3 reports to an SQS queue.

An object is done when its row is committed; only then is it noted, or its message deleted. After a crash
it is read again, and the store recognises bytes that it has.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

import boto3
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as AwsConnectionError

from docpipe.errors import (
    ConfigurationError,
    DocpipeError,
    PermanentError,
    SourceForbiddenError,
    SourceNotFoundError,
    SourceRejectedError,
    SourceUnavailableError,
)
from docpipe.execution.logs import get_logger
from docpipe.models.masking import masked
from docpipe.pipeline.intake.choose import Choice
from docpipe.pipeline.intake.journal import Entry, Journal
from docpipe.pipeline.pipeline import Pipeline
from docpipe.sources.allowed import Trusted
from docpipe.sources.locators import parsed_prefix

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_sqs import SQSClient
    from types_boto3_sqs.type_defs import MessageTypeDef

log = get_logger(__name__)

_FORBIDDEN = {"AccessDenied", "403", "InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidClientTokenId"}
_WRONG = {"NoSuchBucket", "AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist", "404"}
_PAUSE_SECONDS = 5.0
_BATCH = 10  # the most that SQS gives at once
ATTEMPTS = 5
"""How often a message that will never do is looked at when no dead-letter queue would take it."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of one object; one of the two is set."""

    uri: str
    document_uuid: str | None
    error: str | None


@dataclass(frozen=True, slots=True)
class Intake:
    """Which objects, and how they are submitted."""

    choice: Choice = field(default_factory=Choice)
    project_id: str | None = None
    priority: int | None = None

    def takes(self, key: str, size: int | None) -> bool:
        """Whether an object is a document: by the last part of its name, and it has bytes."""
        return size != 0 and self.choice.takes(key.rpartition("/")[2])

    def submit(self, pipeline: Pipeline, source: str | Trusted) -> str:
        """Raises `DocpipeError`."""
        return pipeline.submit(source, project_id=self.project_id, priority=self.priority).document_uuid


def sync(pipeline: Pipeline, uri: str, intake: Intake, journal: Journal) -> Iterator[Taken]:
    """Submit every object below `uri` that is new or has changed since the journal noted it.

    Raises:
        ConfigurationError: `uri` is no `s3://bucket/prefix`, or there is no such bucket.
        SourceForbiddenError, SourceUnavailableError: the prefix cannot be listed.
    """
    bucket, prefix = _bucket_and_prefix(uri)
    with _translating(uri):
        client: S3Client = boto3.Session().client("s3")
    for key, version in _objects(client, bucket, prefix, intake):
        place = f"s3://{bucket}/{key}"
        entry = journal.find(place.encode())
        if entry is None or entry.version != version:
            yield _taken(pipeline, place, version, intake, journal)


def _objects(client: S3Client, bucket: str, prefix: str, intake: Intake) -> Iterator[tuple[str, str]]:
    """Key and version of the objects that are documents."""
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    with _translating(f"s3://{bucket}/{prefix}"):
        for page in pages:
            for found in page.get("Contents", ()):
                if intake.takes(found["Key"], found["Size"]):
                    yield found["Key"], f"{found['ETag']}-{found['Size']}"


def _taken(pipeline: Pipeline, uri: str, version: str, intake: Intake, journal: Journal) -> Taken:
    try:
        uuid = intake.submit(pipeline, Trusted(uri))  # it lies below what the operator named
    except DocpipeError as error:
        reason = f"{error} ({error.code})"
        if not error.retryable and not isinstance(error, ConfigurationError):
            journal.note(uri.encode(), Entry(version, None, reason))
        return Taken(uri, None, reason)
    journal.note(uri.encode(), Entry(version, uuid, None))
    return Taken(uri, uuid, None)


class Listener:
    """Takes in what S3's event messages in an SQS queue name: from S3 itself, through SNS or EventBridge."""

    def __init__(self, pipeline: Pipeline, queue: str, intake: Intake) -> None:
        """
        Args:
            queue: address or name of the SQS queue.

        Raises:
            ConfigurationError: there is no such queue.
        """
        self._pipeline, self._intake = pipeline, intake
        with _translating(queue):
            self._client: SQSClient = boto3.Session().client("sqs")
            self._url = queue if "://" in queue else self._client.get_queue_url(QueueName=queue)["QueueUrl"]
            found = self._client.get_queue_attributes(QueueUrl=self._url, AttributeNames=["RedrivePolicy"])
        self.has_dead_letters = "RedrivePolicy" in found.get("Attributes", {})
        """Whether SQS puts messages aside that cannot be taken; else they are given up here."""

    def listen(self, stop: Event) -> None:
        """Take messages until `stop` is set; the batch at hand is finished first.

        Raises:
            ConfigurationError, SourceForbiddenError: the queue is gone, or may not be read.
        """
        while not stop.is_set():
            try:
                self.take()
            except SourceUnavailableError as error:
                log.warning("queue_not_read", error=str(error))
                stop.wait(_PAUSE_SECONDS)

    def take(self, wait_seconds: int = 10) -> int:
        """Take one batch, waiting for it at most `wait_seconds`; how many messages were done with."""
        with _translating(self._url):
            answer = self._client.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=_BATCH,
                WaitTimeSeconds=wait_seconds,
                MessageSystemAttributeNames=["ApproximateReceiveCount"],
            )
        return sum(self._take(message) for message in answer.get("Messages", ()))

    def _take(self, message: MessageTypeDef) -> bool:
        """Delete the message once all its objects have their rows; else it comes back by itself."""
        try:
            for uri in self._named(message["Body"]):
                self._submit(uri)
        except DocpipeError as error:
            log.warning("object_not_taken", message=message["MessageId"], code=error.code, error=str(error))
            never = isinstance(error, PermanentError) and not isinstance(error, SourceForbiddenError)
            if not (never and self._gives_up(message)):
                return False
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            log.warning("message_not_understood", message=message["MessageId"], error=repr(error))
            if not self._gives_up(message):
                return False
        with _translating(self._url):
            self._client.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
        return True

    def _submit(self, uri: str) -> None:
        try:
            uuid = self._intake.submit(self._pipeline, uri)
        except SourceNotFoundError:
            log.warning("object_gone", uri=masked(uri))  # deleted since: there is nothing to take
        else:
            log.info("object_taken", uri=masked(uri), document=uuid)

    def _gives_up(self, message: MessageTypeDef) -> bool:
        """Whether the message has come often enough; what is in it is logged before it goes."""
        received = int(message.get("Attributes", {}).get("ApproximateReceiveCount", "1"))
        if self.has_dead_letters or received < ATTEMPTS:
            return False
        log.error("message_given_up", message=message["MessageId"], attempts=received, body=message["Body"])
        return True

    def _named(self, body: str) -> list[str]:
        return [uri for uri, key, size in created(json.loads(body)) if self._intake.takes(key, size)]


def created(event: Mapping[str, Any]) -> Iterator[tuple[str, str, int | None]]:
    """Locator, key and size of each object that the message says was created.

    Raises:
        KeyError, TypeError, ValueError: it is no message about objects.
    """
    if event.get("Type") == "Notification":  # wrapped by SNS
        yield from created(json.loads(event["Message"]))
    elif "detail-type" in event:  # from EventBridge, which quotes nothing
        if event["detail-type"] == "Object Created":
            yield _located(event["detail"], event["detail"]["object"]["key"])
    elif event.get("Event") != "s3:TestEvent":
        for record in event["Records"]:
            if record["eventName"].startswith("ObjectCreated"):
                yield _located(record["s3"], unquote_plus(record["s3"]["object"]["key"]))


def _located(detail: Mapping[str, Any], key: str) -> tuple[str, str, int | None]:
    return f"s3://{detail['bucket']['name']}/{key}", key, detail["object"].get("size")


def _bucket_and_prefix(uri: str) -> tuple[str, str]:
    """The prefix as it is written: `in` also begins the keys below `in-2024/`, as in AWS's own tools."""
    try:
        locator = parsed_prefix(uri)
    except SourceRejectedError as error:
        raise ConfigurationError(f"{error} Write s3://bucket/prefix.") from None
    if locator.scheme != "s3":
        raise ConfigurationError(f"{masked(uri)} is not a place in S3. Write s3://bucket/prefix.")
    return locator.place, uri.partition("://")[2].partition("/")[2]


@contextmanager
def _translating(what: str) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        raise _translated(error, what) from error
    except (AwsConnectionError, HTTPClientError) as error:
        raise SourceUnavailableError(f"AWS cannot be reached for {what}: {error}") from error
    except (BotoCoreError, ValueError) as error:
        raise ConfigurationError(f"{what} cannot be reached with these AWS settings: {error}.") from error


def _translated(error: ClientError, what: str) -> DocpipeError:
    code: str = error.response.get("Error", {}).get("Code", "")
    if code in _WRONG:
        return ConfigurationError(f"There is no {what} ({code}). Create it, or correct its name.")
    if code in _FORBIDDEN:
        return SourceForbiddenError(f"{what} may not be read with these AWS credentials ({code}).")
    return SourceUnavailableError(f"AWS fails on {what}: {error}.")
