"""Lines of a text layer and lines recognised on the same page, each text once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from docpipe.formats.base import TextLine
from docpipe.formats.word_places import of_part
from docpipe.models import Box
from docpipe.stages.ocr.method import area

_SAME = 0.5
"""Part of a recognised line that lines of the layer cover: they are what it shows."""


def beside_layer(recognised: Iterable[TextLine], layer: Sequence[TextLine]) -> list[TextLine]:
    """The recognised lines that the layer lacks, without the layer's words that stand on the same line."""
    beside = []
    for line in recognised:
        over = [own for own in layer if own.box and line.box and area(_common(line.box, own.box))]
        if line.box is None or sum(
            area(_common(line.box, own.box)) for own in over if own.box
        ) <= _SAME * area(line.box):
            text = _without(line.text, [own.text for own in over])
            beside += [line if text == line.text else _part(line, text)] if text else []
    return beside


def _part(line: TextLine, text: str) -> TextLine:
    start = line.text.find(text)
    return replace(line, text=text, words=of_part(line.text, line.words, start, start + len(text)))


def _without(text: str, known: Sequence[str]) -> str:
    for own in known:
        if text.endswith(own):
            text = text.removesuffix(own).rstrip()
        elif text.startswith(own):
            text = text.removeprefix(own).lstrip()
    return text


def _common(a: Box, b: Box) -> Box:
    return max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])
