"""One server process: started, watched and ended, also by a process that did not start it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar

import psutil

START_SECONDS = 300.0
STOP_SECONDS = 30.0
POLL_SECONDS = 0.02
SAME_PROCESS_SECONDS = 5.0  # start times are reckoned from the boot time, which clock corrections move


class StackError(RuntimeError):
    """The stack cannot be started or found; the message says what to do."""


class NotReadyError(Exception):
    """The server does not answer yet."""


class Server(ABC):
    """A server on 127.0.0.1 whose files, log and process id rest in `folder`.

    The process leads its own session, so a Ctrl-C in the terminal does not reach it, and it is
    found again by `folder/pid`, so `stop` works from any later process too.
    """

    name: ClassVar[str]
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM
    user: ClassVar[str | None] = None
    """The user to run as when we are root; None: whoever we are."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder / self.name
        self.port = port
        self.log = self.folder / "log"
        self._pid_file = self.folder / "pid"
        self._started: int | None = None

    @abstractmethod
    def prepare(self) -> None:
        """Write what the server needs before each start."""

    @abstractmethod
    def command(self) -> list[str]:
        """The command line."""

    @abstractmethod
    def check(self) -> None:
        """Speak the server's own protocol once; raise NotReadyError while it does not answer."""

    def environment(self) -> dict[str, str]:
        """The whole environment of the process: nothing of ours leaks into it."""
        return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}

    def discard(self) -> None:
        """Remove the data; the log stays for whoever wants to read it."""
        shutil.rmtree(self.folder / "data", ignore_errors=True)

    @property
    def running(self) -> bool:
        """Whether the process lives (a paused one does)."""
        return self._process() is not None

    @property
    def pid(self) -> int | None:
        """The process id, or None."""
        process = self._process()
        return process.pid if process else None

    def start(self) -> None:
        """Start, and return when the server answers.

        Raises: StackError with the end of the log when it ends or stays silent for minutes.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        self.prepare()
        with self.log.open("ab") as log:
            child = subprocess.Popen(
                self.command(),
                cwd=self.folder,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **as_user(self.user),
            )
        child.returncode = 0  # or Popen would warn of a server that is meant to outlive this process
        self._remember(child.pid)
        self._wait_until_ready()

    def stop(self) -> None:
        """End the process as its operator would; after 30 s, by force. A stopped one stays stopped."""
        self.resume()
        family = self._family()
        for process in family[:1]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(self.stop_signal)
        self._end(still_alive(family, STOP_SECONDS))

    def kill(self) -> None:
        """End the process and its children at once (SIGKILL), as a crash or the OOM killer would."""
        self._end(self._family())

    def restart(self) -> None:
        """Stop, if it runs, and start again: same port, same data."""
        self.stop()
        self.start()

    def pause(self) -> None:
        """Freeze the process and its children (SIGSTOP): connections stay open and nothing answers."""
        for process in self._family():
            process.suspend()

    def resume(self) -> None:
        """Let a paused process go on (SIGCONT)."""
        first = self._process()
        if first is None or first.status() != psutil.STATUS_STOPPED:
            return  # the children are found by reading what the system says of every process
        for process in self._family():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.resume()

    def tail(self, lines: int = 20) -> str:
        """The end of the log."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                return self.check()
            except NotReadyError as error:
                if not self.running or time.monotonic() > deadline:
                    failure = StackError(self._failure(error))
                    self.kill()
                    raise failure from error
            time.sleep(POLL_SECONDS)

    def _failure(self, error: NotReadyError) -> str:
        what = "does not answer" if self.running else "ended at its start"
        return f"{self.name} {what} ({error}). The end of {self.log}:\n{self.tail()}"

    def _remember(self, pid: int) -> None:
        self._started = pid
        with contextlib.suppress(psutil.NoSuchProcess):
            self._pid_file.write_text(f"{pid} {psutil.Process(pid).create_time()}")

    def _process(self) -> psutil.Process | None:
        if not self._pid_file.exists():
            return None
        pid, started = self._pid_file.read_text().split()
        try:
            process = psutil.Process(int(pid))
            same = abs(process.create_time() - float(started)) < SAME_PROCESS_SECONDS
        except psutil.NoSuchProcess:
            return None
        return process if same and alive(process) else None

    def _family(self) -> list[psutil.Process]:
        # Postgres' backends lead sessions of their own, so a signal to the process group misses them.
        process = self._process()
        if process is None:
            return []
        try:
            return [process, *process.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def _end(self, family: list[psutil.Process]) -> None:
        for process in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        still_alive(family, STOP_SECONDS)
        if self._started:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self._started, 0)
            self._started = None
        self._pid_file.unlink(missing_ok=True)


def alive(process: psutil.Process) -> bool:
    """Whether it runs or is paused. A zombie is dead, though its parent, or init, has yet to notice."""
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def still_alive(processes: list[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Wait until all have ended, `seconds` at most; return those that have not."""
    deadline = time.monotonic() + seconds
    while left := [process for process in processes if alive(process)]:
        if time.monotonic() > deadline:
            break
        time.sleep(POLL_SECONDS)
    return left


def as_user(name: str | None) -> dict[str, Any]:
    """Popen's arguments for running as `name`; none unless we are root, who alone may choose."""
    if name is None or os.geteuid() != 0:
        return {}
    import pwd  # not on Windows, where nobody is root

    entry = pwd.getpwnam(name)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def free_ports(count: int) -> list[int]:
    """Different TCP ports of 127.0.0.1 that nobody listens on."""
    with contextlib.ExitStack() as probes:
        sockets = [probes.enter_context(socket.socket()) for _ in range(count)]
        for probe in sockets:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in sockets]


def package_folder(module: str) -> Path:
    """Where an installed package rests, without importing it.

    Raises: StackError when it is not installed.
    """
    from importlib.util import find_spec

    spec = find_spec(module)
    if spec is None or spec.origin is None:
        raise StackError(f"The Python package {module} is not installed. Run: make setup")
    return Path(spec.origin).parent
