"""Who signs, and for whom: blocks of a company's name, `By: /s/ …`, `Name:`, `Title:` in columns."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from docpipe.models import FactType
from docpipe.stages.text.wording.names import NAME, has_form, is_name, is_organisation, label_of
from docpipe.stages.text.wording.values import Said

_BY = re.compile(r"(?:By|BY)\b\s*[:.]?\s*|(?=/[sS]/)")
_SIGNED = re.compile(r"/[sS]/\s*")
_NAMED = re.compile(r"(?i)(?:printed\s+|print\s+|type/print\s+)?name(?:\s+of\s+\w+)?\s*:\s*")
_TITLED = re.compile(r"(?i)(?:title|its)\s*:\s*")
_ON = re.compile(r"(?i)dated?\s*:\s*(?=\S)")
_PASSED = re.compile(
    r"(?i)(?:as\s|for\s+and\s+on\s+behalf|on\s+behalf|d/b/a|a\s|an\s|by\s+its|its\s|date|address"
    r"|\(|[_\W]*$|logo|signed|agreed|accepted)"
)
_LABELLED = re.compile(r"[A-Za-z’' ]{3,40}:\s*(?=\S)")
_WITNESS = re.compile(r"(?i)witness(?:ed\s+by)?\s*:?")
_GOES_ON = re.compile(r"(?:&|and|AND)\s")
"""How the second line of a company's name begins."""
_CAPITALS = re.compile(r"[A-Z][A-Z&’'-]*(?:\s[A-Z&][A-Z&’'-]*){1,5}")
_ABOVE = 4
_BELOW = 4
_PARTICLES = r"(?:(?:d[aeiou]s?|del|de[rn]|la|v[ao]n)\s+){0,2}"
_PRINTED = re.compile(
    rf"^(?:(?:Mr|Ms|Mrs|Dr)\.?\s+)?[A-Z][\w.'’-]*(?:\s+{_PARTICLES}[A-Z][\w.'’-]*){{1,3}}(?:,?\s+(?:Jr|Sr"
    rf"|II"
    r"|III)\.?)?$"
)


_SEVERAL = re.compile(r"\b(?:AND|OR|OF)\b")
"""What headings in capitals hold where no company stands."""
_PERSON_BELOW = re.compile(
    r"(?i)(?:the\s+)?(?:employee|executive|consultant|associate|contractor|participant|director"
    r"|recipient|individual)(?:\s+name)?\s*:?$"
)
_PRINTED_NAME = re.compile(
    r"(?i)(?:type/?\s?print|printed"
    r"|print)(?:ed)?\s+name(?:\s+of\s+\w+)?\s*:\s*(?=\S)"
)


_CELL_END = re.compile(r"\t|(?<=[^\s:])[^\S\n\t]{3,}(?=\S)")
"""A tab, or blanks that set columns apart in plain text; those behind a colon belong to a field."""


_OFFICE = re.compile(
    r"(?=[A-Z])[\w ,.&’'-]{0,60}\b(?:Officer|President|Director|Secretary|Treasurer|Chair(?:man|woman"
    r"|person)?"
    r"|Manager|Partner|Counsel|CEO|CFO|COO)\b[\w ,.&’'-]{0,60}"
)
"""A line that says what the signer is, without a word before it."""


class Signature(NamedTuple):
    """One signature: whose (spans, None where blank), for which party, and the title below it."""

    signer: tuple[int, int] | None
    party: tuple[int, int] | None
    title: str
    shown: tuple[int, int]
    date: tuple[int, int] | None = None


class _Cell(NamedTuple):
    start: int
    end: int


def read_signatures(text: str) -> list[Signature]:
    """The signatures in the text, in its order."""
    rows = _rows(text)
    found = []
    for number, row in enumerate(rows):
        for column, cell in enumerate(row):
            if _is_witness(text, rows, number, column):
                continue
            opening = _BY.match(text, cell.start, cell.end)
            if _NAMED.match(text, cell.start, cell.end) and not _is_signed_above(text, rows, number, column):
                found.append(_signature(text, rows, number - 1, column, cell.start))
                continue
            if opening and (_SIGNED.search(text, cell.start, cell.end) or _is_blank_by(text, opening, cell)):
                found.append(_signature(text, rows, number, column, opening.end()))
            elif named := _printed_person(text, rows, number, column, cell):
                found.append(Signature(named, None, _title(text, rows, number, column), named))
    return [each for each in found if each.signer or each.party]


def _is_witness(text: str, rows: Sequence[Sequence[_Cell]], number: int, column: int) -> bool:
    """Whether the line above in this column calls the signer a witness, or the next where it has columns."""
    below = [row for row in rows[number + 1 : number + 2] if len(row) > 1]
    above = rows[number - 1] if number and len(rows[number]) == 1 else []
    cells = (*above, *(_cell_at(row, column) for row in [*rows[max(0, number - 1) : number], *below]))
    return any(cell and _WITNESS.fullmatch(text, cell.start, cell.end) for cell in cells)


def signing_parties(text: str) -> Iterator[Said]:
    """Whom the signatures are for: companies above them, and persons who sign without a title."""
    for each in read_signatures(text):
        span = each.party or (None if each.title else each.signer)
        for own in (*_stacked(text, each.party), span) if span else ():
            name = " ".join(text[slice(*own)].split())
            label = label_of(name) if each.party else "PERSON"
            yield Said(FactType.PARTY_TO, *own, label, each.shown, 0.85)


def _stacked(text: str, party: tuple[int, int] | None) -> Iterator[tuple[int, int]]:
    """The company on the line above, for which one signature stands too."""
    above = text.rfind("\n", 0, party[0]) if party else -1
    if above > 0 and party and above + 1 == party[0]:
        company = _company(text, text.rfind("\n", 0, above) + 1, above)
        if company and has_form(text[slice(*company)]):
            yield company


def _is_signed_above(text: str, rows: Sequence[Sequence[_Cell]], number: int, column: int) -> bool:
    above = (_cell_at(row, column) for row in rows[max(0, number - _ABOVE + 1) : number])
    return any(
        cell
        and re.match(
            r"(?:By|BY)\b"
            r"|.{0,60}/[sS]/",
            text[cell.start : cell.end],
        )
        for cell in above
    )


def _printed_person(
    text: str, rows: Sequence[Sequence[_Cell]], number: int, column: int, cell: _Cell
) -> tuple[int, int] | None:
    """A person named beside `Printed name:`, or below `EMPLOYEE`."""
    start, end = cell
    if lead := _PRINTED_NAME.match(text, start, end):
        start = lead.end()
    elif _PERSON_BELOW.match(text[start:end]) and number + 1 < len(rows) and start > len(text) // 3:
        beside = next((each for each in rows[number] if each.start > start), None)
        start, end = beside or _cell_at(rows[number + 1], column) or (0, 0)
    else:
        return None
    piece = text[start:end].split(",")[0].rstrip()
    return (
        (start, start + len(piece))
        if _PRINTED.match(piece) and is_name(piece) and not has_form(piece)
        else None
    )


def _is_blank_by(text: str, opening: re.Match[str], cell: _Cell) -> bool:
    """`By:` with a line to sign on, or nothing, behind it."""
    return opening.group().strip() != "" and not text[opening.end() : cell.end].strip(" _-.:\u2014")


def _rows(text: str) -> list[list[_Cell]]:
    rows, start = [], 0
    for line in text.split("\n"):
        ends = [(found.start(), found.end()) for found in _CELL_END.finditer(line)]
        borders = [0, *(place for end in ends for place in end), len(line)]
        cells = [_cell(line, start, *borders[i : i + 2]) for i in range(0, len(borders), 2)]
        if line.strip():
            rows.append(cells)
        start += len(line) + 1
    return rows


def _cell(line: str, offset: int, start: int, end: int) -> _Cell:
    part = line[start:end]
    lead = len(part) - len(part.lstrip())
    return _Cell(offset + start + lead, offset + start + len(part.rstrip()))


def _signature(text: str, rows: Sequence[Sequence[_Cell]], number: int, column: int, start: int) -> Signature:
    cell = _cell_at(rows[number], column) or rows[number][0]
    party = _party_above(text, rows, number + _is_company(text, cell), column)
    signer = _signer(text, rows, number, column, start)
    title = _title(text, rows, number, column)
    places = [cell, *(span for span in (party, signer) if span)]
    shown = min(place[0] for place in places), max(place[1] for place in places)
    return Signature(signer, party, title, shown, _date(text, rows, number, column))


def _cell_at(row: Sequence[_Cell], column: int) -> _Cell | None:
    cells = [cell for cell in row if cell.start < cell.end]
    return cells[min(column, len(cells) - 1)] if cells else None


def _party_above(
    text: str, rows: Sequence[Sequence[_Cell]], number: int, column: int
) -> tuple[int, int] | None:
    low = max(0, number - _ABOVE)
    for place in range(number - 1, low - 1, -1):
        cell = _cell_at(rows[place], column)
        if cell is None:
            continue
        piece = text[cell.start : cell.end]
        if _SIGNED.match(piece) or _NAMED.match(piece) or _TITLED.match(piece):
            return None
        if _PASSED.match(piece) or re.match(r"(?:By|BY)\b", piece):
            continue
        start = cell.start + (found.end() if (found := _LABELLED.match(piece)) else 0)
        if place and len(rows[place - 1]) == 1 and _goes_on(text, rows[place - 1][0], piece):
            start = rows[place - 1][0].start
        if span := _company(text, start, cell.end):
            return span
        if len(piece) > 70:
            return None
    return None


def _goes_on(text: str, above: _Cell, piece: str) -> bool:
    """Whether the line is the second of a name: it begins with `&` or `and`, or is a form with one word
    below a line of capitals that has none.
    """
    if _GOES_ON.match(piece):
        return True
    first = text[above.start : above.end]
    plain = _CAPITALS.fullmatch(first) is not None and not has_form(first) and is_name(first)
    return plain and piece.isupper() and has_form(piece) and len(piece.split(",")[0].split()) == 1


def _company(text: str, start: int, end: int) -> tuple[int, int] | None:
    found = NAME.match(text, start, end)
    if not found or not is_name(found.group()):
        return None
    rest = text[found.end() : end].strip(" ,:;.")
    whole = has_form(found.group()) or not rest
    shouted = found.group().isupper() and not _SEVERAL.search(found.group())
    company = is_organisation(found.group()) or shouted
    if not (whole and company and len(found.group()) > 3):
        return None
    return start, found.start() + len(found.group().rstrip(" ,:"))


def _signer(
    text: str, rows: Sequence[Sequence[_Cell]], number: int, column: int, start: int
) -> tuple[int, int] | None:
    """The name printed below, else the one that stands for the signature."""
    for row in rows[number + 1 : number + 1 + _BELOW]:
        cell = _cell_at(row, column)
        if cell is None:
            continue
        lead = _NAMED.match(text, cell.start, cell.end)
        begin = lead.end() if lead else cell.start
        piece = text[begin : cell.end].split(",")[0].rstrip()
        if _PRINTED.match(piece) and not has_form(piece) and is_name(piece):
            return begin, begin + len(piece)
        if (
            lead
            or _TITLED.match(text, cell.start, cell.end)
            or re.match(r"(?:By|BY)\b|/[sS]/", text[cell.start : cell.end])
        ):
            break
    cell = _cell_at(rows[number], column) or rows[number][0]
    found = _SIGNED.search(text, start, cell.end)
    piece = text[found.end() : cell.end].strip(" _") if found else ""
    if found and _PRINTED.match(piece):
        begin = text.index(piece, found.end())
        return begin, begin + len(piece)
    return None


def _is_company(text: str, cell: _Cell) -> bool:
    return _company(text, cell.start, cell.end) is not None


def _date(text: str, rows: Sequence[Sequence[_Cell]], number: int, column: int) -> tuple[int, int] | None:
    for row in rows[number + 1 : number + 2 + _BELOW]:
        cell = _cell_at(row, column)
        if cell and (lead := _ON.match(text, cell.start, cell.end)):
            return lead.end(), cell.end
        if cell and _BY.match(text, cell.start, cell.end):
            return None
    return None


def _title(text: str, rows: Sequence[Sequence[_Cell]], number: int, column: int) -> str:
    own = _cell_at(rows[number], column)
    signs_for_another = own is not None and text[own.start : own.start + 2] in ("By", "BY")
    for row in rows[number + 1 : number + 1 + _BELOW]:
        cell = _cell_at(row, column)
        if cell and (lead := _TITLED.match(text, cell.start, cell.end)):
            return text[lead.end() : cell.end].strip(" _")
        if cell and signs_for_another and _OFFICE.fullmatch(text, cell.start, cell.end):
            return text[cell.start : cell.end]
    return ""
