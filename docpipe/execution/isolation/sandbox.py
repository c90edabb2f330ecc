"""What keeps the process that reads documents inside: layers, each of which holds when another fails.

A parser that a hostile document has taken over runs in that process. `enter` is what the process does to
itself before it is given its first document; nothing of it can be undone. See docs/explanation/sandbox.md
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from docpipe.execution.isolation import landlock, seccomp

if sys.platform != "win32":  # whoever only submits may be there
    import resource

_LINUX_ONLY = ("privileges", "files", "network", "programs", "calls")

SCRATCH_BYTES = 500_000_000
"""Of files, one or many, that the process may write."""
_OPEN_FILES = 256
_NO_NEW_PRIVILEGES, _DROP_FROM_BOUNDING_SET = 38, 24  # prctl(2)
_CAPABILITY_VERSION = 0x20080522  # capset(2): two words for each set
_MOST_CAPABILITIES = 64
_DATA_FACTOR = 2
_ADDRESS_SPACE_FACTOR = 4
"""Memory is reserved more freely than it is used, address space more freely still. So the parent watches
what is really used, and these are for jumps too sudden to be seen: a library that asks for more than this
at once is refused."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What the process is told before anything else; plain values."""

    layers: tuple[str, ...]
    required: bool
    memory: int
    """Bytes, as the parent counts them."""
    reachable: Mapping[str, int] = field(default_factory=dict)
    """Paths, and Landlock's rights on them."""


class LayerMissingError(Exception):
    """Layers that are demanded cannot be had here; the message names them and says why."""


def enter(rules: Rules) -> dict[str, str | None]:
    """Shut this process in. Returns for each layer that was wanted None, or why it is not there.

    Raises:
        LayerMissingError: all are demanded, and one cannot be had.
    """
    doing: dict[str, Callable[[], None]] = {
        "environment": lambda: None,  # both are how the process was started
        "group": _check_group,
        "limits": lambda: _limit(rules.memory),
        "privileges": _drop_privileges,
        "files": lambda: _shut_files(rules),
    }
    found: dict[str, str | None] = {}
    for name in rules.layers:
        if name in doing:
            found[name] = _tried(name, doing[name])
    filtered = [name for name in ("network", "programs", "calls") if name in rules.layers]
    if filtered:
        failure = _tried("calls", lambda: seccomp.install(**{n: n in filtered for n in _FILTERED}))
        found |= dict.fromkeys(filtered, failure)
    missing = [f"{name} ({why})" for name, why in found.items() if why is not None]
    if missing and rules.required:
        raise LayerMissingError(", ".join(missing))
    return found


_FILTERED = ("network", "programs", "calls")


def _tried(name: str, layer: Callable[[], None]) -> str | None:
    if name in _LINUX_ONLY and sys.platform != "linux":
        return "of Linux only"
    try:
        layer()
    except OSError as error:
        return error.strerror or str(error)
    return None


def _check_group() -> None:
    if os.getsid(0) != os.getpid():
        raise OSError(errno.EPERM, "the process could not be given a session of its own")


def _limit(memory: int) -> None:
    limit_memory(memory)
    for what, amount in (
        (resource.RLIMIT_FSIZE, SCRATCH_BYTES),
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
        (getattr(resource, "RLIMIT_MSGQUEUE", None), 0),
    ):
        if what is not None:
            _set_limit(what, amount)


def limit_memory(memory: int) -> None:
    """Refuse what asks for far more than this at once, and write no core."""
    _set_limit(resource.RLIMIT_DATA, memory * _DATA_FACTOR)
    _set_limit(resource.RLIMIT_AS, memory * _ADDRESS_SPACE_FACTOR)
    _set_limit(resource.RLIMIT_CORE, 0)


def _set_limit(what: int, amount: int) -> None:
    _, hard = resource.getrlimit(what)
    amount = amount if hard == resource.RLIM_INFINITY else min(amount, hard)
    with suppress(ValueError, OSError):  # a system that does not know this limit
        resource.setrlimit(what, (amount, amount))


def _drop_privileges() -> None:
    """Whoever is root here is nobody in particular; and a program that makes others root does not."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    for capability in range(_MOST_CAPABILITIES):
        libc.prctl(
            _DROP_FROM_BOUNDING_SET, capability, 0, 0, 0
        )  # refused to who has none: then none is there
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    if libc.capset(header, (ctypes.c_uint32 * 6)()):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _shut_files(rules: Rules) -> None:
    with suppress(FileNotFoundError):
        if len(os.listdir("/proc/self/task")) > 1:  # noqa: PTH208 - Landlock would hold for this thread only
            raise OSError(errno.EBUSY, "other threads were running before")
    landlock.restrict(rules.reachable, network="network" in rules.layers)


# --- what an error says ---------------------------------------------------------------------------

_BY_ERRNO = {
    seccomp.PROGRAMS_ERRNO: "programs",
    seccomp.CALLS_ERRNO: "calls",
    errno.EMFILE: "limits",
    errno.EFBIG: "limits",
}


def layer_behind(raised: BaseException) -> str | None:
    """The layer that made a call fail, as far as the error and what led to it can tell."""
    seen: BaseException | None = raised
    while seen is not None:
        if isinstance(seen, OSError) and (found := _layer_of(seen)):
            return found
        seen = seen.__cause__ or seen.__context__
    return None


def _layer_of(error: OSError) -> str | None:
    if error.errno in (seccomp.NETWORK_ERRNO, errno.EXDEV) and error.filename is not None:
        return "files"
    if error.errno == seccomp.NETWORK_ERRNO:
        return "network"
    return _BY_ERRNO.get(error.errno or 0)
