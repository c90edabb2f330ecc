"""The stores that this process has open, by fingerprint: what was pickled elsewhere finds its store again."""

from __future__ import annotations

from weakref import WeakValueDictionary

from docpipe.errors import ConfigurationError
from docpipe.stores.port import Store

_open: WeakValueDictionary[str, Store] = WeakValueDictionary()


def remember(store: Store) -> None:
    """Let `store_of` find it while anything holds it."""
    _open[store.fingerprint] = store


def store_of(fingerprint: str) -> Store:
    """The store of that fingerprint: a pipeline's of this process, or else the one that the settings name.

    Raises:
        ConfigurationError: it is neither, or a setting is wrong.
    """
    known = _open.get(fingerprint)
    if known is not None:
        return known
    named = _of_the_settings()
    if named.fingerprint != fingerprint:
        raise ConfigurationError(
            f"It belongs to the store {fingerprint}; this process has a pipeline on no such store, and its"
            f" settings name {named.fingerprint}. Build the pipeline first, or correct DOCPIPE_STORE."
        )
    remember(named)
    return named


def _of_the_settings() -> Store:
    from docpipe.pipeline.settings import read_settings  # noqa: PLC0415 - pydantic costs more than all of this

    return read_settings().open_store()
