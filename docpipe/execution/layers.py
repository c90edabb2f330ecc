"""What may be wanted of the sandbox around the process that reads documents: plain values of the host's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

LAYERS: Mapping[str, str] = {
    "environment": "no variable of the environment but those that libraries need, and no key",
    "group": "a session and process group of its own, ended whole",
    "limits": "of memory, processor time, file size, open files, programs and scratch space",
    "privileges": "no capability, and none to be gained",
    "files": "no file but the document, the models and Python's libraries; writing in a scratch folder only",
    "network": "no socket",
    "programs": "no other program and no other process",
    "calls": "no signal to others, no look into others, none of the kernel's rarer doors",
}
"""The layers, and what each allows."""

Mode = Literal["best", "require", "off"]


@dataclass(frozen=True, slots=True)
class Sandbox:
    """How the process that reads documents is kept inside."""

    mode: Mode = "best"
    """`best`: every layer that this system has; `require`: all, or reading is refused; `off`: none."""
    waive: frozenset[str] = frozenset()
    """Layers to go without, by name: an engine that asks a service on the network needs `network` waived."""
    read: tuple[str, ...] = ()
    """Further files and folders that an engine reads: models of its own."""
    env: tuple[str, ...] = ()
    """Further variables of the environment that an engine reads."""
    documents: int = 200
    """One process reads so many, then another takes its place; 1: no document meets traces of another."""

    def __post_init__(self) -> None:
        if unknown := sorted(self.waive - set(LAYERS)):
            raise ValueError(f"There is no layer {', '.join(unknown)}. Choose among {', '.join(LAYERS)}.")

    @property
    def layers(self) -> tuple[str, ...]:
        """Those that are wanted."""
        return () if self.mode == "off" else tuple(name for name in LAYERS if name not in self.waive)
