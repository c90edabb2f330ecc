"""Vectors by an address that speaks OpenAI's embeddings protocol."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import openai
from pydantic import SecretStr

from docpipe.engines.openai_client import client, translated
from docpipe.errors import ConfigurationError, TransientError


class OpenAiEncoder:
    """Asks a server for the vectors of texts, some at a time.

    Args:
        model: the model's name at that address.
        base_url: the address up to `/v1`; OpenAI's own if not given.
        api_key: a key; servers that need none take any.
        max_characters: of one text, at most.
        at_once: texts of one request.
        timeout: seconds to wait for one answer.
        max_retries: how often one request is retried, with back-off, or as long as `Retry-After` says.

    Raises:
        ConfigurationError: no model or key is given.
    """

    def __init__(
        self,
        model: str = "",
        base_url: str | None = None,
        api_key: SecretStr | str | None = None,
        max_characters: int = 500,
        at_once: int = 64,
        timeout: float = 60.0,
        max_retries: int = 4,
    ) -> None:
        if not model:
            raise ConfigurationError("The openai engine needs a model's name. Set DOCPIPE_EMBED_MODEL.")
        if not api_key:
            raise ConfigurationError("The openai engine needs a key. Set DOCPIPE_EMBED_KEY.")
        key = api_key.get_secret_value() if isinstance(api_key, SecretStr) else api_key
        self.name = f"openai:{model}"
        self.max_characters = int(max_characters)
        self._model = model
        self._at_once = int(at_once)
        self._settings: dict[str, Any] = {
            "base_url": base_url,
            "api_key": key,
            "timeout": timeout,
            "max_retries": max_retries,
        }

    def embed(self, texts: Sequence[str]) -> Iterator[list[float]]:
        """The vector of each text, in the order of the texts.

        Raises:
            RateLimitedError: the server still asked for fewer requests after the last retry.
            TransientError: it could not be reached, failed, or answered for fewer texts than asked.
            ConfigurationError: it refused the key, the model or the request.
        """
        with client(self._settings) as asked:
            for start in range(0, len(texts), self._at_once):
                yield from self._asked(asked, list(texts[start : start + self._at_once]))

    def _asked(self, client: openai.OpenAI, texts: list[str]) -> list[list[float]]:
        with translated(self.name):
            answer = client.embeddings.create(model=self._model, input=texts, encoding_format="float")
        found = {each.index: each.embedding for each in answer.data}
        if found.keys() != set(range(len(texts))):
            raise TransientError(f"{self.name} answered {len(found)} vectors for {len(texts)} texts.")
        return [found[index] for index in range(len(texts))]
