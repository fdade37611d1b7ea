"""Opening models for commands, and keeping them between the commands of a server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..models.registry import Model
from ..pipeline.request import OpenSession
from ..protocol.options import RuntimeOptions
from ..runtimes.base import Session
from ..runtimes.cache import default_cache_folder
from .cli_context import Services

#: Models that a server keeps loaded; the one not used for longest goes first.
KEPT = 2


def session_opener(services: Services) -> OpenSession:
    """The function that opens models for a command.

    It gives a session for a ``with`` block, and closes it at the end, or keeps it in ``services.sessions`` where
    the command is one of a server's.
    """

    @contextmanager
    def open_model(model: Model, options: RuntimeOptions, tile: int) -> Iterator[tuple[Session, str]]:
        """A session of the model, kept for later runs where there is a server."""
        if services.sessions is not None:
            yield _kept(services.sessions, model, options, tile, services)
            return
        session, reason = _open(model, options, tile, services)
        try:
            yield session, reason
        finally:
            session.close()

    return open_model


def _kept(
    kept: dict[Any, tuple[Session, str]], model: Model, options: RuntimeOptions, tile: int, services: Services
) -> tuple[Session, str]:
    """The session in ``kept``, opened where it is not there yet."""
    key = (model.sha256, repr(model.card), options, tile)
    if key not in kept:
        close_sessions(kept, len(kept) - KEPT + 1)
        kept[key] = _open(model, options, tile, services)
    kept[key] = kept.pop(key)  # the last is the one used last
    return kept[key]


def close_sessions(kept: dict[Any, tuple[Session, str]], count: int) -> None:
    """Close and forget the ``count`` sessions that were not used for longest."""
    for key in list(kept)[: max(count, 0)]:
        kept.pop(key)[0].close()


def _open(model: Model, options: RuntimeOptions, tile: int, services: Services) -> tuple[Session, str]:
    from ..runtimes.registry import open_session

    return open_session(
        model,
        device=options.device,
        runtime=options.runtime,
        precision=options.precision,
        threads=options.threads,
        tile=tile,
        cache=default_cache_folder(),
        network_factory=services.network_factory,
    )
