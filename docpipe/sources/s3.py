"""Objects in S3, or a service that speaks its protocol (`AWS_ENDPOINT_URL`)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

import boto3
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
)

from docpipe.errors import (
    ConfigurationError,
    DocpipeError,
    RateLimitedError,
    SourceForbiddenError,
    SourceNotFoundError,
    SourceRejectedError,
    SourceUnavailableError,
)
from docpipe.models.masking import masked
from docpipe.sources.locators import parsed

_BLOCK = 1 << 20
_BUSY = frozenset(
    {"SlowDown", "RequestLimitExceeded", "Throttling", "ThrottlingException", "TooManyRequests"}
)
_MAY_PASS = frozenset(
    {"RequestTimeout", "RequestTimeTooSkewed", "OperationAborted", "ConditionalRequestConflict"}
)
_FORBIDDEN = frozenset({"ExpiredToken", "InvalidToken", "TokenRefreshRequired", "InvalidAccessKeyId"})
_ELSEWHERE = frozenset(
    {"PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"}
)
"""S3's error codes, where the HTTP status alone would mislead (AWS, "Error responses")."""


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

    def remove(self, uri: str) -> None:
        bucket, key = _split(uri)
        try:
            self._client.delete_object(Bucket=bucket, Key=key)
        except (ClientError, BotoCoreError) as error:
            raise _translated(error, uri) from error


def _split(uri: str) -> tuple[str, str]:
    locator = parsed(uri)
    if not locator.path:
        raise SourceNotFoundError(f"{masked(uri)} names no object. Write s3://bucket/key.")
    return locator.place, locator.path


def _translated(error: ClientError | BotoCoreError, locator: str) -> DocpipeError:
    uri = masked(locator)
    if isinstance(error, ClientError):
        return _refused(error, uri)
    if isinstance(error, NoCredentialsError | PartialCredentialsError):
        return SourceForbiddenError(
            f"{uri} cannot be read or written without AWS credentials: {error}."
            " Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile or role."
        )
    if isinstance(error, ParamValidationError):
        return SourceNotFoundError(f"There can be no object {uri}: {error}")
    return SourceUnavailableError(f"S3 fails on {uri}: {error}.")


def _refused(error: ClientError, uri: str) -> DocpipeError:
    """What the service's answer means: by its code where that says more than the status."""
    code = error.response.get("Error", {}).get("Code", "")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in _BUSY or status == 429:
        return RateLimitedError(f"S3 asks for fewer requests ({code}).")
    if code in _MAY_PASS or status >= 500:
        return SourceUnavailableError(f"S3 fails on {uri}: {error}.")
    if status == 404:
        return SourceNotFoundError(f"There is no object {uri} ({code}).")
    if status in {401, 403} or code in _FORBIDDEN:
        return SourceForbiddenError(f"{uri} may not be read or written with these AWS credentials ({code}).")
    if status in {301, 307} or code in _ELSEWHERE:
        return ConfigurationError(f"{uri} lies in another region. Set AWS_DEFAULT_REGION. ({error})")
    return SourceRejectedError(f"S3 refuses {uri}: {error}.")
