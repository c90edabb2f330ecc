"""Documents through a worker and a Redis of their own: `python -m tests.outbound.worker FOLDER FILE…`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from docpipe.pipeline.factory import new_pipeline
from tests.outbound import REDIS_PORT
from tests.stack.redis_server import RedisServer
from tests.workers import Workers

_SECONDS = 200.0


def main(folder: Path, *files: Path) -> None:
    redis = RedisServer(folder, REDIS_PORT, "secret")
    redis.start()
    os.environ |= {"DOCPIPE_STORE": f"sqlite://{folder / 'docpipe.db'}", "REDIS_URL": redis.url}
    try:
        with Workers(folder, os.environ) as workers:
            workers.start("ocr", "text", "entity", "graph")
            workers.wait_until_ready()
            pipeline = new_pipeline()
            submitted = [pipeline.submit(file) for file in files]
            for each in submitted:
                sys.stdout.write(f"{pipeline.wait(each.document_uuid, timeout=_SECONDS).status}\n")
    finally:
        redis.stop()


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
