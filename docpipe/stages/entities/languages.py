"""In which language each part of a text is written: py3langid, whose model lies in its package."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import pairwise
from typing import NamedTuple

from babel import Locale, UnknownLocaleError
from babel.core import get_global
from py3langid.langid import MODEL_FILE, LanguageIdentifier

from docpipe.models import Page, Warn

_SURE = 0.9
"""Least probability at which the language of a text is known."""

_LIKELY, _EXCLUDED = 0.35, 0.005
"""Least probability at which a sentence is in a language, if the expected one has less than the other."""

_LEAST = 14
_LEAST_AMONG_OTHERS = 50
"""Fewest letters of a text, and of a piece of a text that is otherwise in another language: a title or a name
says too little."""

_WORTH_A_WARNING = 200
"""Letters in a language without a model that are warned of; in a short text a tenth of all."""

_NOT_READ = (
    "No model of names is set for {language} ({code}): what is written in it was searched by patterns and the"
    " gazetteer only. Set DOCPIPE_NER_MODELS={code}=MODEL; the how-to on entity engines says which there are."
)

_PIECE = 300
"""Characters of a piece, at least, where a paragraph is longer; it ends with a line."""

_ENGLISH = re.compile(r"\b(?:the|and|of|shall|this|with|that)\b", re.IGNORECASE)
_ENGLISH_SHARE = 100
"""A text that has one of these words in so many characters is English, and nothing needs to be loaded."""

_PARAGRAPH = re.compile(r"\n[^\S\n]*\n")
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_SAME = {"no": "nb", "nn": "nb", "bs": "hr"}
"""Codes of one written language, in the form that models are named by."""

_NO_LANGUAGE = "zxx"
"""py3langid's word for what is written in none."""


class Part(NamedTuple):
    """A part of the text, and the code of its language (ISO 639)."""

    start: int
    end: int
    language: str


def parts_by_language(text: str, pages: Sequence[Page], default: str) -> list[Part]:
    """The text from its beginning to its end in parts of one language each, none beside one of the same.

    A piece (a paragraph, or some of its lines) whose language is not sure has that of most of the text, and
    a text that has none is in `default`.
    """
    pieces = list(_pieces(text, pages))
    if not pieces or not any(map(str.isalpha, text)):
        return [Part(0, len(text), default)]
    main = _language_of_all(text, pieces, default)
    parts: list[Part] = []
    for start, end in pieces:
        language = _of_piece(text[start:end], main)
        if parts and parts[-1].language == language:
            parts[-1] = parts[-1]._replace(end=end)
        else:
            parts.append(Part(start, end, language))
    return parts


def name_of(language: str) -> str:
    """The language's English name: `French`; its code where CLDR has none."""
    try:
        return Locale.parse(language).get_language_name("en") or language
    except (UnknownLocaleError, ValueError):
        return language


def not_read(text: str, parts: Iterable[Part]) -> tuple[Warn, ...]:
    """A warning for each language of the parts, which no engine has read; none for a few words in one."""
    counted: Counter[str] = Counter()
    for part in parts:
        counted[part.language] += _letters(text[part.start : part.end])
    enough = min(_WORTH_A_WARNING, _letters(text) / 10)
    return tuple(
        Warn("language_without_model", _NOT_READ.format(language=name_of(code), code=code))
        for code, count in sorted(counted.items())
        if count >= enough
    )


def _pieces(text: str, pages: Sequence[Page]) -> Iterator[tuple[int, int]]:
    """Consecutive ranges that cover the text; each ends with a page, a paragraph or a line."""
    borders = {0, len(text), *(page.start for page in pages)}
    borders |= {match.end() for match in _PARAGRAPH.finditer(text)}
    for start, end in pairwise(sorted(borders)):
        while end - start > 2 * _PIECE and (cut := text.find("\n", start + _PIECE, end - _PIECE) + 1):
            yield start, cut
            start = cut
        yield start, end


def _language_of_all(text: str, pieces: Sequence[tuple[int, int]], default: str) -> str:
    counted: Counter[str] = Counter()
    for start, end in pieces:
        if language := _language(text[start:end], default):
            counted[language] += _letters(text[start:end])
    return counted.most_common(1)[0][0] if counted else default


def _of_piece(piece: str, main: str) -> str:
    if _letters(piece) < _LEAST_AMONG_OTHERS:
        return main
    return _language(piece, main, sure=True) or main


def _language(piece: str, expected: str, *, sure: bool = False) -> str | None:
    """Its language; None where it is not clear, or not `sure`."""
    if _letters(piece) < _LEAST:
        return None
    if len(_ENGLISH.findall(piece)) * _ENGLISH_SHARE > len(piece):
        return "en"
    ranked = [(_SAME.get(code, code), float(share)) for code, share in _identifier().rank(_plain(piece))]
    best, share = ranked[0]
    excluded = sum(each for code, each in ranked if code == expected) < _EXCLUDED
    known = share >= _SURE and (excluded or best == expected or not sure)
    if known or (not sure and excluded and share >= _LIKELY and _is_sentence(piece)):
        return None if best == _NO_LANGUAGE else best
    return None


def _plain(piece: str) -> str:
    """Words only, those in capitals in small letters: numbers and capitals say nothing of the language."""
    return " ".join(word.lower() if word.isupper() else word for word in _WORD.findall(piece))


def _is_sentence(piece: str) -> bool:
    """Whether it has small words, and is no list of names."""
    return sum(map(str.islower, _WORD.findall(piece))) > 1


def _letters(text: str) -> int:
    return sum(map(str.isalpha, text))


@cache
def _identifier() -> LanguageIdentifier:
    """py3langid for the languages that are official somewhere: of them it is surer than of all it knows."""
    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    spoken = get_global("territory_languages").values()
    official = {
        code.split("_")[0]
        for languages in spoken
        for code, how in languages.items()
        if how.get("official_status") in ("official", "de_facto_official")
    }
    identifier.set_languages(sorted({*identifier.labels} & {*official, "no", _NO_LANGUAGE} - {"la"}))
    return identifier
