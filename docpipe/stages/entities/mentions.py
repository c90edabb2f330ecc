"""The entities stage: what the text names, where it stands, by an engine and by exact patterns."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from docpipe.engines.ports import KnowsLanguages, LeavesTimes, NerEngine, ReadsLayout, Report, Reporting, Span
from docpipe.errors import BugError
from docpipe.models import Chunk, Mention, Page, StageOutput
from docpipe.stages.entities.companies import to_its_form
from docpipe.stages.entities.dates import dates_within
from docpipe.stages.entities.gazetteer import Gazetteer
from docpipe.stages.entities.languages import Part, not_read, parts_by_language
from docpipe.stages.entities.names import NAMES, settled, tidied
from docpipe.stages.entities.no_names import no_terms
from docpipe.stages.entities.patterns import EXACT, VALUES, find_patterns, without_overlaps
from docpipe.stages.entities.short_names import companies_by_short_name
from docpipe.stages.entities.times import find_times
from docpipe.stages.entities.values import DateOrder, date_order, value_of
from docpipe.stages.text.places import around, locate
from docpipe.stages.text.reading_text import Normal, is_word_broken, normalised, reading_text
from docpipe.stages.text.wording.terms import read_lengths
from docpipe.stages.text.wording.terms_of_art import defined_parties, party_terms
from docpipe.stages.text.wording.wording import read_wording

PATTERN = "pattern"
"""`Mention.source` of what the exact recognisers found."""

_TIMES = "times"
_WORDING = "wording"

GAZETTEER = "gazetteer"
"""`Mention.source` of names from the project's own list."""

_ENGINE_VALUES = VALUES | {"TIME", "CARDINAL", "ORDINAL", "QUANTITY", "PERCENT"}
"""An engine's labels for values, as opposed to names."""

_VERSUS = re.compile(r"\s(?:v|vs)\.?\s")
_CELL_END = re.compile(r"\t|(?<=\S)[^\S\n\t\xa0]{3,}")
"""What parts the cells of a line: a tab, or blanks that set columns apart in plain text; no hard blank."""
_NEXT = 20
"""Characters after a mention that may tell what it says."""
_WORD = re.compile(r"\w\w")
_EDGES = " \t\n<([,;:-"


@dataclass(frozen=True, slots=True)
class EntityOptions:
    """What is looked for.

    Attributes:
        patterns: whether the exact recognisers run beside the engine.
        gazetteer: names the project knows.
        labels: labels to keep; None keeps all.
        max_window: most characters the engine gets at once: whole paragraphs where they fit,
            else cut at a line, sentence or word end.
    """

    patterns: bool = True
    gazetteer: Gazetteer | None = None
    labels: frozenset[str] | None = None
    max_window: int = 3_000


_DEFAULT = EntityOptions()
_NO_MODELS: Mapping[str, Callable[[], NerEngine]] = {}


class _Reading(NamedTuple):
    """A part of the text and the engine that reads it; None where none knows its language."""

    part: Part
    engine: NerEngine | None


class _Found(NamedTuple):
    span: Span
    source: str


def find_mentions(
    text: str,
    pages: Sequence[Page],
    chunks: Sequence[Chunk],
    *,
    engine: NerEngine,
    by_language: Mapping[str, Callable[[], NerEngine]] = _NO_MODELS,
    options: EntityOptions = _DEFAULT,
    on_place: Callable[[int], None] | None = None,
) -> StageOutput:
    """Find what `text` names: engine, gazetteer and exact patterns each read the whole text once.

    No two mentions overlap; all are sorted by start, numbered from 0, and `text[start:end]` is the
    mention. A mention belongs to the last chunk that starts at or before it, also where it runs
    over that chunk's end, so chunks that overlap count it once. Which of two findings that overlap is
    kept stands at `_findings`, what becomes of the engine's names at `_named`.

    Parts of the text in a language that `by_language` has (the code by ISO 639) are read by the engine made
    there, all others by `engine`; where that is `KnowsLanguages` and does not know theirs, by none: a
    warning then names the language, and what stands there is found by patterns and the gazetteer alone.
    An engine that is `Reporting` adds its warnings, and its usage as `extra`. `on_place` is called with the
    place of each of an engine's findings when it comes, and may raise to stop.

    Raises:
        BugError: the engine gave a span outside its text, or not one answer for every text.
    """
    readings = _readings(text, pages, engine, by_language)
    found = _findings(text, pages, readings, engine, options, on_place or _told_nobody)
    kept = [one for one in found if options.labels is None or one.span.label in options.labels]
    starts = [chunk.start for chunk in chunks]
    order = date_order(text[one.span.start : one.span.end] for one in found if one.span.label == "DATE")
    report = engine.report() if isinstance(engine, Reporting) else Report()
    unread = not_read(text, [reading.part for reading in readings if reading.engine is None])
    return StageOutput(
        mentions=tuple(_mention(i, one, text, pages, starts, order) for i, one in enumerate(kept)),
        warnings=(*report.warnings, *unread),
        extra=report.usage or None,
    )


def _findings(
    text: str,
    pages: Sequence[Page],
    readings: Sequence[_Reading],
    engine: NerEngine,
    options: EntityOptions,
    on_place: Callable[[int], None],
) -> list[_Found]:
    """All findings, none over another. Where two overlap:

    1. an exact pattern (EMAIL, URL, PHONE, IBAN, the numbers) wins over everything,
    2. a name of the gazetteer, and what the wording of an agreement shows to be its title, a party, its law
       or its term (`read_wording`), over all that is left,
    3. a pattern for a value (DATE, MONEY) over the engine's values,
    4. of the rest the longer wins, and at the same length the pattern; the times in words of an engine
       that is `LeavesTimes` (`find_times`) give way to all of them.
    """
    exact = find_patterns(text) if options.patterns else []
    calm = normalised(text)
    spans = []
    for span in (span for reading in readings for span in _read(text, calm, reading, options.max_window)):
        spans.append(span)
        on_place(span.end)
    named = _named(text, spans, layout_breaks(text, pages), exact)
    worded, terms, lengths = _worded(text) if options.patterns else ([], [], [])
    times = _times(text, spans) if options.patterns and _leaves_times(engine) else []
    return _merged(
        {
            GAZETTEER: [
                Span(*calm.original(s.start, s.end), s.label) for s in _known(calm, options.gazetteer)
            ],
            _WORDING: worded,
            PATTERN: [*exact, *lengths],
            **_by_engine(named, readings),
            _TIMES: [*times, *terms],
        }
    )


def _told_nobody(_place: int) -> None:
    pass


def _times(text: str, spans: Iterable[Span]) -> list[Span]:
    """Times in words; a number with which the engine's place begins is a house's (`1420 Harbor Drive`)."""
    houses = {span.start for span in spans if span.label == "LOCATION"}
    return [span for span in find_times(text) if span.start not in houses]


def _named(text: str, spans: Iterable[Span], breaks: Sequence[int], exact: list[Span]) -> list[Span]:
    """The engine's spans as they are kept: parted, cut back and made one over the whole document.

    The engine is given `normalised` text in windows; one that is `ReadsLayout`, text with its lines. What
    it finds is parted where the layout breaks (`layout_breaks`), `tidied`, and `settled` over the whole
    document. A name that runs into an exact pattern keeps the longer part outside it, and so does the name
    of a person, organisation or place that runs into a DATE or MONEY.
    """
    pieces = [piece for span in spans for piece in _parted(text, span, breaks)]
    whole = [piece for span in pieces for piece in dates_within(text, span)]
    names = no_terms(text, tidied(text, _cut_back(text, whole, exact)))
    companies = [span for span in exact if span.label == "ORG"]
    return settled(text, companies_by_short_name(text, names, companies))


def _worded(text: str) -> tuple[list[Span], list[Span], list[Span]]:
    """What an agreement's wording shows, where it calls its parties by their terms, and lengths of time."""
    spans = [Span(said.start, said.end, said.label) for said in read_wording(text)]
    if not spans:
        return [], [], []
    called = [Span(*place) for place in party_terms(text, defined_parties(text))]
    return spans, called, [Span(*place, "DATE") for place in read_lengths(text)]


def _readings(
    text: str, pages: Sequence[Page], engine: NerEngine, by_language: Mapping[str, Callable[[], NerEngine]]
) -> list[_Reading]:
    """Which part of the text is read by which engine."""
    known = engine.languages if isinstance(engine, KnowsLanguages) else None
    if known is None and not by_language:
        return [_Reading(Part(0, len(text), ""), engine)]
    parts = parts_by_language(text, pages, default=min(known) if known else "en")
    own = {part.language: by_language[part.language]() for part in parts if part.language in by_language}
    others = engine if known is None else None
    return [
        _Reading(part, own.get(part.language, engine if part.language in (known or ()) else others))
        for part in parts
    ]


def _read(text: str, calm: Normal, reading: _Reading, limit: int) -> Iterator[Span]:
    """What the part's engine finds in it, with the text's offsets."""
    (start, end, _), engine = reading
    if engine is None:
        return
    whole = (start, end) == (0, len(text))
    piece = text[start:end]
    if _reads_layout(engine):
        normal = reading_text(piece, layout=True)
    else:
        normal = calm if whole else normalised(piece)
    for span in _engine_spans(normal, engine, limit):
        yield span._replace(start=span.start + start, end=span.end + start)


def _by_engine(spans: Sequence[Span], readings: Sequence[_Reading]) -> dict[str, list[Span]]:
    """The spans by the name of the engine that read the part in which they begin."""
    starts = [reading.part.start for reading in readings]
    found: dict[str, list[Span]] = {}
    for span in spans:
        engine = readings[bisect_right(starts, span.start) - 1].engine
        if engine:
            found.setdefault(engine.name, []).append(span)
    return found


def _reads_layout(engine: NerEngine) -> bool:
    return isinstance(engine, ReadsLayout) and engine.reads_layout


def _leaves_times(engine: NerEngine) -> bool:
    return isinstance(engine, LeavesTimes) and engine.leaves_times


def _known(normal: Normal, gazetteer: Gazetteer | None) -> list[Span]:
    return gazetteer.find(normal.text) if gazetteer else []


def layout_breaks(text: str, pages: Sequence[Page]) -> list[int]:
    """Where no name goes on: the ends of cells, and line breaks that are not there for want of room.

    A line was full if a word is broken at its end, or if the next line's first word would not have fitted on
    it; the room is the length of the page's long lines (nine tenths are shorter), less a sixth for words of
    narrow letters.
    """
    breaks = []
    for page in pages:
        lines = list(_lines(text, page.start, page.end))
        lengths = sorted(end - start for start, end in lines)
        room = lengths[len(lengths) * 9 // 10] * 5 / 6 if lengths else 0.0
        for (start, end), (after, last) in pairwise(lines):
            word = text[after:last].split(maxsplit=1)[:1]
            has_room = not word or end - start + 1 + len(word[0]) < room
            if has_room and not is_word_broken(text, end):
                breaks.append(end)
        breaks += [match.start() for match in _CELL_END.finditer(text, page.start, page.end)]
    return sorted(breaks)


def _lines(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    while start < end:
        stop = text.find("\n", start, end)
        stop = end if stop < 0 else stop
        yield start, stop
        start = stop + 1


def _parted(text: str, span: Span, breaks: Sequence[int]) -> Iterator[Span]:
    """The span's parts between breaks; single words only where no part has more."""
    cuts = breaks[bisect_right(breaks, span.start) : bisect_left(breaks, span.end)]
    if not cuts:
        yield span
        return
    parts = [Span(a, b, span.label, span.score) for a, b in pairwise([span.start, *cuts, span.end])]
    words = [len(text[part.start : part.end].split()) for part in parts]
    least = min(2, max(words))
    yield from (part for part, count in zip(parts, words, strict=True) if count >= least)


def _engine_spans(normal: Normal, engine: NerEngine, limit: int) -> Iterator[Span]:
    text = normal.text
    windows = [
        window
        for window in _windows(text, 0, len(text), limit)
        if _WORD.search(text, *window)  # lone letters and signs name nothing, and cost most
    ]
    answers = engine.find([text[start:end] for start, end in windows])
    try:
        for (start, end), answer in zip(windows, answers, strict=True):
            for span in answer:
                if not 0 <= span.start < span.end <= end - start:
                    raise BugError(
                        f"The engine {engine.name} gave the span {span.start}..{span.end}"
                        f" of {end - start} characters."
                    )
                place = normal.original(start + span.start, start + span.end)
                yield Span(*place, span.label, span.score)
    except ValueError as error:
        raise BugError(f"The engine {engine.name} did not give one answer for every text.") from error


def _windows(text: str, start: int, end: int, limit: int) -> Iterator[tuple[int, int]]:
    while end - start > limit:
        half, full = start + limit // 2, start + limit
        borders = (
            text.rfind(border, half, full) + len(border)
            for border in ("\n", ". ", " ")
            if text.find(border, half, full) >= 0
        )
        cut = next(borders, full)
        yield start, cut
        start = cut
    yield start, end


def _cut_back(text: str, spans: list[Span], patterns: list[Span]) -> list[Span]:
    """The engine's spans without what lies past a blank line, inside a pattern that wins over them, or past
    the legal form of a company.
    """
    starts = [pattern.start for pattern in patterns]
    cut = []
    for span in spans:
        blank = text.find("\n\n", span.start, span.end)
        start, end = span.start, span.end if blank < 0 else blank
        near = patterns[max(0, bisect_right(starts, start) - 1) : bisect_right(starts, end - 1)]
        if span.label in NAMES and _runs_into_another(near, start):
            continue
        for pattern in near:
            if pattern.label in EXACT or (pattern.label in VALUES and span.label in NAMES):
                start, end = _outside(start, end, pattern)
            elif pattern.label == "ORG" and span.label in NAMES:
                start, end = to_its_form(text, start, end, pattern)
        if span.label in NAMES and _VERSUS.search(text, start, end):
            cut += [
                Span(*_stripped(text, *side), span.label, span.score) for side in _sides(text, start, end)
            ]
        elif (start, end) == (span.start, span.end):
            cut.append(span)
        else:
            cut.append(Span(*_stripped(text, start, end), span.label, span.score))
    return [span for span in cut if span.start < span.end]


def _runs_into_another(patterns: Iterable[Span], start: int) -> bool:
    """Whether a name from `start` on holds two companies by their legal form: these are the names."""
    return sum(pattern.label == "ORG" and start < pattern.end for pattern in patterns) > 1


def _sides(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Both sides of a case's caption (`Doe v. Roe`), else the span itself."""
    for match in _VERSUS.finditer(text, start, end):
        yield start, match.start()
        start = match.end()
    yield start, end


def _outside(start: int, end: int, pattern: Span) -> tuple[int, int]:
    """The longer part of `start..end` before or after `pattern`."""
    if pattern.end <= start or end <= pattern.start:
        return start, end
    before, after = (start, pattern.start), (pattern.end, end)
    return before if before[1] - before[0] >= after[1] - after[0] else after


def _stripped(text: str, start: int, end: int) -> tuple[int, int]:
    piece = text[start:end] if start < end else ""
    return start + len(piece) - len(piece.lstrip(_EDGES)), start + len(piece.rstrip(_EDGES))


def _merged(found: dict[str, list[Span]]) -> list[_Found]:
    """The findings without overlaps; what several sources give is the first one's."""
    sources = {span: source for source in reversed(found) for span in found[source]}

    def rank(span: Span) -> tuple[int, int, int]:
        source, exact = sources[span], sources[span] == PATTERN
        if source == _TIMES:
            order = 4
        elif exact and span.label in EXACT:
            order = 0
        elif source in (GAZETTEER, _WORDING):
            order = 1
        else:
            order = 3 if not exact and span.label in _ENGINE_VALUES else 2
        return order, span.start - span.end, 0 if exact else 1

    kept = without_overlaps(list(sources), rank)
    own = (_TIMES, _WORDING)
    return [_Found(span, PATTERN if sources[span] in own else sources[span]) for span in kept]


def _mention(
    index: int,
    found: _Found,
    text: str,
    pages: Sequence[Page],
    starts: Sequence[int],
    order: DateOrder | None,
) -> Mention:
    span = found.span
    page, boxes = locate(text, pages, span.start, span.end)
    chunk = max(0, bisect_right(starts, span.start) - 1)
    return Mention(
        index=index,
        text=text[span.start : span.end],
        label=span.label,
        start=span.start,
        end=span.end,
        page=page,
        box=around(boxes),
        score=span.score,
        source=found.source,
        chunk=chunk,
        value=value_of(span.label, text[span.start : span.end], order, text[span.end : span.end + _NEXT]),
        boxes=boxes,
    )
