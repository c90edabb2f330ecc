"""Equations of Word on one line."""

from __future__ import annotations

from lxml import etree

from docpipe.formats.marks import marked
from docpipe.formats.ooxml import attribute, local_name

_ATOM_LENGTH = 12


def equation(element: etree._Element) -> str:
    """An equation as text: `1/2`, `x²`, `√(a+b)`; what it does not know is written one after the other."""
    match local_name(element):
        case "t":
            return element.text or ""
        case "f":
            return f"{_atom(_of(element, 'num'))}/{_atom(_of(element, 'den'))}"
        case "sSup":
            return _raised(_of(element, "e"), _of(element, "sup"), "^")
        case "sSub":
            return _raised(_of(element, "e"), _of(element, "sub"), "_")
        case "sSubSup":
            return _raised(_raised(_of(element, "e"), _of(element, "sub"), "_"), _of(element, "sup"), "^")
        case "rad":
            return f"{_of(element, 'deg')}√{_atom(_of(element, 'e'))}"
        case "d":
            return _bracketed(element)
        case "nary":
            sign = _property(element, "chr", "∫")
            return f"{sign}({_of(element, 'sub')}…{_of(element, 'sup')}) {_of(element, 'e')}"
        case "mr":
            return "; ".join(equation(child) for child in element) + "\n"
        case name if name.endswith("Pr"):
            return ""
        case _:
            return "".join(equation(child) for child in element)


def _of(element: etree._Element, name: str) -> str:
    found = element.find(f"{{*}}{name}")
    return "" if found is None else equation(found)


def _atom(text: str) -> str:
    return (
        text
        if text.replace(".", "").replace(",", "").isalnum() and len(text) <= _ATOM_LENGTH
        else f"({text})"
    )


def _raised(base: str, small: str, sign: str) -> str:
    written = marked(small, "x", sign == "_")
    return base + written if written != f" {small}" else f"{base}{sign}{_atom(small)}"


def _bracketed(element: etree._Element) -> str:
    inside = ", ".join(equation(child) for child in element.iterchildren("{*}e"))
    return f"{_property(element, 'begChr', '(')}{inside}{_property(element, 'endChr', ')')}"


def _property(element: etree._Element, name: str, default: str) -> str:
    found = next((item for item in element.iter(f"{{*}}{name}")), None)
    return default if found is None else attribute(found, "val")
