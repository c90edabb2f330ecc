from __future__ import annotations

import pytest

from docpipe.web.watch import Watch
from tests.unit.conftest import NewPipeline


@pytest.mark.parametrize(("keep_seconds", "looks"), [(600.0, 1), (0.0, 3)])
def test_one_look_serves_all_who_watch(new_eager: NewPipeline, keep_seconds: float, looks: int) -> None:
    watch = Watch(new_eager(), keep_seconds)
    seen = [watch.snapshot().statistics for _ in range(3)]
    assert len(set(map(id, seen))) == looks
