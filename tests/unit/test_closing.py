"""What is opened in steps is closed when a step fails, and left open else."""

from __future__ import annotations

from io import BytesIO

import pytest

from docpipe.models.closing import closed_on_failure


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt])
def test_it_is_closed_when_the_block_raises(failure: type[BaseException]) -> None:
    opened = BytesIO()
    with pytest.raises(failure), closed_on_failure(opened):
        raise failure
    assert opened.closed


def test_it_stays_open_for_whoever_the_block_made() -> None:
    opened = BytesIO()

    def made() -> tuple[BytesIO]:
        with closed_on_failure(opened):
            return (opened,)

    assert not made()[0].closed
