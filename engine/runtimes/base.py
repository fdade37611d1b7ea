"""What a runtime is to the rest of the engine: a list of devices, and sessions that turn tiles into probabilities."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import InferenceError, OutOfMemoryError, TerraSporeError
from ..models.registry import Model

Precision = Literal["auto", "float32", "bfloat16", "float16"]
Tiles = NDArray[Any]
Probabilities = NDArray[np.float32]
#: Makes a MindSpore network by name (``training.networks.create_network``).
NetworkFactory = Callable[..., Any]
#: What ``Session.predict_stream`` gives; close it to end it early.
PredictionStream = Generator[Probabilities | None, None, None]


class PredictStream(Protocol):
    """A function that computes one batch after the other; see ``Session.predict_stream``."""

    def __call__(self, batches: Iterable[Tiles | None], batch: int | None = None) -> PredictionStream:
        """Return the probabilities of ``batches``, in their order."""


class Session(Protocol):
    """A model, loaded and ready on a device. Used from one thread at a time.

    Attributes:
        runtime: name of the runtime.
        device: name of the device, such as ``cpu`` or ``cuda:0``.
        precision: what it computes in: ``float32``, ``bfloat16``, ``float16`` or ``tensorfloat32``.
        batch: how many tiles a call should have to be quickest; any number is right.
    """

    runtime: str
    device: str
    precision: str
    batch: int

    def predict(self, tiles: Tiles, batch: int | None = None) -> Probabilities:
        """Probabilities of ``tiles``.

        Args:
            tiles: (N, bands, tile, tile) of the card's dtype, with any N of at least 1.
            batch: how many tiles are computed at a time by a runtime that compiles every batch size by itself; None
                for ``Session.batch``. The other runtimes compute all ``tiles`` in one call.

        Returns:
            (N, classes, tile, tile), 0 to 1, a new array that belongs to the caller.

        Raises:
            InferenceError: the runtime failed.
            OutOfMemoryError: there was not enough memory.
        """

    def predict_stream(self, batches: Iterable[Tiles | None], batch: int | None = None) -> PredictionStream:
        """Probabilities of one batch after the other, in their order.

        The runtime may take some batches ahead, so that it need not wait while the caller uses a result.

        Args:
            batches: as ``predict`` takes them; None gives None, and keeps its place.
            batch: as for ``predict``; what the run keeps to, also where it was resumed or limited in memory.

        Raises:
            InferenceError: the runtime failed.
            OutOfMemoryError: there was not enough memory.
        """

    def close(self) -> None:
        """Free the model. The session cannot be used afterwards."""


def map_batches(predict: Callable[[Tiles], Probabilities]) -> PredictStream:
    """Return a ``predict_stream`` that calls ``predict`` once for each batch."""

    def predict_stream(batches: Iterable[Tiles | None], batch: int | None = None) -> PredictionStream:  # noqa: ARG001
        return (None if tiles is None else predict(tiles) for tiles in batches)

    return predict_stream


@dataclass(frozen=True)
class DeviceInfo:
    """A device as a runtime sees it.

    Args:
        runtime: name of the runtime.
        device: name to ask for it by.
        title: the hardware's own name.
        reason: why it cannot be used, in one sentence; empty where nothing speaks against it.
    """

    runtime: str
    device: str
    title: str
    reason: str = ""


@dataclass(frozen=True)
class SessionConfig:
    """How a session shall be opened.

    Args:
        device: name of a device of the runtime.
        precision: ``auto`` lets the runtime take a shorter type where the probabilities hardly change.
        threads: processor threads; ``None`` for all cores that the process may use.
        tile: side of the tiles, in pixels.
        cache: folder for compiled models and measurements, or ``None`` for none.
        network_factory: makes MindSpore networks; ``None`` where there is no training package.
    """

    device: str
    tile: int
    precision: Precision = "auto"
    threads: int | None = None
    cache: Path | None = None
    network_factory: NetworkFactory | None = None


class Runtime(Protocol):
    """One inference library behind one interface."""

    name: str
    title: str

    def devices(self) -> list[DeviceInfo]:
        """What the runtime could run on here, and what it cannot; never raises."""

    def open(self, model: Model, request: SessionConfig) -> Session:
        """Load ``model``.

        Raises:
            RuntimeUnavailableError: the runtime or device is not there, or cannot run this model.
            ModelError: the model is damaged.
        """


def check_tiles(tiles: Tiles, shape: tuple[int, int, int], dtype: np.dtype[Any]) -> Tiles:
    """``tiles`` in the memory layout that runtimes take, copied only where they are not.

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


def translate_error(error: Exception, what: str) -> TerraSporeError:
    """The error to raise where a runtime failed with ``error`` while it did ``what``."""
    text = (str(error).strip().splitlines() or [type(error).__name__])[-1].strip()
    lowered = str(error).lower()
    if isinstance(error, MemoryError) or any(
        mark in lowered for mark in ("bad_alloc", "out of memory", "alloc failed", "failed to allocate")
    ):
        return OutOfMemoryError(f"There was not enough memory while {what}.", "Choose a smaller tile.")
    return InferenceError(f"The runtime failed while {what}: {text[:300]}")
