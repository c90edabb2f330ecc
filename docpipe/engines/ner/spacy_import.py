"""Imports spaCy without its command line, which brings requests, typer, jinja2: a third of the time.

spaCy's package imports one function of it, `spacy.info`, which prints what is installed. Here it is imported
when it is called, as the whole of `spacy.cli` is when somebody imports that.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

_NAMES = ("spacy.cli", "spacy.cli.info")


def _info(*args: Any, **options: Any) -> Any:
    return import_module("spacy.cli.info").info(*args, **options)


def _import() -> None:
    cli, info = map(ModuleType, _NAMES)
    cli.__path__ = []
    info.info = _info  # type: ignore[attr-defined]
    stand_ins = dict(zip(_NAMES, (cli, info), strict=True))
    sys.modules.update(stand_ins)
    try:
        spacy = import_module("spacy")
    finally:
        for name in _NAMES:
            sys.modules.pop(name, None)
    vars(spacy).pop("cli", None)


if "spacy" not in sys.modules:
    _import()
