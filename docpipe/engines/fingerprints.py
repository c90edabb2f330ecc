"""The hash of a model's folder, by which docpipe knows the weights it was tested with."""

from __future__ import annotations

import hashlib
from pathlib import Path


def fingerprint(folder: Path) -> str:
    """SHA-256 over a folder's files, sorted by relative path: path, NUL, size, NUL, content of each.

    Compiled Python (`__pycache__`) is left out: it differs between interpreters.
    """
    digest = hashlib.sha256()
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    for relative in sorted(files):
        if "__pycache__" not in relative:
            content = files[relative].read_bytes()
            digest.update(f"{relative}\0{len(content)}\0".encode())
            digest.update(content)
    return digest.hexdigest()
