"""The interface of a runtime: a list of devices, and sessions which turn tiles into probabilities."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import InferenceError, OutOfMemoryError, RuntimeUnavailableError, TerraSporeError
from ..models.card import ModelCard
from ..models.registry import Model

Precision = Literal["auto", "float32", "bfloat16", "float16"]
Tiles = NDArray[Any]
Probabilities = NDArray[np.float32]
#: See ``Runtime``.
GraphProcess = Literal["engine", "worker"] | None
#: Makes a MindSpore network by name (``training.networks.create_network``).
NetworkFactory = Callable[..., Any]
#: What ``Session.predict_stream`` returns; close it to end it early.
PredictionStream = Generator[Probabilities | None, None, None]


class PredictStream(Protocol):
    """A function which computes one batch after the other; see ``Session.predict_stream``."""

    def __call__(self, batches: Iterable[Tiles | None], batch: int | None = None, /) -> PredictionStream:
        """Yield the probabilities of each batch, in order."""


@dataclass(frozen=True)
class SessionConfig:
    """How a runtime opens a session.

    Args:
        device: name of a device of the runtime.
        tile: side of the tiles, in pixels.
        precision: ``auto`` lets the runtime take a shorter type where the probabilities hardly change.
        threads: processor threads; ``None`` for all cores that the process may use.
        cache: folder for compiled models and measurements, or ``None`` for none.
        network_factory: makes MindSpore networks; ``None`` where there is no training package.
    """

    device: str
    tile: int
    precision: Precision = "auto"
    threads: int | None = None
    cache: Path | None = None
    network_factory: NetworkFactory | None = None


@dataclass(frozen=True)
class DeviceInfo:
    """A device as a runtime sees it.

    Args:
        runtime: name of the runtime.
        device: name to ask for it by.
        title: the hardware's own name.
        reason: why it cannot be used, in one sentence; empty where no reason is known.
    """

    runtime: str
    device: str
    title: str
    reason: str = ""


class SessionFacts(Protocol):
    """Where a session runs; any ``Session``, and what another process tells of its own."""

    @property
    def runtime(self) -> str:
        """Name of the runtime."""

    @property
    def version(self) -> str:
        """Version of the runtime."""

    @property
    def device(self) -> str:
        """Name of the device."""

    @property
    def precision(self) -> str:
        """The type it computes in."""


class Session(AbstractContextManager["Session"], ABC):
    """A model, loaded on a device; a context manager which closes it. Used by one thread at a time.

    Args:
        runtime: name of the runtime.
        precision: the type it computes in: ``float32``, ``bfloat16``, ``float16`` or ``tensorfloat32``.
        card: of the model.
        config: device and tile size.
        version: of the runtime.

    Attributes:
        runtime: name of the runtime.
        version: of the runtime.
        device: name of the device, such as ``cpu`` or ``cuda:0``.
        precision: the type it computes in.
        shape: (bands, tile, tile) of a tile.
        dtype: of a tile.
        classes: layers of a result.
    """

    def __init__(
        self, runtime: str, precision: str, card: ModelCard, config: SessionConfig, *, version: str = ""
    ) -> None:
        self.runtime, self.device, self.precision, self.version = runtime, config.device, precision, version
        self.shape = (card.bands, config.tile, config.tile)
        self.dtype: np.dtype[Any] = np.dtype(card.dtype)
        self.classes = len(card.classes)
        self._batch = 1

    @property
    def batch(self) -> int:
        """The number of tiles in one call with which a tile takes the least time; any other number works, too.

        Runs share a session, so none of them can change it.
        """
        return self._batch

    @abstractmethod
    def predict(self, tiles: Tiles, batch: int | None = None) -> Probabilities:
        """Return the probabilities of ``tiles``.

        Args:
            tiles: (N, bands, tile, tile) of the card's dtype, with any N of at least 1.
            batch: tiles which are computed at once where the network is compiled for a fixed number of them
                (MindSpore); ``self.batch`` unless given.

        Returns:
            (N, classes, tile, tile), 0 to 1, a new array which belongs to the caller.

        Raises:
            InferenceError: the runtime failed.
            OutOfMemoryError: there was not enough memory.
        """

    def predict_stream(self, batches: Iterable[Tiles | None], batch: int | None = None) -> PredictionStream:
        """Yield the probabilities of each batch, in order.

        A runtime may take some batches ahead, so that it need not wait while the caller uses a result.

        Args:
            batches: as ``predict`` takes them; None gives None, in its place.
            batch: see ``predict``.

        Raises:
            InferenceError: the runtime failed.
            OutOfMemoryError: there was not enough memory.
        """
        return (None if tiles is None else self.predict(tiles, batch) for tiles in batches)

    def is_alive(self) -> bool:
        """Return whether the session can still compute; False once the process which runs the model has ended."""
        return True

    @abstractmethod
    def close(self) -> None:
        """Free the model. The session cannot be used afterwards; closing it twice is no error."""

    def __exit__(self, *_: object) -> None:
        self.close()


class OpenedSession(NamedTuple):
    """A session, and one sentence on why it was chosen: runtime, device, precision and why."""

    session: Session
    reason: str


class Runtime(Protocol):
    """One inference library behind one interface.

    Attributes:
        name: what ``--runtime`` takes; every ``DeviceInfo`` and ``Session`` of the runtime has it, too.
        title: name for people.
        graph_process: the process that runs the graph of a model. A graph from elsewhere can crash it, so where this is
            the engine's own, ``open_session`` tries each model in a child process first. None for a runtime that
            makes the network itself and takes nothing but weights from the model.
    """

    name: str
    title: str
    graph_process: GraphProcess

    def devices(self) -> list[DeviceInfo]:
        """Return what the runtime could run on here, and what it cannot; never raises."""

    def open(self, model: Model, config: SessionConfig) -> Session:
        """Load ``model``.

        Raises:
            RuntimeUnavailableError: the runtime or device is not there, or cannot run this model.
            ModelError: the model is damaged.
            OutOfMemoryError: there was not enough memory.
        """


def map_batches(predict: Callable[[Tiles], Probabilities]) -> PredictStream:
    """Return a ``PredictStream`` which calls ``predict`` once for each batch."""

    def predict_stream(batches: Iterable[Tiles | None], _batch: int | None = None, /) -> PredictionStream:
        return (None if tiles is None else predict(tiles) for tiles in batches)

    return predict_stream


def check_tiles(tiles: Tiles, shape: tuple[int, int, int], dtype: np.dtype[Any]) -> Tiles:
    """Return ``tiles`` as one contiguous block, copied only where they are not.

    Args:
        tiles: any array.
        shape: expected (bands, height, width).
        dtype: expected type.

    Raises:
        InferenceError: the tiles are of another shape or type.
    """
    if tiles.ndim != 4 or tiles.shape[1:] != shape or tiles.dtype != dtype or not len(tiles):
        raise InferenceError(
            f"A session for tiles (N, {', '.join(map(str, shape))}) {dtype} got {tiles.shape} {tiles.dtype}."
        )
    return np.ascontiguousarray(tiles)


def fill_batch(tiles: Tiles, size: int) -> Tiles:
    """Return ``tiles`` with as many empty tiles behind them as a multiple of ``size`` needs."""
    missing = -len(tiles) % size
    return np.pad(tiles, ((0, missing), (0, 0), (0, 0), (0, 0))) if missing else tiles


def predict_in_batches(predict: Callable[[Tiles], Probabilities], tiles: Tiles, size: int) -> Probabilities:
    """Return the probabilities of ``tiles`` by calls of ``predict`` with exactly ``size`` tiles each."""
    filled = fill_batch(tiles, size)
    results = [predict(filled[start : start + size]) for start in range(0, len(filled), size)]
    return (results[0] if len(results) == 1 else np.concatenate(results))[: len(tiles)]


def last_line(error: BaseException) -> str:
    """Return the last line of what ``error`` says, at most 300 characters; the name of its class if it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[-1].strip()[:300]


def translate_error(error: Exception, action: str) -> TerraSporeError:
    """Return the engine's error for ``error``, which a runtime raised during ``action``.

    Args:
        error: the library's exception.
        action: completes "The runtime failed while ...".

    Returns:
        An ``OutOfMemoryError`` where ``error`` speaks of memory, else an ``InferenceError``.
    """
    lowered = str(error).lower()
    if isinstance(error, MemoryError) or any(
        mark in lowered for mark in ("bad_alloc", "out of memory", "alloc failed", "failed to allocate")
    ):
        return OutOfMemoryError(f"There was not enough memory while {action}.", "Choose a smaller tile.")
    return InferenceError(f"The runtime failed while {action}: {last_line(error)}")


def translate_load_error(error: Exception, title: str, weights: Path) -> TerraSporeError:
    """Return the engine's error for ``error``, which the runtime ``title`` raised while it loaded ``weights``.

    Returns:
        An ``OutOfMemoryError`` where ``error`` speaks of memory, else a ``RuntimeUnavailableError``.
    """
    shortage = translate_error(error, f"{title} loaded the model")
    if isinstance(shortage, OutOfMemoryError):
        return shortage
    return RuntimeUnavailableError(f"{title} cannot load {weights}: {last_line(error)}")
