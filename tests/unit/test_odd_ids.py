"""An id that none can have is an unknown one, and no message about it is long or moves the cursor."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from docpipe import Pipeline
from docpipe.errors import DocumentNotFoundError
from docpipe.models import RangeRef, Ref
from tests.unit.conftest import NewPipeline

ODD = ["\ud800", "\0", "", "a\nb", "\x1b[31m", "x" * 5_000_000]
CALLS: list[Callable[[Pipeline, str], object]] = [
    Pipeline.status,
    Pipeline.get,
    Pipeline.cancel,
    Pipeline.delete,
    Pipeline.ranges,
    Pipeline.wait,
]


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: ascii(odd[:8]))
@pytest.mark.parametrize("call", CALLS, ids=lambda call: str(call.__name__))
def test_an_odd_id_is_unknown(
    call: Callable[[Pipeline, str], object], odd: str, new_pipeline: NewPipeline
) -> None:
    with pytest.raises(DocumentNotFoundError) as raised:
        call(new_pipeline(), odd)
    assert str(raised.value).isprintable()
    assert len(str(raised.value)) < 300


@pytest.mark.parametrize("uuid", [*ODD, 5, None, ["x"]], ids=lambda odd: ascii(odd)[:8])
def test_a_message_with_an_odd_id_names_no_document(uuid: object) -> None:
    with pytest.raises(ValueError, match="document_uuid is no id"):
        Ref.from_message({"document_uuid": uuid, "run": 1})


@pytest.mark.parametrize("number", [0, -1, 2**31, 10**300, 1.5, "1", True, None, [1]], ids=ascii)
def test_a_message_with_an_odd_number_names_no_run_and_no_range(number: object) -> None:
    with pytest.raises(ValueError, match="run is not a number"):
        Ref.from_message({"document_uuid": "u", "run": number})
    with pytest.raises(ValueError, match="first_page is not a number"):
        RangeRef.from_message({"document_uuid": "u", "run": 1, "first_page": number})
