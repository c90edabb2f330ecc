"""The tools of one process are loaded once, whoever asks."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, BrokenBarrierError

from docpipe.execution.options import Options
from docpipe.execution.tools import Tools
from tests.engines import Capitals

_meeting = Barrier(2)


class Meeting(Capitals):
    """Tells whether two were made at the same time."""

    def __init__(self) -> None:
        try:
            _meeting.wait(0.5)
        except BrokenBarrierError:
            self.name = "made alone"


def test_threads_that_ask_at_once_are_given_one_engine() -> None:
    tools = Tools(Options(ner_engine="tests.unit.test_plan:Meeting"))
    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(lambda _: tools.ner, range(2))
    assert one is other
    assert one.name == "made alone"
