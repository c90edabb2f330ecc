"""An output as JSON of limited size."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from docpipe.models import StageOutput
from docpipe.stores import result_rows, rows

PART_BYTES = 500_000
"""Output above this travels in several parts, so that no proxy's usual limit of 1 MB is met."""
LEAST_BYTES = 8_000
"""Parts are made no smaller than this, wherever they are refused."""


def payloads(output: StageOutput, part_bytes: int = PART_BYTES) -> list[str]:
    """The output as JSON objects of limited size; the last is the one that ends the attempt.

    A row is in one piece, however large.
    """
    tables = result_rows.result_rows(output)
    fields = rows.run_fields(output) | {"replaces": list(tables)}
    slices = ((table, part) for table, found in tables.items() for part in _slices(found, part_bytes))
    payloads = [_json({table: part}) for table, part in slices]
    text = fields.get("text", "")
    if (size := _size(text)) > part_bytes:
        step = max(1, part_bytes * len(text) // size)
        payloads += [_json({"text": text[cut : cut + step]}) for cut in range(0, len(text), step)]
        fields["text"] = ""
    if sum(len(payload.encode()) for payload in payloads) <= part_bytes:
        return [_json(fields | tables)]
    return [*payloads, _json(fields)]


def _json(value: Any) -> str:
    """Letters as they are: escaped, those of other alphabets would take three times the room."""
    return json.dumps(value, ensure_ascii=False)


def _size(value: Any) -> int:
    return len(_json(value).encode())


def _slices(found: list[rows.Row], part_bytes: int) -> Iterator[list[rows.Row]]:
    slice_: list[rows.Row] = []
    size = 0
    for row in found:
        size += (more := _size(row))
        if slice_ and size > part_bytes:
            yield slice_
            slice_, size = [], more
        slice_.append(row)
    if slice_:
        yield slice_
