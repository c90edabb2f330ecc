"""Signals that a host connects to, as to Celery's own.

from docpipe.delivery.signals import document_completed

@document_completed.connect
def index(sender, document_uuid, run, **_):
    ...
"""

from __future__ import annotations

from celery.utils.dispatch import Signal

document_completed: Signal = Signal(name="document_completed", providing_args=["document_uuid", "run"])
"""Sent by the process that completed a run, after the document's entities were linked, by the pipeline.

It is sent once, unless a worker dies at that moment: then not at all, or a second time when the message comes
again. So decide nothing from it that must not be missed. What a receiver raises is logged, and holds
nothing up.
"""
