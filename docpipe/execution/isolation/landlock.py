"""Which files a process may reach (Linux, Landlock): whatever is not named stays shut, for root too.

What was restricted stays so for the rest of the process's life, and for every program that it starts. See
docs.kernel.org/userspace-api/landlock.html
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import struct
from collections.abc import Iterable, Mapping
from contextlib import suppress

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION_WANTED = 1
_PATH_BENEATH = 1

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_REMOVE_AND_MAKE = 0b1_1111_1111 << 4
_REFER, _TRUNCATE, _DEVICE_CONTROL = 1 << 13, 1 << 14, 1 << 15
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _DEVICE_CONTROL
"""The rights that a file can be given; the others are a folder's."""
_MAKE_SPECIAL = (1 << 6) | (1 << 9) | (1 << 10) | (1 << 11)
"""Devices, sockets and pipes: nobody needs to make one."""
_TCP = 0b11
_ABSTRACT_SOCKETS, _SIGNALS = 1, 2

READ = _READ_FILE | _READ_DIR
"""Read files, and what a folder holds."""
LIST = _READ_DIR
"""See the names in folders; read nothing."""
EXECUTE = _EXECUTE | READ
WRITE = READ | _WRITE_FILE | (_REMOVE_AND_MAKE & ~_MAKE_SPECIAL) | _REFER | _TRUNCATE
USE = READ | _WRITE_FILE | _DEVICE_CONTROL
"""Read, write and command a device."""


def version() -> int:
    """The version of Landlock that the kernel has, 1 or more.

    Raises:
        OSError: it has none, or it was turned off.
    """
    return _call(_CREATE_RULESET, None, 0, _VERSION_WANTED)


def restrict(rules: Mapping[str, int], *, network: bool) -> None:
    """Shut every file and folder but these, each for what it may be used; skips paths that do not exist.

    With `network`, TCP too where the kernel can; signals and abstract sockets of others wherever it can.
    "No new privileges" must be set, and this must be the only thread.

    Raises:
        OSError: the kernel does not allow it.
    """
    has = version()
    handled = 0b1_1111_1111_1111
    for since, right in ((2, _REFER), (3, _TRUNCATE), (5, _DEVICE_CONTROL)):
        handled |= right if has >= since else 0
    net = _TCP if network and has >= 4 else 0
    scoped = _ABSTRACT_SOCKETS | _SIGNALS if has >= 6 else 0
    fields = struct.pack("=QQQ", handled, net, scoped)[: 24 if has >= 6 else 16 if has >= 4 else 8]
    ruleset = _call(_CREATE_RULESET, fields, len(fields), 0)
    try:
        for path, rights in rules.items():
            with suppress(FileNotFoundError, PermissionError, NotADirectoryError):
                _allow(ruleset, path, rights & handled)
        _call(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: str, rights: int) -> None:
    place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        if not stat.S_ISDIR(os.fstat(place).st_mode):
            rights &= _OF_FILES
        if rights:
            _call(_ADD_RULE, ruleset, _PATH_BENEATH, struct.pack("=Qi", rights, place), 0)
    finally:
        os.close(place)


def _call(number: int, *arguments: int | bytes | None) -> int:
    values = [
        ctypes.c_char_p(each) if each is None or isinstance(each, bytes) else ctypes.c_long(each)
        for each in arguments
    ]
    found: int = ctypes.CDLL(None, use_errno=True).syscall(ctypes.c_long(number), *values)
    if found < 0:
        code = ctypes.get_errno()
        why = {
            errno.ENOSYS: "this kernel has no Landlock (Linux 5.13)",
            errno.EOPNOTSUPP: "Landlock is turned off at boot",
        }
        raise OSError(code, why.get(code, os.strerror(code)))
    return found


def together(*rules: tuple[int, Iterable[str]]) -> dict[str, int]:
    """Rights by path, where a path may be named several times."""
    found: dict[str, int] = {}
    for rights, paths in rules:
        for path in paths:
            found[path] = found.get(path, 0) | rights
    return found
