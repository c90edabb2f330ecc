"""The labels that Word puts before paragraphs: `Article 1.`, `1.2`, `(a)`, bullets."""

from __future__ import annotations

from dataclasses import dataclass

from lxml import etree

from docpipe.formats.list_labels import written_number
from docpipe.formats.ooxml import attribute, local_name

_OFF = frozenset({"0", "false", "off", "none"})
_MAX_STYLES = 20
_LEVELS = 9
_LONGEST_LABEL = 255
"""Characters; Word has no more, and every paragraph of the list would repeat all of them."""


@dataclass(frozen=True, slots=True)
class _Level:
    start: int
    form: str
    pattern: str


class Styles:
    """What paragraph and character styles say about numbering, hidden text and raised letters."""

    def __init__(self, root: etree._Element | None) -> None:
        self._styles: dict[str, etree._Element] = {}
        self._found: dict[tuple[str, str], etree._Element | None] = {}
        for style in () if root is None else root.iter("{*}style"):
            self._styles[attribute(style, "styleId")] = style

    def number(self, style_id: str) -> etree._Element | None:
        """The numbering of paragraphs of this style, or of the one it is based on."""
        return self._first(style_id, "{*}pPr/{*}numPr")

    def is_hidden(self, style_id: str) -> bool:
        return is_on(self._first(style_id, "{*}rPr/{*}vanish"))

    def raised(self, style_id: str) -> str:
        """`superscript`, `subscript` or nothing."""
        found = self._first(style_id, "{*}rPr/{*}vertAlign")
        return "" if found is None else attribute(found, "val")

    def _first(self, style_id: str, path: str) -> etree._Element | None:
        """Looked for once: a style may be long, and every paragraph may have it."""
        if (style_id, path) not in self._found:
            self._found[style_id, path] = self._looked_up(style_id, path)
        return self._found[style_id, path]

    def _looked_up(self, style_id: str, path: str) -> etree._Element | None:
        for _ in range(_MAX_STYLES):
            style = self._styles.get(style_id)
            if style is None:
                return None
            if (found := style.find(path)) is not None:
                return found
            based = style.find("{*}basedOn")
            style_id = "" if based is None else attribute(based, "val")
        return None


class Numbering:
    """Counts the paragraphs of each list as Word does."""

    def __init__(self, root: etree._Element | None, styles: Styles) -> None:
        self._styles = styles
        self._levels: dict[str, dict[int, _Level]] = {}
        self._abstract: dict[str, str] = {}
        self._restarts: dict[tuple[str, int], int] = {}
        self._style_levels: dict[str, int] = {}
        self._counts: dict[str, dict[int, int]] = {}
        if root is not None:
            self._read(root)

    def label(self, paragraph: etree._Element) -> str:
        """The label of the next paragraph of the document; empty where it has none."""
        number, depth = self._place(paragraph)
        abstract = self._abstract.get(number, "")
        level = self._levels.get(abstract, {}).get(depth)
        if level is None or level.form == "none":
            return ""
        counts = self._counts.setdefault(abstract, {})
        restart = self._restarts.pop((number, depth), None)
        counts[depth] = restart if restart is not None else counts.get(depth, level.start - 1) + 1
        for deeper in [other for other in counts if other > depth]:
            del counts[deeper]
        return "•" if level.form == "bullet" else self._written(abstract, level)

    def _read(self, root: etree._Element) -> None:
        for item in root.iterchildren("{*}abstractNum"):
            levels = self._levels[attribute(item, "abstractNumId")] = {}
            for level in item.iterchildren("{*}lvl"):
                depth = _whole(attribute(level, "ilvl"))
                if depth >= _LEVELS:
                    continue
                levels[depth] = _Level(
                    _whole(_value(level, "start", "1")),
                    _value(level, "numFmt", "decimal"),
                    _value(level, "lvlText", "")[:_LONGEST_LABEL],
                )
                if style := _value(level, "pStyle", ""):
                    self._style_levels[style] = depth
        for item in root.iterchildren("{*}num"):
            number = attribute(item, "numId")
            self._abstract[number] = _value(item, "abstractNumId", "")
            for change in item.iterchildren("{*}lvlOverride"):
                if start := _value(change, "startOverride", ""):
                    self._restarts[number, _whole(attribute(change, "ilvl"))] = _whole(start)

    def _place(self, paragraph: etree._Element) -> tuple[str, int]:
        """The number of the list, and the level in it."""
        properties = paragraph.find("{*}pPr")
        if properties is None:
            return "", 0
        style = _value(properties, "pStyle", "")
        own, inherited = properties.find("{*}numPr"), self._styles.number(style)
        found = inherited if own is None else own
        if found is None:
            return "", 0
        number = _value(found, "numId", "" if inherited is None else _value(inherited, "numId", ""))
        return number, _whole(_value(found, "ilvl", str(self._style_levels.get(style, 0))))

    def _written(self, abstract: str, level: _Level) -> str:
        levels, counts = self._levels[abstract], self._counts[abstract]
        text = level.pattern
        for depth in range(_LEVELS):
            if f"%{depth + 1}" in text and depth in levels:
                count = counts.get(depth, levels[depth].start)
                text = text.replace(f"%{depth + 1}", written_number(count, levels[depth].form))
        return text.strip()


def is_on(mark: etree._Element | None) -> bool:
    """Whether a property that is on or off is on."""
    return mark is not None and attribute(mark, "val") not in _OFF


def _value(parent: etree._Element, name: str, default: str) -> str:
    found = next((child for child in parent if local_name(child) == name), None)
    return default if found is None else attribute(found, "val") or default


def _whole(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 10 else 0
