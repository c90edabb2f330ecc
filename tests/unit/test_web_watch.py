from __future__ import annotations

import pytest

from docpipe.web.watch import Watch
from tests.unit.conftest import NewPipeline
from tests.workers import wait_until


@pytest.mark.parametrize(("serve_seconds", "looks"), [(600.0, 1), (0.0, 3)])
def test_one_look_serves_all_who_watch(new_eager: NewPipeline, serve_seconds: float, looks: int) -> None:
    watch = Watch(new_eager(), 600.0, serve_seconds)
    seen = [watch.snapshot().statistics for _ in range(3)]
    assert len(set(map(id, seen))) == looks


def test_nobody_waits_for_a_look_while_there_is_an_earlier_one(new_eager: NewPipeline) -> None:
    pipeline = new_eager()
    watch = Watch(pipeline, 0.0, 600.0)
    watch.snapshot()
    pipeline.submit(b"Ann met Bob.", name="a.txt")
    with watch._looking:  # as if a look took long: whoever waited for one would hang here
        before = watch.snapshot().statistics
    assert before is not None and before.documents == ()

    def counted() -> int:
        found = watch.snapshot().statistics
        return sum(each.documents for each in found.documents) if found else 0

    assert wait_until(counted, "a new look") == 1


def test_a_look_finds_nothing_that_the_page_does_not_show(new_eager: NewPipeline) -> None:
    assert Watch(new_eager()).snapshot().stuck is None
