"""The library `openai`, as docpipe uses it: no redirects, and its errors in docpipe's words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import openai

from docpipe.errors import ConfigurationError, RateLimitedError, TransientError


def client(settings: dict[str, Any]) -> openai.OpenAI:
    """One that asks the configured address alone: a redirect would take the texts to another."""
    return openai.OpenAI(**settings, http_client=openai.DefaultHttpxClient(follow_redirects=False))


@contextmanager
def translated(engine: str) -> Iterator[None]:
    """Translates errors of requests made for `engine`."""
    try:
        yield
    except openai.RateLimitError as error:
        raise RateLimitedError(f"{engine} asks for fewer requests: {error}") from error
    except (openai.APIConnectionError, openai.InternalServerError) as error:
        raise TransientError(f"{engine} cannot be reached or failed: {error}") from error
    except openai.APIStatusError as error:
        raise ConfigurationError(f"{engine} refused the request: {error}") from error
