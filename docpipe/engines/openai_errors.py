"""What the library `openai` raises, in docpipe's words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import openai

from docpipe.errors import ConfigurationError, RateLimitedError, TransientError


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
