"""Calendars and invitations (iCalendar, RFC 5545) and business cards (vCard): their facts as lines."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from docpipe.formats.base import Reader, TextReader
from docpipe.formats.html import visible_text
from docpipe.formats.paging import lines_of, paginate
from docpipe.formats.request import ReadRequest
from docpipe.formats.text import decode

_WORDS = {
    "METHOD": "Method",
    "SUMMARY": "Summary",
    "DTSTART": "Start",
    "DTEND": "End",
    "DUE": "Due",
    "DURATION": "Duration",
    "RRULE": "Repeats",
    "LOCATION": "Location",
    "ORGANIZER": "Organizer",
    "ATTENDEE": "Attendee",
    "STATUS": "Status",
    "URL": "URL",
    "COMMENT": "Comment",
    "CONTACT": "Contact",
    "DESCRIPTION": "Description",
    "FN": "Name",
    "ORG": "Organisation",
    "TITLE": "Title",
    "TEL": "Telephone",
    "EMAIL": "E-mail",
    "ADR": "Address",
    "BDAY": "Birthday",
    "NOTE": "Note",
}
"""The properties a calendar program shows, and the words for them; all others are for machines."""
_NOT_SHOWN = frozenset({"VTIMEZONE", "VALARM", "STANDARD", "DAYLIGHT"})
_UNFOLDED = re.compile(r"\r?\n[ \t]")
_MOMENT = re.compile(r"(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)(\d\d)?(Z?))?")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_PARAMETER = re.compile(r';([\w-]{1,40})=("[^"]*+"|[^;:"]*+)')


@dataclass(frozen=True, slots=True)
class _Property:
    name: str
    parameters: dict[str, str]
    value: str


def open_reader(request: ReadRequest) -> Reader:
    """Open a calendar as one page: the facts of each event, task or card, parted by blank lines."""
    decoded = decode(request.content(), "utf-8")
    pages = list(paginate(lines_of(facts(decoded.text)), request.limits.max_page_characters))
    return TextReader(request.file_type, pages, {"charset": decoded.charset}, decoded.warnings())


def facts(text: str) -> str:
    """What a calendar program would show of it, a line for each fact."""
    return "\n".join(_fact_lines(_UNFOLDED.sub("", text)))


def _fact_lines(text: str) -> Iterator[str]:
    inside: list[bool] = []
    hidden = 0
    for line in text.splitlines():
        found = _property(line)
        if found is None:
            continue
        if found.name == "BEGIN":
            inside.append(found.value.strip().upper() in _NOT_SHOWN)
            hidden += inside[-1]
            yield ""
        elif found.name == "END":
            hidden -= inside.pop() if inside else 0
        elif found.name in _WORDS and not hidden and (shown := _shown(found)):
            yield f"{_WORDS[found.name]}: {shown}"


def _property(line: str) -> _Property | None:
    name = re.match(r"(?:[\w-]{1,40}\.)?([\w-]{1,40})(?=[;:])", line)
    if name is None:
        return None
    place, parameters = name.end(), {}
    while found := _PARAMETER.match(line, place):
        parameters[found[1].upper()] = found[2].strip('"')
        place = found.end()
    return _Property(name[1].upper(), parameters, line[place + 1 :])


def _shown(found: _Property) -> str:
    if found.name in {"ORGANIZER", "ATTENDEE"}:
        return _person(found)
    if moment := _MOMENT.fullmatch(found.value.strip()):
        return _moment(moment, found.parameters.get("TZID", ""))
    if found.name in {"ADR", "ORG"}:
        return ", ".join(part for part in map(_plain, re.split(r"(?<!\\);", found.value)) if part)
    text = _plain(found.value)
    return visible_text(text)[0] if "<html" in text.lower() else text


def _plain(value: str) -> str:
    return _ESCAPE.sub(lambda escape: "\n" if escape[1] in "nN" else escape[1], value).strip()


def _person(found: _Property) -> str:
    address = re.sub("^mailto:", "", found.value.strip(), flags=re.IGNORECASE)
    name = found.parameters.get("CN", "")
    return f"{name} <{address}>" if name and address else name or address


def _moment(found: re.Match[str], zone: str) -> str:
    year, month, day, hour, minute, _, universal = found.groups()
    date = f"{year}-{month}-{day}"
    if hour is None:
        return date
    zone = "UTC" if universal else zone
    return f"{date} {hour}:{minute}" + (f" ({zone})" if zone else "")
