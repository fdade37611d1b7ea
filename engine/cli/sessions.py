"""Opening models for commands, and keeping them between the commands of a server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..models.catalogue import Model
from ..pipeline.request import OpenSession, RuntimeOptions
from ..runtimes.base import Session
from ..runtimes.cache import default_cache
from .services import Services

#: Models that a server keeps loaded; the one not used for longest goes first.
KEPT = 2


@contextmanager
def session_opener(services: Services) -> Iterator[OpenSession]:
    """The function that opens models for a command.

    Sessions are closed at the end of the block, or kept in ``services.sessions`` where the command is one of
    a server's.
    """
    kept: dict[Any, tuple[Session, str]] = {} if services.sessions is None else services.sessions

    def open_model(model: Model, options: RuntimeOptions, tile: int) -> tuple[Session, str]:
        key = (model.sha256, repr(model.card), options, tile)
        if key not in kept:
            if len(kept) >= KEPT:
                close_sessions(kept, len(kept) - KEPT + 1)
            kept[key] = _open(model, options, tile, services)
        kept[key] = kept.pop(key)  # the last is the one used last
        return kept[key]

    try:
        yield open_model
    finally:
        if services.sessions is None:
            close_sessions(kept, len(kept))


def close_sessions(kept: dict[Any, tuple[Session, str]], count: int) -> None:
    """Close and forget the ``count`` sessions that were not used for longest."""
    for key in list(kept)[:count]:
        kept.pop(key)[0].close()


def _open(model: Model, options: RuntimeOptions, tile: int, services: Services) -> tuple[Session, str]:
    from ..runtimes.select import open_session

    return open_session(
        model,
        device=options.device,
        runtime=options.runtime,
        precision=options.precision,
        threads=options.threads,
        tile=tile,
        cache=default_cache(),
        network_factory=services.network_factory,
    )
