"""The rules of shares, each stated once, as those of the ledger are (`ledger_rules`)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from docpipe.models import Ref
from docpipe.stores.share_port import Limit


@dataclass(frozen=True, slots=True)
class Waiting:
    """A run that waits. `since`: in any form that sorts by time."""

    ref: Ref
    project_id: str
    priority: int
    since: str


@dataclass(frozen=True, slots=True)
class Usage:
    """What is in flight and was let in today, by project; None: of runs that never had to wait."""

    in_flight: Mapping[str | None, int]
    today: Mapping[str | None, int]


def must_wait(limits: Iterable[Limit], *, let_in: bool, in_ranges: bool) -> bool:
    """Whether a run is not to be published yet. Ranges are handed out by those before them."""
    return any(each.limits for each in limits) and not let_in and not in_ranges


def admitted(waiting: Iterable[Waiting], limits: Iterable[Limit], usage: Usage, most: int) -> list[Waiting]:
    """Which runs are let in, in this order.

    By priority. Among equals each would be the n-th of its project in flight: the one with the smallest n for
    its project's weight is first, then the one that has waited for longest.
    """
    by_project = {each.project_id: each for each in limits}
    lines: dict[str, list[Waiting]] = defaultdict(list)
    for each in sorted(waiting, key=_in_line):
        lines[each.project_id].append(each)
    turns = []
    for project, line in lines.items():
        own, flight = by_project.get(project, Limit(project)), usage.in_flight.get(project, 0)
        free = _free(own, flight, usage.today.get(project, 0), most)
        turns += [
            (each.priority, (flight + place) / own.weight, each.since, each.ref.document_uuid, each)
            for place, each in enumerate(line[:free], 1)
        ]
    every_one = by_project.get(None, Limit())
    free = _free(every_one, sum(usage.in_flight.values()), sum(usage.today.values()), most)
    return [each for *_, each in sorted(turns, key=lambda turn: turn[:-1])[:free]]


def _in_line(each: Waiting) -> tuple[int, str, str]:
    return each.priority, each.since, each.ref.document_uuid


def _free(limit: Limit, in_flight: int, today: int, most: int) -> int:
    left = [
        most if limit.in_flight is None else limit.in_flight - in_flight,
        most if limit.per_day is None else limit.per_day - today,
    ]
    return max(0, min(most, *left))
