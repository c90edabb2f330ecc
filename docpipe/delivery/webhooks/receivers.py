"""Which addresses may be told: public ones by https, and hosts of the own network that were named."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from docpipe.errors import ConfigurationError
from docpipe.models.masking import masked
from docpipe.sources.addresses import Address, is_public

_PORTS = {"https": 443, "http": 80}
_MAX_CHARACTERS = 2000


@dataclass(frozen=True, slots=True)
class Receivers:
    """What may be told.

    Args:
        internal: hosts, `name` or `name:port`, that may have addresses of the own network and may be told by
            http, too.
    """

    internal: Collection[str] = ()

    def checked(self, url: str) -> SplitResult:
        """The address in its parts.

        Raises:
            ConfigurationError: it is none that may be told.
        """
        parts, shown = _parts(url), masked(url)
        if parts is None or not parts.hostname or parts.scheme not in _PORTS or len(url) > _MAX_CHARACTERS:
            raise ConfigurationError(f"{shown} is no address of a webhook. Give https://host/path.")
        if "@" in parts.netloc:
            raise ConfigurationError(
                f"{shown} holds a user or password. Leave them out: what is sent is signed."
            )
        if parts.scheme == "http" and not self._is_internal(parts):
            raise ConfigurationError(
                f"{shown} is not told: only https:// is. For a host of your own network, name it in"
                f" DOCPIPE_WEBHOOKS_INTERNAL={parts.netloc}."
            )
        return parts

    def permits(self, parts: SplitResult, address: Address) -> bool:
        """Whether an address that the host has may be connected to."""
        return is_public(address) or self._is_internal(parts)

    def _is_internal(self, parts: SplitResult) -> bool:
        return not {parts.hostname, f"{parts.hostname}:{port_of(parts)}"}.isdisjoint(self.internal)


def port_of(parts: SplitResult) -> int:
    return parts.port or _PORTS[parts.scheme]


def _parts(url: str) -> SplitResult | None:
    """None where it cannot be read, or a program could read it in another way."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return parts if url.isascii() and url.isprintable() and " " not in url and "\\" not in url else None
