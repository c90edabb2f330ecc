"""Objects in S3, or a service that speaks its protocol (`AWS_ENDPOINT_URL`)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

import boto3
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError

from docpipe.errors import (
    ConfigurationError,
    DocpipeError,
    SourceForbiddenError,
    SourceNotFoundError,
    SourceUnavailableError,
)

_BLOCK = 1 << 20


class S3:
    """The `s3://bucket/key` place; credentials and region come from the usual AWS settings.

    The key is written as it is, as in AWS's own tools: nothing in it is quoted.
    """

    def __init__(self) -> None:
        try:
            self._client = boto3.Session().client("s3")  # a session of our own: the host's stays as it is
        except (BotoCoreError, ValueError) as error:
            raise ConfigurationError(f"The AWS settings cannot be used: {error}.") from error

    def open(self, uri: str) -> Iterator[bytes]:
        bucket, key = _split(uri)
        try:
            body = self._client.get_object(Bucket=bucket, Key=key)["Body"]
            yield from body.iter_chunks(_BLOCK)
        except (ClientError, BotoCoreError) as error:
            raise _translated(error, uri) from error

    def put(self, uri: str, data: IO[bytes]) -> None:
        bucket, key = _split(uri)
        try:
            self._client.upload_fileobj(data, bucket, key)
        except (ClientError, BotoCoreError) as error:
            raise _translated(error, uri) from error


def _split(uri: str) -> tuple[str, str]:
    bucket, _, key = uri.partition("://")[2].partition("/")
    if not bucket or not key:
        raise SourceNotFoundError(f"{uri} names no object. Write s3://bucket/key.")
    return bucket, key


def _translated(error: ClientError | BotoCoreError, uri: str) -> DocpipeError:
    code = error.response.get("Error", {}).get("Code", "") if isinstance(error, ClientError) else ""
    if code in {"NoSuchKey", "NoSuchBucket", "404"}:
        return SourceNotFoundError(f"There is no object {uri} ({code}).")
    if code in {"AccessDenied", "403", "InvalidAccessKeyId", "SignatureDoesNotMatch"}:
        return SourceForbiddenError(f"{uri} may not be read or written with these AWS credentials ({code}).")
    if isinstance(error, NoCredentialsError | PartialCredentialsError):
        return SourceForbiddenError(
            f"{uri} cannot be read or written without AWS credentials: {error}."
            " Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile or role."
        )
    return SourceUnavailableError(f"S3 fails on {uri}: {error}.")
