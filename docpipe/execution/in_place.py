"""Going on in place: after a small document's stage the next one runs at once, in the same task.

Each stage is claimed, fenced and recorded as ever. What is saved is a message, and reading what is at hand.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from docpipe.execution.plan import StageSpec
from docpipe.models import Document, StageOutput
from docpipe.stores.documents import TABLES
from docpipe.stores.values import Claim, Part

_MADE = {Part.TEXT, *TABLES} - {Part.CHILDREN}
"""What an output holds as the store does: which documents its children are, only the store knows."""


@dataclass(frozen=True, slots=True)
class InHand:
    """A document as an attempt has it, and which of its parts are really there."""

    document: Document
    parts: frozenset[Part]

    def after(self, output: StageOutput) -> InHand:
        """With what a stage made, as the store would give it back."""
        made = {part for part in _MADE if getattr(output, part) is not None}
        document = replace(
            self.document,
            file_type=output.file_type or self.document.file_type,
            metadata={**self.document.metadata, **(output.metadata or {})},
            warnings=self.document.warnings + output.warnings,
            **{part: getattr(output, part) for part in made},
        )
        return InHand(document, self.parts | made)

    def begun(self, spec: StageSpec) -> InHand | None:
        """For the next stage, which is claimed; None: it needs a part that is not there."""
        if not spec.needs <= self.parts:
            return None
        return InHand(replace(self.document, status=spec.words.processing), self.parts)

    def is_small(self, characters: int) -> bool:
        """Whether its text is known, and no longer than this."""
        return Part.TEXT in self.parts and len(self.document.text) <= characters


@dataclass(frozen=True, slots=True)
class Held:
    """A stage that the finish of the one before it has claimed, and what it works on, if that is at hand."""

    claim: Claim
    in_hand: InHand | None
