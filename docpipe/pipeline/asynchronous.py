"""The module-level API for coroutines: what blocks is done in a thread, and the event loop goes on meanwhile.

Beside `default` so that a program without an event loop does not import asyncio.
"""

from __future__ import annotations

import asyncio
from typing import Unpack

from docpipe.models import Document
from docpipe.pipeline.default import default_pipeline
from docpipe.pipeline.submission import Submission
from docpipe.pipeline.submitting import SubmitArguments
from docpipe.sources import SourceLike


async def asubmit(source: SourceLike, **arguments: Unpack[SubmitArguments]) -> Submission:
    """Submit a document to the workers; takes the arguments of `Pipeline.submit`."""
    pipeline = await asyncio.to_thread(default_pipeline)
    return await pipeline.asubmit(source, **arguments)


async def aget(document_uuid: str) -> Document:
    """A document with all that was found in it; see `Pipeline.get`."""
    pipeline = await asyncio.to_thread(default_pipeline)
    return await pipeline.aget(document_uuid)
