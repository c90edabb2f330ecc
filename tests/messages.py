"""What waits in the lists of a broker, of few messages all."""

from __future__ import annotations

from collections.abc import Iterable

from docpipe.delivery.broker import Broker
from docpipe.models import RangeRef, Ref


def messages(broker: Broker, queues: Iterable[str]) -> set[Ref | RangeRef]:
    """What they are about."""
    looks = broker.looks(queues)
    assert all(look.whole for look in looks)
    return {about for look in looks for about, _ in look.oldest}
