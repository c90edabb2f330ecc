"""Importing this module keeps engines' libraries from reporting to their makers.

Every engine imports it before its library; `load_ocr` and `load_ner` before an engine of a host's own. A
host that has set one of these variables itself, to whatever value, keeps it.
"""

from __future__ import annotations

import os
import sys

_VARIABLES = {
    "ORT_DISABLE_TELEMETRY": "1",  # ONNX Runtime: its wheels look up Microsoft's events host
    "HF_HUB_DISABLE_TELEMETRY": "1",  # the model hub of GLiNER
    "DO_NOT_TRACK": "1",  # what others have agreed on: consoledonottrack.com
}

for _name, _value in _VARIABLES.items():
    os.environ.setdefault(_name, _value)

# OpenVINO knows no variable. Where its telemetry package cannot be imported, it does without.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
