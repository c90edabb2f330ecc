"""How the items of a list of an OpenDocument text are numbered, by the list's style and the level."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from lxml import etree

from docpipe.formats.list_labels import written_number
from docpipe.formats.ooxml import attribute

_NUMBER = re.compile(r"[0-9]{1,9}")
_FORMS = {"a": "lowerLetter", "A": "upperLetter", "i": "lowerRoman", "I": "upperRoman"}


@dataclass(frozen=True, slots=True)
class Level:
    """One level; its items have no label where it has no form.

    Attributes:
        shown: so many levels' numbers are shown, this one's the last of them.
    """

    form: str = ""
    prefix: str = ""
    suffix: str = ""
    start: int = 1
    shown: int = 1

    def number(self, count: int) -> str:
        return written_number(count, _FORMS.get(self.form, "decimal")) if self.form else ""

    def label(self, numbers: tuple[str, ...]) -> str:
        """`1.`, `(a)`: of the item whose number is the last one, the others those it is inside of."""
        return (
            f"{self.prefix}{'.'.join(filter(None, numbers[-self.shown :]))}{self.suffix}" if self.form else ""
        )


Levels = Mapping[tuple[str, int], Level]


def levels(root: etree._Element) -> Iterator[tuple[tuple[str, int], Level]]:
    """All that a part says, by the style's name and the level's number."""
    for style in root.iter("{*}list-style"):
        for level in style.iterchildren("{*}list-level-style-number"):
            place = attribute(style, "name"), whole(attribute(level, "level"), 1)
            yield place, _level(level)


def _level(level: etree._Element) -> Level:
    form, prefix, suffix = (attribute(level, f"num-{name}") for name in ("format", "prefix", "suffix"))
    start, shown = (whole(attribute(level, name), 1) for name in ("start-value", "display-levels"))
    return Level(form, prefix, suffix, start, max(1, shown))


def whole(number: str, otherwise: int) -> int:
    return int(number) if _NUMBER.fullmatch(number) else otherwise
