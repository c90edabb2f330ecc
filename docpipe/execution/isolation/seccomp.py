"""A filter on system calls (Linux, seccomp(2)): what the process that reads may never ask of the kernel.

The filter cannot be taken off again, and holds for every thread and program that is started later. It is a
list of what is refused and not of what is allowed: the libraries that recognise text differ in what they use
from one version and one processor to the next.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
from collections.abc import Callable, Iterable, Sequence

# One row for each call: its number on x86_64 and on aarch64 (None: there is no such call there).
_NUMBERS: dict[str, tuple[int | None, int | None]] = {
    # other programs and processes
    "fork": (57, None),
    "vfork": (58, None),
    "clone": (56, 220),
    "clone3": (435, 435),
    "execve": (59, 221),
    "execveat": (322, 281),
    # the network
    "socket": (41, 198),
    "connect": (42, 203),
    "bind": (49, 200),
    "listen": (50, 201),
    "accept": (43, 202),
    "accept4": (288, 242),
    # leaving the process group, and signals to others
    "setsid": (112, 157),
    "setpgid": (109, 154),
    "kill": (62, 129),
    "tkill": (200, 130),
    "tgkill": (234, 131),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438),
    "pidfd_send_signal": (424, 424),
    "fcntl": (72, 25),
    # the memory of others
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "kcmp": (312, 272),
    "perf_event_open": (298, 241),
    "bpf": (321, 280),
    "userfaultfd": (323, 282),
    # calls in a queue, which no filter sees
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    # memory that no limit counts
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "shmat": (30, 196),
    "shmctl": (31, 195),
    "semget": (64, 190),
    "msgget": (68, 186),
    "mq_open": (240, 180),
    # files by other ways than their names, and their owners, modes and times
    "open_by_handle_at": (304, 265),
    "name_to_handle_at": (303, 264),
    "truncate": (76, 45),
    "chmod": (90, None),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "chown": (92, None),
    "fchown": (93, 55),
    "lchown": (94, None),
    "fchownat": (260, 54),
    "utime": (132, None),
    "utimes": (235, None),
    "futimesat": (261, None),
    "utimensat": (280, 88),
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "removexattr": (197, 14),
    "lremovexattr": (198, 15),
    "fremovexattr": (199, 16),
    "fanotify_init": (300, 262),
    # limits and privileges
    "setrlimit": (160, 164),
    "prlimit64": (302, 261),
    "prctl": (157, 167),
    "capset": (126, 91),
    "setuid": (105, 146),
    "setgid": (106, 144),
    "setreuid": (113, 145),
    "setregid": (114, 143),
    "setresuid": (117, 147),
    "setresgid": (119, 149),
    "setgroups": (116, 159),
    "setfsuid": (122, 151),
    "setfsgid": (123, 152),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "personality": (135, 92),
    # the system
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "move_mount": (429, 429),
    "open_tree": (428, 428),
    "fsopen": (430, 430),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "reboot": (169, 142),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "iopl": (172, None),
    "ioperm": (173, None),
    "acct": (163, 89),
    "quotactl": (179, 60),
    "syslog": (103, 116),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "clock_adjtime": (305, 266),
    "adjtimex": (159, 171),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
}

_PROCESSORS = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
"""The column above, and the kernel's name for the processor (linux/audit.h)."""
_SECCOMP_CALL = {"x86_64": 317, "aarch64": 277}
_SET_MODE_FILTER = 1
_SPEC_ALLOW = 4
"""Or older kernels slow the process down to guard other programs from it, which read nothing of it."""
_NEVER = 0x40000000
"""On x86_64, calls from here on are the same ones by other numbers."""

LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06  # linux/bpf_common.h
ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000  # linux/seccomp.h
NUMBER, _ARCHITECTURE = 0, 4

_CLONE_THREAD = 0x00010000
_CLONE_NAMESPACES = 0x7E020080
_F_SETOWN, _F_SETSIG, _F_SETOWN_EX = 8, 10, 15
_PRCTL_REFUSED = (1, 35, 36, 0x59616D61)
"""PR_SET_PDEATHSIG, PR_SET_MM, PR_SET_CHILD_SUBREAPER, PR_SET_PTRACER (linux/prctl.h)."""

NETWORK_ERRNO = errno.EACCES
PROGRAMS_ERRNO = errno.ENOSYS
CALLS_ERRNO = errno.EPERM

_OF_NETWORK = ("socket", "connect", "bind", "listen", "accept", "accept4")
_OF_PROGRAMS = ("fork", "vfork", "execve", "execveat")
_WITH_CONDITIONS = (
    *("clone", "clone3", "kill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo"),
    *("fcntl", "prctl", "prlimit64"),
)

Instruction = tuple[int, int, int, int]
Numbers = Callable[[Iterable[str]], list[int]]
"""Gives the numbers, on this processor, of the calls named."""


def supported() -> str | None:
    """Why there can be no filter on this processor; None where there can."""
    machine = platform.machine()
    return None if machine in _PROCESSORS else f"no filter for processors of type {machine}"


def install(*, network: bool, programs: bool, calls: bool) -> None:
    """Refuse, for good, what the layers named true refuse; "no new privileges" must be set.

    Raises:
        OSError: the kernel, or whoever guards this process already, does not allow it.
    """
    load(_program(platform.machine(), network, programs, calls))


def load(code: Sequence[Instruction]) -> None:
    """Put a filter before every system call of this process, for good. Raises as `install`."""
    if (why := supported()) is not None:
        raise OSError(errno.ENOSYS, why)
    lines = b"".join(struct.pack("=HBBI", operation, yes, no, value) for operation, yes, no, value in code)
    buffer = ctypes.create_string_buffer(lines)
    filter_ = struct.pack("HxxxxxxP", len(code), ctypes.addressof(buffer))
    syscall = ctypes.CDLL(None, use_errno=True).syscall
    for flags in (_SPEC_ALLOW, 0):
        arguments = (_SECCOMP_CALL[platform.machine()], _SET_MODE_FILTER, flags)
        if syscall(*map(ctypes.c_long, arguments), ctypes.c_char_p(filter_)) == 0:
            return
    raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _program(machine: str, network: bool, programs: bool, calls: bool) -> list[Instruction]:
    column, architecture = _PROCESSORS[machine]

    def numbers(names: Iterable[str]) -> list[int]:
        return [found for name in names if (found := _NUMBERS[name][column]) is not None]

    code: list[Instruction] = [
        (LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, architecture),
        (RETURN, 0, 0, _KILL),
        (LOAD, 0, 0, NUMBER),
        (_AT_LEAST, 0, 1, _NEVER),
        refuse(errno.ENOSYS),
    ]
    # C libraries then use `clone`, whose flags a filter can see
    code += never(numbers(["clone3"]), errno.ENOSYS)
    if network:
        code += never(numbers(_OF_NETWORK), NETWORK_ERRNO)
    if programs:
        code += never(numbers(_OF_PROGRAMS), PROGRAMS_ERRNO)
        code += _only(numbers(["clone"]), _unless_bit(0, _CLONE_THREAD, PROGRAMS_ERRNO))
    if calls:
        plain = [name for name in _NUMBERS if name not in (*_OF_NETWORK, *_OF_PROGRAMS, *_WITH_CONDITIONS)]
        code += never(numbers(plain), CALLS_ERRNO)
        code += _conditions(numbers, signals=programs)
    return [*code, (RETURN, 0, 0, ALLOW)]


def _conditions(numbers: Numbers, *, signals: bool) -> list[Instruction]:
    """Calls of which some uses are refused; `signals`: there are no programs of its own to signal."""
    code = [
        *_only(numbers(["clone"]), _if_bit(0, _CLONE_NAMESPACES, CALLS_ERRNO)),
        *_only(numbers(["fcntl"]), _if_one_of(1, (_F_SETOWN, _F_SETSIG, _F_SETOWN_EX), CALLS_ERRNO)),
        *_only(numbers(["prctl"]), _if_one_of(0, _PRCTL_REFUSED, CALLS_ERRNO)),
        *_only(numbers(["prlimit64"]), _unless_null(2, CALLS_ERRNO)),
    ]
    if signals:
        to_processes = numbers(["kill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo"])
        code += _only(to_processes, _unless_equal(0, os.getpid(), CALLS_ERRNO))
    return code


def refuse(code: int) -> Instruction:
    """Answer with this error."""
    return (RETURN, 0, 0, _ERRNO | code)


def never(numbers: Sequence[int], code: int) -> list[Instruction]:
    """Answer these calls with an error."""
    return [line for number in numbers for line in ((_EQUAL, 0, 1, number), refuse(code))]


def _only(numbers: Sequence[int], test: list[Instruction]) -> list[Instruction]:
    """The test, for each of these calls; after it the call's number is at hand again."""
    body = [*test, (LOAD, 0, 0, NUMBER)]
    return [line for number in numbers for line in ((_EQUAL, 0, len(body), number), *body)]


def _argument(place: int, *, high: bool = False) -> Instruction:
    return (LOAD, 0, 0, 16 + 8 * place + 4 * high)


def _unless_bit(place: int, bit: int, code: int) -> list[Instruction]:
    return [_argument(place), (_ANY_BIT, 1, 0, bit), refuse(code)]


def _if_bit(place: int, bits: int, code: int) -> list[Instruction]:
    return [_argument(place), (_ANY_BIT, 0, 1, bits), refuse(code)]


def _unless_equal(place: int, value: int, code: int) -> list[Instruction]:
    return [_argument(place), (_EQUAL, 1, 0, value), refuse(code)]


def _unless_null(place: int, code: int) -> list[Instruction]:
    return [
        line
        for half in (False, True)
        for line in (_argument(place, high=half), (_EQUAL, 1, 0, 0), refuse(code))
    ]


def _if_one_of(place: int, values: Sequence[int], code: int) -> list[Instruction]:
    tests = [line for value in values for line in ((_EQUAL, 0, 1, value), refuse(code))]
    return [_argument(place), *tests]
