"""Boxes on pages."""

from __future__ import annotations

from typing import NamedTuple

Box = tuple[float, float, float, float]
"""Left, top, right, bottom in points, from the page's top left."""


class PageBox(NamedTuple):
    """A box on one page."""

    page: int
    box: Box
