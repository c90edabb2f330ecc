"""What the styles of a web page keep from being seen: its size, its place, its clip or its colour."""

from __future__ import annotations

import re
from collections.abc import Iterator

from resiliparse.parse.html import DocumentNode, ElementNode

_UNSEEN = re.compile(
    r"(?:^|[;{\s])(?:display\s*+:\s*+none|visibility\s*+:\s*+(?:hidden|collapse)"
    r"|mso-hide\s*+:\s*+all|(?:font-size|opacity|max-height)\s*+:\s*+0(?![.\d])"
    r"|(?:left|top|margin-left|text-indent)\s*+:\s*+-\d{4}"
    r"|clip-path\s*+:\s*+(?:inset\(\s*+(?:[5-9]\d|100)%|circle\(\s*+0)"
    r"|clip\s*+:\s*+rect\(\s*+([01])(?:px)?(?:[\s,]++\1(?:px)?){3}\s*+\)|color\s*+:\s*+transparent)",
    re.IGNORECASE,
)
_NO_SIZE = re.compile(r"(?:^|[;{\s])(?:max-)?(?:height|width)\s*+:\s*+0(?![.\d])", re.IGNORECASE)
_CUT = re.compile(r"overflow(?:-[xy])?\s*+:\s*+(?:hidden|clip)", re.IGNORECASE)
_COLOUR = re.compile(
    r"(?:^|[;{\s])(background(?:-color)?|color)\s*+:\s*+(#[0-9a-f]{3,8}|rgb\([^()]{1,40}\)|[a-z]{3,20})",
    re.IGNORECASE,
)
_GROUND = re.compile(r"background|bgcolor|rel\s*+=\s*+[\"']?stylesheet", re.IGNORECASE)
"""What says, or may say, that something stands on a colour."""
_NAMED = {"white": "ffffff", "black": "000000"}
_WHITE = "ffffff"


def is_unseen(style: str) -> bool:
    """Whether these declarations keep what they are for from being seen, whatever stands around it."""
    if _UNSEEN.search(style) or (_CUT.search(style) and _NO_SIZE.search(style)):
        return True
    colours = _colours(style)
    return "color" in colours and colours["color"] == colours.get("background")


def hide(document: DocumentNode, markup: str) -> None:
    """Mark as hidden each element that its own style keeps from being seen."""
    on_paper = not _GROUND.search(markup)
    for element in document.query_selector_all("[style]").values():
        style = element.getattr("style") or ""
        if is_unseen(style) or (on_paper and _colours(style).get("color") == _WHITE):
            _hide(element, style)
    if on_paper:
        for element in document.query_selector_all("font[color]").values():
            if _hex(element.getattr("color") or "") == _WHITE:
                _hide(element, "")


def _hide(element: ElementNode, style: str) -> None:
    """A colour holds only where nothing inside has one of its own."""
    by_colour = not (_UNSEEN.search(style) or _NO_SIZE.search(style))
    if not (by_colour and element.query_selector("[style], [color]") is not None):
        element["hidden"] = ""


def _colours(style: str) -> dict[str, str]:
    return dict(_pairs(style))


def _pairs(style: str) -> Iterator[tuple[str, str]]:
    for name, value in _COLOUR.findall(style):
        yield name.lower().removesuffix("-color"), _hex(value)


def _hex(colour: str) -> str:
    """`ffffff` for `white`, `#FFF` and `rgb(255, 255, 255)`."""
    colour = colour.strip().lower()
    if colour.startswith("rgb("):
        parts = [part.strip() for part in colour[4:-1].split(",")]
        return "".join(f"{int(part) & 0xFF:02x}" for part in parts if part.isdecimal() and len(part) < 4)
    digits = colour.removeprefix("#")
    if colour.startswith("#") and len(digits) == 3:
        return "".join(digit * 2 for digit in digits)
    return _NAMED.get(digits, digits)
