"""What the process that reads documents is left with: a few variables, and the files it cannot do without."""

from __future__ import annotations

import mimetypes
import os
import site
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from docpipe.execution.isolation import landlock
from docpipe.formats import plugins

_VARIABLES = (
    *("LANG", "LANGUAGE", "TZ", "PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TESSDATA_PREFIX"),
    *("PYTHONHOME", "PYTHONHASHSEED", "PYTHONUTF8", "PYTHONIOENCODING", "PYTHONDONTWRITEBYTECODE"),
    *("ORT_DISABLE_TELEMETRY", "HF_HUB_DISABLE_TELEMETRY", "DO_NOT_TRACK"),
)
_PREFIXES = ("LC_", "OMP_", "MKL_", "OPENBLAS_", "KMP_", "GOMP_", "MALLOC_", "CUDA_", "NVIDIA_")
"""Of variables that tell libraries how to work, and hold no key."""

_OWN = ("docpipe", "docpipe_recogniser")
"""docpipe, and where it is installed the package of the 8-bit layers."""
_SYSTEM_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/usr/local/lib64")
_SYSTEM_DATA = (
    *("/usr/share", "/usr/local/share", "/nix/store", "/usr/local/cuda"),
    *("/etc/ld.so.cache", "/etc/localtime", "/etc/timezone", "/etc/locale.alias", "/etc/fonts"),
    *("/dev/zero", "/dev/random", "/dev/urandom"),
    *("/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/version", "/proc/filesystems"),
    *("/proc/sys/vm", "/proc/sys/kernel/osrelease", "/sys/devices", "/sys/bus/pci", "/sys/fs/cgroup"),
    "/sys/kernel/mm/transparent_hugepage",
)
_GPU_DATA = ("/proc/driver", "/proc/devices", "/proc/modules", "/sys/module")


def environment(scratch: Path, further: Iterable[str]) -> dict[str, str]:
    """The variables that the process is given: what libraries need, those named, and a home in `scratch`."""
    names = {*_VARIABLES, *further}
    kept = {name: value for name, value in os.environ.items() if name in names or name.startswith(_PREFIXES)}
    return kept | {"HOME": str(scratch), "TMPDIR": str(scratch), "LOGNAME": "docpipe"}


def reachable(
    engines: Mapping[str, Mapping[str, Any]],
    *,
    document: Path,
    scratch: Path,
    further: Iterable[str],
    programs: bool,
) -> dict[str, int]:
    """Paths, and what may be done there.

    Args:
        engines: the engines' names, as they are given to `load_ocr`, and their options: a value that is the
            path of a file or folder is a model, to be read.
        document: the folder in which the documents are put.
        programs: whether engines start programs.
    """
    own = [*_OWN, *filter(None, map(_own_package, engines)), *map(_top, plugins.modules())]
    packages = [place for name in own for place in _packages(name)]
    models = [path for options in engines.values() for path in _paths(options)]
    gpu = any(options.get("inference") == "cuda" for options in engines.values())
    loading = landlock.EXECUTE if programs else landlock.READ
    return landlock.together(
        (loading, [*_SYSTEM_LIBRARIES, *(_programs() if programs else ())]),
        (
            landlock.READ,
            [*_SYSTEM_DATA, *map(str, mimetypes.knownfiles), *_python(), *packages, *models, *further],
        ),
        (landlock.LIST, {str(Path(package).parent) for package in packages}),
        (landlock.USE, ["/dev/null", *(_gpu() if gpu else ())]),
        (landlock.READ, [*(_GPU_DATA if gpu else ()), str(document)]),
        (landlock.WRITE, [str(scratch)]),
    )


def _python() -> Iterator[str]:
    """Where Python's own libraries are, and those that were installed."""
    standard = Path(sysconfig.get_path("stdlib"))
    for kind in ("stdlib", "platstdlib", "purelib", "platlib"):
        yield sysconfig.get_path(kind)
    yield from site.getsitepackages()
    if site.ENABLE_USER_SITE:
        yield site.getusersitepackages()
    if library := sysconfig.get_config_var("LIBDIR"):
        yield library
    for entry in filter(None, sys.path):
        path = Path(entry)
        if path.name.endswith("-packages") or path.is_relative_to(standard) or path.is_file():
            yield entry
    yield from filter(None, os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep))


def _own_package(engine: str) -> str:
    """The package of an engine of a host's own, `package.module:attribute`; empty for one of docpipe's."""
    return _top(engine.partition(":")[0]) if ":" in engine else ""


def _top(module: str) -> str:
    return module.partition(".")[0]


def _packages(name: str) -> list[str]:
    found = find_spec(name)
    if found is None or found.submodule_search_locations is None:
        return [found.origin] if found and found.origin else []
    return [str(place) for place in found.submodule_search_locations]


def _paths(options: Mapping[str, Any]) -> Iterator[str]:
    for value in options.values():
        if isinstance(value, str | Path) and Path(value).is_absolute() and Path(value).exists():
            yield str(value)


def _programs() -> Iterator[str]:
    yield from filter(os.path.isabs, os.environ.get("PATH", os.defpath).split(os.pathsep))
    yield from {sys.executable, os.path.realpath(sys.executable)}
    yield from filter(None, [os.environ.get("TESSDATA_PREFIX")])


def _gpu() -> list[str]:
    return [str(path) for path in Path("/dev").iterdir() if path.name.startswith(("nvidia", "dri"))]
