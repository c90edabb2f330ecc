"""How one document is to be read, where that is not how a pipeline reads all others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

LOWEST_DPI, HIGHEST_DPI = 72, 600


@dataclass(frozen=True, slots=True)
class ReadingOptions:
    """None: as the pipeline reads other documents."""

    dpi: int | None = None
    """Dots per inch at which pages are drawn for the OCR engine."""
    languages: tuple[str, ...] | None = None
    """As the engine names them; Tesseract: `eng`, `deu`."""
    engine: str | None = None
    """The OCR engine, by its name."""

    def as_json(self) -> dict[str, Any] | None:
        """What is said, as a JSON object; None if nothing is."""
        said = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: value for name, value in said.items() if value is not None} or None

    @classmethod
    def of_json(cls, said: Mapping[str, Any] | None) -> Self:
        """Out of `as_json`, also of a later docpipe that says more."""
        said = said or {}
        languages = said.get("languages")
        return cls(said.get("dpi"), tuple(languages) if languages else None, said.get("engine"))


AS_OTHERS = ReadingOptions()
