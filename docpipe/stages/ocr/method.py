"""How a page is read: what its file holds, what its picture shows, or both. Each choice gives its reason."""

from __future__ import annotations

from dataclasses import dataclass

from docpipe.formats.base import RawPage
from docpipe.models import Box, Method
from docpipe.stages.ocr.legibility import garbage_share, letter_score, word_share

_LINES = 2
"""Lines that small pictures show at least, to be recognised: one is most often a logo's."""


@dataclass(frozen=True, slots=True)
class OcrOptions:
    """When a page's picture is recognised, and what is worth a warning.

    Attributes:
        dpi: pages are rendered at this resolution for recognition, small print at a higher one.
        min_confidence: a page below this mean confidence (0..1) is warned about.
        min_characters: a hidden text layer shorter than this, over pictures, does not count as text.
        scan_share: part 0..1 of the page that pictures must cover for that.
        max_garbage: part 0..1 of a text layer that may be unreadable characters.
        min_letter_score: a text layer whose letter pairs are rarer than this (0 to 9) is no language.
        min_words: part 0..1 of a hidden text layer, won by an earlier recognition, that must be words.
        picture_share: from this part 0..1 of the page on, pictures beside a good text layer are
            recognised too, smaller ones where they seem to show lines of text; 1 turns that off.
        force: recognise every page that has a picture, whatever its text layer.
    """

    dpi: int = 200
    min_confidence: float = 0.8
    min_characters: int = 50
    scan_share: float = 0.5
    max_garbage: float = 0.1
    min_letter_score: float = 5.0
    min_words: float = 0.65
    picture_share: float = 0.2
    force: bool = False


def choose_method(raw: RawPage, options: OcrOptions) -> tuple[Method, str]:
    """How to read a page, and why."""
    if raw.image is None:
        return Method.TEXT, "text format" if raw.width is None else "no picture to recognise"
    if options.force:
        return Method.OCR, "recognition was asked for"
    characters = sum([len(line.text.strip()) for line in raw.lines])
    if not characters:
        return Method.OCR, "no text layer"
    if fault := layer_fault(raw, options):
        return Method.OCR, fault
    is_short = characters < options.min_characters and raw.image_share >= options.scan_share
    if is_short and raw.hidden_text:
        return Method.OCR, f"only {characters} characters over pictures on {raw.image_share:.0%} of the page"
    if _has_pictures_beside_text(raw, options):
        return Method.BOTH, f"text layer, and pictures on {raw.image_share:.0%} of the page"
    if raw.picture_lines >= _LINES and not raw.hidden_text and options.picture_share < 1:
        return Method.BOTH, f"text layer, and a picture with about {raw.picture_lines} lines of text"
    if raw.hidden_text:
        return Method.TEXT, f"text layer of an earlier recognition, {characters} characters"
    return Method.TEXT, f"text layer of {characters} characters"


def layer_fault(raw: RawPage, options: OcrOptions) -> str:
    """Why the page's text layer cannot be what the page shows; empty where it can."""
    text = "\n".join(line.text for line in raw.lines)
    garbage = garbage_share(text)
    if garbage > options.max_garbage:
        return f"text layer unreadable: {garbage:.0%} unknown characters"
    score = letter_score(text)
    if score is not None and score < options.min_letter_score:
        return f"text layer unreadable: its letters make no language (score {score:.1f} of 9)"
    if raw.hidden_text and (words := word_share(text)) < options.min_words:
        return f"text layer of an earlier recognition is poor: {words:.0%} words"
    return ""


def _has_pictures_beside_text(raw: RawPage, options: OcrOptions) -> bool:
    """Whether pictures cover so much of the page that what they show may be text the layer lacks.

    A layer that is shown, however long, is a stamp, a header or a form over the picture; one that is hidden
    says what the picture does.
    """
    if options.picture_share >= 1:
        return False
    return raw.image_share >= options.picture_share and not raw.hidden_text and bool(raw.width and raw.height)


def area(box: Box) -> float:
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])
