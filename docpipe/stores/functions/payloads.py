"""An output as JSON of limited size."""

from __future__ import annotations

import json
from collections.abc import Iterator

from docpipe.models import StageOutput
from docpipe.stores import result_rows, rows

_PART_BYTES = 500_000
"""Output above this travels in several parts, so that no proxy's body limit is met."""


def payloads(output: StageOutput) -> list[str]:
    """The output as JSON objects of limited size; the last is the one that ends the attempt."""
    tables = result_rows.result_rows(output)
    fields = rows.run_fields(output) | {"replaces": list(tables)}
    payloads = [json.dumps({table: part}) for table, found in tables.items() for part in _slices(found)]
    text = fields.get("text", "")
    if len(text) > _PART_BYTES:
        cuts = range(0, len(text), _PART_BYTES)
        payloads += [json.dumps({"text": text[cut : cut + _PART_BYTES]}) for cut in cuts]
        fields["text"] = ""
    if sum(map(len, payloads)) <= _PART_BYTES:
        return [json.dumps(fields | tables)]
    return [*payloads, json.dumps(fields)]


def _slices(found: list[rows.Row]) -> Iterator[list[rows.Row]]:
    slice_, size = [], 0
    for row in found:
        slice_.append(row)
        size += len(json.dumps(row))
        if size > _PART_BYTES:
            yield slice_
            slice_, size = [], 0
    if slice_:
        yield slice_
