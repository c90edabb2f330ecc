"""The 8-bit layers of RapidOCR's recogniser: how they are made, and what they change."""

from pathlib import Path

import rapidocr

FLOATS = Path(rapidocr.__file__).with_name("models") / "PP-OCRv6_rec_small.onnx"
"""What they are made from."""
