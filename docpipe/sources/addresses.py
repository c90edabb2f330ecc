"""Which network addresses are public ones, so that no document can point docpipe into the host's network."""

from __future__ import annotations

import ipaddress
from ipaddress import IPv4Address, IPv6Address

Address = IPv4Address | IPv6Address

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052
_ANYCAST = {ipaddress.IPv4Address("192.0.0.9"), ipaddress.IPv4Address("192.0.0.10")}  # RFC 7723, RFC 8155
_SPECIAL = tuple(
    map(
        ipaddress.ip_network,
        (
            "192.0.0.0/24",  # RFC 6890; Python 3.11 knows parts of it
            "192.88.99.0/24",  # RFC 7526: relays of 6to4, given up
            "3fff::/20",  # RFC 9637: for documents
            "5f00::/16",  # RFC 9602: inside a provider
            "64:ff9b:1::/48",  # RFC 8215: translation inside a network
        ),
    )
)
"""What the registries of special addresses name and `is_global` does not know in every version of Python."""


def is_public(address: Address) -> bool:
    """Whether the address belongs to the internet at large.

    IPv6 addresses that stand for an IPv4 one (mapped, 6to4, Teredo, NAT64) are judged by that.
    """
    inner = _inner(address)
    if inner is not None:
        return is_public(inner)
    if isinstance(address, IPv6Address) and address.is_site_local:
        return False
    if address not in _ANYCAST and any(address in network for network in _SPECIAL):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved)


def _inner(address: Address) -> IPv4Address | None:
    if isinstance(address, IPv4Address):
        return None
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else None)
