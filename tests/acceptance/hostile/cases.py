"""A file and how it may end; a corpus of such files, read by its manifest.

A corpus is a folder with a `manifest.csv`. Of its columns these count: `file`; `store`, of which only
`stored` is taken; `accept`, like `ok|error:corrupt`; `must_contain` and `must_not_contain`, JSON lists;
`limit_sec`; and `ocr`, not empty where the text comes from a picture, whose spaces may differ.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

CODES = {"reading_timeout": "timeout", "reading_memory": "memory", "reading_crash": "crash"}
"""docpipe's codes by the names manifests use, where these differ."""


@dataclass(frozen=True, slots=True)
class Case:
    """One file, and how it may end."""

    name: str
    path: Path
    accept: Collection[str]
    """`ok`, `error:CODE`."""
    must_contain: tuple[str, ...] = ()
    """Where it completes; compared without case, and with white space as single spaces."""
    must_not_contain: tuple[str, ...] = ()
    """Neither in the text nor in the error's message."""
    seconds: float = 315.0
    """Of work, all stages together: the default limit of 60 s without progress, which a machine busy with
    other things may make five times as long, and what is around it."""
    recognised: bool = False
    """Whether the text comes from a picture: then spaces do not count."""


@dataclass(frozen=True, slots=True)
class End:
    """How a document ended."""

    status: str
    code: str = ""
    message: str = ""
    text: str = ""
    seconds: float = 0.0
    """Of work, all stages together."""

    @property
    def completed(self) -> bool:
        return self.status.startswith("completed")

    @property
    def word(self) -> str:
        """In the manifest's words."""
        return "ok" if self.completed else f"error:{CODES.get(self.code, self.code)}"


def faults(case: Case, end: End) -> Iterator[str]:
    """What is wrong with the end, one sentence each."""
    if end.word not in case.accept:
        yield f"it ended as {end.status} {end.code}, not as one of {', '.join(case.accept)}: {end.message}"
    if not end.completed and not end.message.strip():
        yield "the error says nothing"
    if "Traceback" in end.message:
        yield "the error's message is a traceback"
    if end.completed:
        yield from (
            f"its text lacks {wanted!r}" for wanted in case.must_contain if not _holds(case, end, wanted)
        )
    for secret in case.must_not_contain:
        if secret in end.text or secret in end.message:
            yield f"it tells {secret!r}"
    if "\0" in end.text or any(0xD800 <= ord(letter) <= 0xDFFF for letter in end.text):
        yield "its text holds what a database refuses"
    if end.seconds > case.seconds:
        yield f"it took {end.seconds:.1f} s of work; {case.seconds:g} s are allowed"


def _holds(case: Case, end: End, wanted: str) -> bool:
    text, part = _flat(end.text), _flat(wanted)
    return part in text or (case.recognised and part.replace(" ", "") in text.replace(" ", ""))


def _flat(text: str) -> str:
    return " ".join(text.split()).lower()


def read_corpus(folder: Path) -> list[Case]:
    """The corpus's cases; files that its manifest says are to be made first are left out."""
    with (folder / "manifest.csv").open(encoding="utf-8", newline="") as file:
        return [_case(folder, row) for row in csv.DictReader(file) if row["store"] == "stored"]


def _case(folder: Path, row: dict[str, str]) -> Case:
    return Case(
        name=row["file"],
        path=folder / row["file"],
        accept=row["accept"].split("|"),
        must_contain=tuple(json.loads(row["must_contain"])),
        must_not_contain=tuple(json.loads(row["must_not_contain"])),
        seconds=float(row["limit_sec"]),
        recognised=bool(row["ocr"]),
    )
