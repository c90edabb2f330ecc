"""Which files are documents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatch

DOCUMENTS = (
    *("*.pdf", "*.docx", "*.docm", "*.odt", "*.rtf", "*.txt", "*.md", "*.html", "*.htm"),
    *("*.eml", "*.msg", "*.mbox", "*.p7m", "*.ics", "*.vcf", "*.zip"),
    *("*.xlsx", "*.xlsm", "*.xlsb", "*.xls", "*.ods", "*.csv", "*.pptx", "*.odp"),
)
IMAGES = (
    *("*.png", "*.jpg", "*.jpeg", "*.tif", "*.tiff", "*.gif", "*.webp", "*.bmp"),
    *("*.jp2", "*.avif", "*.heic", "*.heif"),
)
UNFINISHED = (".*", "~$*", "*.part", "*.crdownload", "*.tmp")
"""Hidden files, lock files of office programs, and what is still being downloaded."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Shell patterns on a file's name, in either case. Being ignored outweighs any other match."""

    patterns: Sequence[str] = (*DOCUMENTS, *IMAGES)
    ignored: Sequence[str] = UNFINISHED

    def takes(self, name: str) -> bool:
        return self._any(name, self.patterns) and not self._any(name, self.ignored)

    def enters(self, folder: str) -> bool:
        """Whether to look into a folder of this name."""
        return not self._any(folder, self.ignored)

    def _any(self, name: str, patterns: Sequence[str]) -> bool:
        return any(fnmatch(name.lower(), pattern.lower()) for pattern in patterns)
