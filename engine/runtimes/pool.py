"""Sessions of models: opened on request, kept between runs, closed when they fail and at the end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any

from ..errors import Cancelled, UserError
from ..models.registry import Model
from ..protocol.options import RuntimeOptions
from .base import NetworkFactory, OpenedSession
from .registry import open_session


class SessionPool(AbstractContextManager["SessionPool"]):
    """Opens sessions and owns them; a context manager which closes those that it keeps. Used by one thread at a time.

    Args:
        capacity: sessions kept between two uses, the least recently used is closed first; 0 keeps none.
        cache: folder for compiled models and measurements; ``None`` for none.
        network_factory: makes MindSpore networks; without it MindSpore cannot be used.
    """

    def __init__(
        self, capacity: int = 0, *, cache: Path | None = None, network_factory: NetworkFactory | None = None
    ) -> None:
        self._capacity, self._cache, self._network_factory = capacity, cache, network_factory
        #: By what a session depends on; the most recently used is the last.
        self._idle: dict[tuple[Any, ...], OpenedSession] = {}

    @contextmanager
    def open(self, model: Model, options: RuntimeOptions, tile: int) -> Iterator[OpenedSession]:
        """Open ``model``, or reuse the session kept from an earlier use.

        A session is kept after a block which ends well, is cancelled or fails by the user's mistake, such as a full
        disk. After any other exception it is closed, because it may be the session which failed.

        Args:
            model: a model of the registry.
            options: device, runtime, precision and threads.
            tile: side of the tiles, in pixels.

        Yields:
            The session and the reason for its choice; the session must not be used after the block.

        Raises:
            TerraSporeError: as of ``registry.open_session``.
        """
        key = (model.sha256, repr(model.card), options, tile)  # a card holds mappings, which have no hash
        opened = self._idle.pop(key, None)
        if opened is not None and not opened.session.is_alive():
            opened.session.close()
            opened = None
        if opened is None:
            self._shrink(self._capacity - 1)  # before another model takes memory
            opened = open_session(model, tile, options, cache=self._cache, network_factory=self._network_factory)
        try:
            yield opened
        except (Cancelled, UserError):
            self._keep(key, opened)
            raise
        except BaseException:
            opened.session.close()
            raise
        else:
            self._keep(key, opened)

    def _keep(self, key: tuple[Any, ...], opened: OpenedSession) -> None:
        """Add a session to those kept, in place of an older one with the same key."""
        older = self._idle.pop(key, None)
        if older is not None:
            older.session.close()
        self._idle[key] = opened
        self._shrink(self._capacity)

    def _shrink(self, count: int) -> None:
        """Close the least recently used sessions until at most ``count`` are left."""
        while len(self._idle) > max(count, 0):
            self._idle.pop(next(iter(self._idle))).session.close()

    def close(self) -> None:
        """Close every session which is kept."""
        with ExitStack() as stack:  # closes all of them even if one fails to close
            for opened in self._idle.values():
                stack.callback(opened.session.close)
            self._idle.clear()

    def __exit__(self, *_: object) -> None:
        self.close()
