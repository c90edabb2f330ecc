"""Is the worker of this machine alive? Its main loop says so in a file, every few seconds.

The loop turns while all its children are busy, so a busy worker is alive. It stands still when the process
hangs and while the broker is away, and what it no longer consumes stands in the file. A probe reads the file
and asks no service. The loop of pool `solo` does the work itself: as a task begins, the file is given the
time by which a task must have ended.

A second file has the queues of which the store lets the worker begin nothing, with the store's words. Any
process of the worker that finds that out writes it, and the loop, which alone can, consumes them no more.
"""

from __future__ import annotations

import json
import os
import stat
import tempfile
import time
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Any

from celery import Celery, bootsteps
from celery.signals import task_postrun, task_prerun

from docpipe.execution.logs import get_logger
from docpipe.models.private_files import make_private_file, make_private_folder

log = get_logger(__name__)

BEAT_SECONDS = 10.0
SILENT_SECONDS = 45.0
"""A loop that is silent for longer hangs: with a probe each 10 seconds that is seen within a minute."""

_REFUSAL_SECONDS = 1.0
"""The loop looks so often for a refusal: before the first retry of what was refused is due."""


def folder() -> Path:
    """Where the workers of this user, on this machine, have their files."""
    return Path(tempfile.gettempdir()) / f"docpipe-workers-{os.geteuid()}"


def workers_here() -> dict[int, str | None]:
    """Each worker of this user on this machine, by process, and what is wrong with it; None: it is alive."""
    return {int(path.name): _wrong(path) for path in sorted(_files()) if _runs(int(path.name))}


def _files() -> list[Path]:
    return [path for path in folder().glob("*") if path.name.isdecimal()] if _is_ours(folder()) else []


def _runs(pid: int) -> bool:
    with suppress(PermissionError):  # it is another user's, and lives
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
    return True


def _wrong(path: Path) -> str | None:
    try:
        lacking, silent = path.read_text(encoding="utf-8"), time.time() - path.stat().st_mtime
    except OSError as error:
        return f"its file cannot be read: {error}"
    for words in _refusals(path).values():
        return f"the store lets it begin nothing: {words.rstrip('.')}"
    if silent > SILENT_SECONDS:
        return f"its main loop stands still since {silent:.0f} s: it hangs, or its broker is away"
    return f"it no longer consumes {lacking}" if lacking else None


def _refusal_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.refused")


def _refusals(path: Path) -> dict[str, str]:
    """By queue the words of the store."""
    try:
        return dict(map(json.loads, _refusal_of(path).read_text(encoding="utf-8").splitlines()))
    except (OSError, ValueError):  # there are none, or they are being written
        return {}


def refuse(queue: str, words: str) -> bool:
    """Say, in any process of a worker, that the store lets it begin nothing of the queue, until it is started
    again. Whether that was said: not where the temporary folder cannot be written to.
    """
    for pid in (os.getpid(), os.getppid()):  # the loop is in this process, or has forked it
        path = folder() / str(pid)
        if _is_ours(folder()) and path.is_file():
            return _say_refused(path, queue, words)
    return False


def _say_refused(path: Path, queue: str, words: str) -> bool:
    if queue in _refusals(path):
        return True
    try:
        make_private_file(_refusal_of(path))
        with _refusal_of(path).open("a", encoding="utf-8") as file:
            file.write(json.dumps([queue, words]) + "\n")
    except OSError:
        return False
    return True


def _is_ours(place: Path) -> bool:
    """The temporary folder is everybody's: somebody else may have made a folder of that name."""
    try:
        found = place.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()


class Beat:
    """The file of one worker."""

    def __init__(self) -> None:
        self._path = folder() / str(os.getpid())
        self._forget_refusal()  # of a worker that had this number before

    def say(self, lacking: Collection[str]) -> None:
        """Alive now; `lacking` are the queues that it should consume and does not."""
        try:
            make_private_folder(self._path.parent)
            if not _is_ours(self._path.parent):
                raise PermissionError(f"{self._path.parent} is somebody else's")
            make_private_file(self._path)
            self._path.write_text(", ".join(sorted(lacking)), encoding="utf-8")
        except OSError as error:
            log.warning("liveness_not_said", error=str(error))

    def refused(self) -> set[str]:
        """The queues of which the store lets this worker begin nothing."""
        return set(_refusals(self._path)) if _is_ours(folder()) else set()

    def works_until(self, time_: float) -> None:
        """The loop may stand still for one task, until then."""
        with suppress(OSError):
            os.utime(self._path, (time_, time_))

    def end(self) -> None:
        """The worker stops."""
        self._forget_refusal()
        with suppress(OSError):
            self._path.unlink(missing_ok=True)

    def _forget_refusal(self) -> None:
        if _is_ours(folder()):
            with suppress(OSError):
                _refusal_of(self._path).unlink(missing_ok=True)


def watch(app: Celery, queues: Collection[str], longest_seconds: float) -> None:
    """Let workers of this app say that they are alive, and which of the queues they have lost.

    Args:
        longest_seconds: a task may take this long. In pool `solo` nothing ends it then.
    """

    class Liveness(bootsteps.StartStopStep):
        """Started again after each loss of the connection, when the consumer is."""

        requires = ("celery.worker.consumer.tasks:Tasks",)

        def __init__(self, _consumer: Any, **_: Any) -> None:
            self._beat = Beat()
            self._wanted: frozenset[str] | None = None

        def start(self, consumer: Any) -> None:
            if self._wanted is None:
                self._wanted = frozenset(consumed(consumer)) & frozenset(queues)
                if _is_solo(consumer):
                    _watch_tasks(app, self._beat, longest_seconds)
            self._say(consumer)
            consumer.timer.call_repeatedly(BEAT_SECONDS, self._say, (consumer,))
            consumer.timer.call_repeatedly(_REFUSAL_SECONDS, self._stand_back, (consumer,))

        def _say(self, consumer: Any) -> None:
            self._beat.say((self._wanted or frozenset()) - consumed(consumer))

        def _stand_back(self, consumer: Any) -> None:
            for queue in self._beat.refused() & consumed(consumer):
                consumer.call_soon(consumer.cancel_task_queue, queue)

        def shutdown(self, _consumer: Any) -> None:
            self._beat.end()

    app.steps["consumer"].add(Liveness)


def _watch_tasks(app: Celery, beat: Beat, longest_seconds: float) -> None:
    """Of this process, which is the only one of its worker."""

    def begins(sender: Any, **_: Any) -> None:
        if sender.app is app:
            beat.works_until(time.time() + longest_seconds)

    def ends(sender: Any, **_: Any) -> None:
        if sender.app is app:
            beat.works_until(time.time())

    task_prerun.connect(begins, weak=False)
    task_postrun.connect(ends, weak=False)


def consumed(consumer: Any) -> set[str]:
    """The queues that the worker consumes now."""
    return set(consumer.app.amqp.queues.consume_from)


def _is_solo(consumer: Any) -> bool:
    return type(consumer.pool).__module__.endswith(".solo")
