"""OpenVINO: the fastest runtime on Intel processors, and a good one on others."""

from __future__ import annotations

import dataclasses
import os
import sys
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from ..concurrency import available_cores
from ..errors import RuntimeUnavailableError, TerraSporeError
from ..models.card import ModelCard
from ..models.graph import build_graph, graph_identity
from ..models.registry import Model
from .base import (
    DeviceInfo,
    GraphProcess,
    PredictionStream,
    Probabilities,
    Session,
    SessionConfig,
    Tiles,
    check_tiles,
    fill_batch,
    translate_error,
    translate_load_error,
)
from .cache import cache_key, load_entry, load_measurements, store_entry, store_measurements
from .measure import MAX_CHANGE, MIN_GAIN, change_metric, probability_change, synthetic_tiles

if TYPE_CHECKING:
    import openvino

_HINTS: Mapping[str, str] = {"float32": "f32", "bfloat16": "bf16", "float16": "f16"}
_CAPABILITIES: Mapping[str, str] = {"float32": "FP32", "bfloat16": "BF16", "float16": "FP16"}
_MAX_STREAMS = 8
_TRIALS = 3
#: Batches in the queue: one being computed, one which follows at once, one whose result is in use.
_QUEUE_DEPTH = 3
#: Side in pixels of the tiles on which the effect of a precision is measured, where the network takes it.
_TEST_TILE = 256


class OpenVino:
    """The adapter of OpenVINO."""

    name = "openvino"
    title = "OpenVINO"
    graph_process: GraphProcess = "engine"

    def devices(self) -> list[DeviceInfo]:
        """Return the processor, and Intel's graphics and neural units where OpenVINO finds them."""
        try:
            core = _get_core()
            return [
                DeviceInfo(self.name, _device_name(name), core.get_property(name, "FULL_DEVICE_NAME"))
                for name in core.available_devices
            ]
        except ImportError as error:
            return [DeviceInfo(self.name, "cpu", "CPU", f"OpenVINO cannot be imported: {error}.")]
        except RuntimeError as error:
            return [DeviceInfo(self.name, "cpu", "CPU", f"OpenVINO does not start: {error}.")]

    def open(self, model: Model, config: SessionConfig) -> OpenVinoSession:
        """Load ``model``; errors as of ``Runtime.open``."""
        try:
            core = _get_core()
        except ImportError as error:
            raise RuntimeUnavailableError(f"OpenVINO cannot be imported: {error}.") from error
        names = {_device_name(name): name for name in core.available_devices}
        if config.device not in names:
            raise RuntimeUnavailableError(
                f"OpenVINO finds no device '{config.device}' here; it finds: {', '.join(sorted(names)) or 'none'}."
            )
        compiler = _ModelCompiler(self, core, names[config.device], model, config)
        try:
            return _open_fastest(compiler, _choose_precision(compiler))
        except RuntimeUnavailableError:
            # ONEDNN_MAX_CPU_ISA, which MindSpore needs, takes the shorter types away from OpenVINO too.
            if config.precision != "auto":
                raise
            return _open_fastest(compiler, "float32")


@cache
def _get_core() -> openvino.Core:
    """Return OpenVINO's entry point: one for the whole process, because it searches for hardware when it is made."""
    # Without this package, which is not needed, OpenVINO neither posts statistics nor writes an id to the home folder.
    sys.modules.setdefault("openvino_telemetry", cast(ModuleType, None))
    import openvino

    return openvino.Core()


def _device_name(name: str) -> str:
    """Return the engine's name of a device: ``GPU.1`` of OpenVINO is ``gpu:1``."""
    return name.lower().replace(".", ":")


@dataclass
class _ModelCompiler:
    """Compiles one model for one device with several settings, and reads its graph at most once."""

    runtime: OpenVino
    core: openvino.Core
    device: str
    model: Model
    config: SessionConfig
    _graph: openvino.Model | None = None

    @property
    def threads(self) -> int:
        """Processor threads of all streams together."""
        return self.config.threads or available_cores()

    def entry_name(self, *parts: str) -> str:
        """Return a cache entry's name for the model, the device, the version of OpenVINO and ``parts``."""
        import openvino

        title = self.core.get_property(self.device, "FULL_DEVICE_NAME")
        machine = (self.device, str(title), os.environ.get("ONEDNN_MAX_CPU_ISA", ""), openvino.get_version())
        settings = (str(self.config.tile), str(self.threads))
        return cache_key("openvino", graph_identity(self.model), *machine, *settings, *parts)

    def open(self, precision: str, streams: int) -> OpenVinoSession:
        """Return a session for ``precision`` and so many streams, from the cache where it is there."""
        blob = load_entry(self.config.cache, self._blob_name(precision, streams))
        if blob is not None:
            with suppress(RuntimeError):  # of another build in spite of the same version: compile anew
                compiled = _import_model(self.core, blob, self.device, self._properties(precision, streams))
                return self._make_session(compiled, self.config, precision, streams, blob)
        session = self.compile(precision, streams)
        self.store(session)
        return session

    def compile(self, precision: str, streams: int, tile: int | None = None) -> OpenVinoSession:
        """Compile the model, for tiles of the configured size unless ``tile`` is given."""
        config = self.config if tile is None else dataclasses.replace(self.config, tile=tile)
        try:
            if self._graph is None:
                self._graph = self.core.read_model(build_graph(self.model, tile=self.config.tile).SerializeToString())
            count, _, height, width = self._graph.inputs[0].get_partial_shape()
            sized = self._graph.clone()
            if count.is_dynamic or height.is_dynamic or width.is_dynamic:
                # Kernels of a known size are chosen and laid out better than those of any size.
                tiles = 1 if count.is_dynamic else count.get_length()
                sized.reshape([tiles, self.model.card.bands, config.tile, config.tile])
            compiled = self.core.compile_model(sized, self.device, self._properties(precision, streams))
        except RuntimeError as error:
            raise translate_load_error(error, self.runtime.title, self.model.weights) from error
        return self._make_session(compiled, config, precision, streams)

    def _make_session(
        self,
        compiled: openvino.CompiledModel,
        config: SessionConfig,
        precision: str,
        streams: int,
        weights: NDArray[np.uint8] | None = None,
    ) -> OpenVinoSession:
        card = self.model.card
        return OpenVinoSession(compiled, card, config, precision, streams, runtime=self.runtime.name, weights=weights)

    def store(self, session: OpenVinoSession) -> None:
        """Store a compiled model in the cache."""
        if self.config.cache is not None:
            name = self._blob_name(session.precision, session.streams)
            store_entry(self.config.cache, name, session.export_model())

    def _blob_name(self, precision: str, streams: int) -> str:
        return self.entry_name(precision, str(streams)) + ".blob"

    def _properties(self, precision: str, streams: int) -> dict[str, Any]:
        properties: dict[str, Any] = {"INFERENCE_PRECISION_HINT": _HINTS[precision]}
        if self.device == "CPU":
            # Streams compute tiles in parallel; threads within one stream wait for each other at every layer.
            properties |= {"NUM_STREAMS": str(streams), "INFERENCE_NUM_THREADS": self.threads}
            # Threads would be bound to the first cores, to which those of other processes are bound, too.
            properties["ENABLE_CPU_PINNING"] = False
        return properties


def _import_model(
    core: openvino.Core, blob: NDArray[np.uint8], device: str, properties: dict[str, Any]
) -> openvino.CompiledModel:
    """Return the compiled model in ``blob``, which keeps the weights."""
    import openvino

    try:
        return core.import_model(openvino.Tensor(blob, shared_memory=True), device, properties)
    except TypeError:  # before OpenVINO 2025.3
        return core.import_model(blob.tobytes(), device, properties)


def _choose_precision(compiler: _ModelCompiler) -> str:
    """Return the precision asked for; under ``auto`` the device's own choice where the results hardly change.

    Raises:
        RuntimeUnavailableError: the device cannot compute in the precision asked for.
    """
    precision: str = compiler.config.precision
    if precision != "auto":
        if _CAPABILITIES[precision] not in compiler.core.get_property(compiler.device, "OPTIMIZATION_CAPABILITIES"):
            raise RuntimeUnavailableError(
                f"OpenVINO does not compute in {precision} on {compiler.config.device}: the hardware does not offer it."
            )
        return precision
    hint = str(compiler.core.get_property(compiler.device, "INFERENCE_PRECISION_HINT").to_string())
    precision = next((name for name, known in _HINTS.items() if known == hint), "float32")
    return precision if precision == "float32" or _change(compiler, precision) < MAX_CHANGE else "float32"


def _change(compiler: _ModelCompiler, precision: str) -> float:
    """Return how far probabilities move in ``precision``: the card's value, an earlier measurement, or a new one."""
    card, metric = compiler.model.card, change_metric(precision)
    if metric in card.metrics:
        return card.metrics[metric]
    name, cache = compiler.entry_name(precision, "change") + ".json", compiler.config.cache
    known = load_measurements(cache, name)
    if metric not in known:
        tile = compiler.config.tile
        if compiler.model.weights.suffix.lower() == ".ckpt":  # other graphs may take one size only
            multiple = max(card.multiple, 32)
            tile = min(tile, -(-_TEST_TILE // multiple) * multiple)  # a small tile, because it costs less
        tiles = synthetic_tiles(card, tile)
        exact, reduced = (compiler.compile(kind, 1, tile).predict(tiles) for kind in ("float32", precision))
        known = {metric: probability_change(exact, reduced)}
        store_measurements(cache, name, known)
    return known[metric]


def _open_fastest(compiler: _ModelCompiler, precision: str) -> OpenVinoSession:
    """Return a session with the fastest number of streams: measured once, then remembered in the cache."""
    if compiler.device != "CPU" or compiler.threads == 1:
        return compiler.open(precision, 1)
    name = compiler.entry_name(precision, "streams") + ".json"
    known = load_measurements(compiler.config.cache, name)
    if "streams" in known:
        return compiler.open(precision, int(known["streams"]))
    most = min(compiler.threads, _MAX_STREAMS)
    candidates = [compiler.compile(precision, streams) for streams in sorted({1, 2, 4, most}) if streams <= most]
    seconds = [float("inf")] * len(candidates)
    for _ in range(_TRIALS):  # in turns, so that other load on the machine hits all of them
        for index, session in enumerate(candidates):
            start = time.perf_counter()
            session.predict(np.zeros((session.batch, *session.shape), session.dtype))
            seconds[index] = min(seconds[index], (time.perf_counter() - start) / session.batch)
    # The threads of one stream busily wait for each other at every layer. While files are read and written beside the
    # network they lose time which this measurement on an idle machine does not show, so fewer streams have to be
    # clearly faster.
    best = len(candidates) - 1
    for index in reversed(range(best)):
        if seconds[index] < seconds[best] * (1 - MIN_GAIN):
            best = index
    fastest = candidates[best]
    measured = {"streams": float(fastest.streams), "seconds_per_tile": seconds[best]}
    store_measurements(compiler.config.cache, name, measured)
    compiler.store(fastest)
    return fastest


@dataclass(frozen=True)
class PendingBatch:
    """Tiles which OpenVINO is computing. It uses their memory and that of the result until then."""

    count: int
    tiles: Tiles
    probabilities: Probabilities
    requests: Sequence[openvino.InferRequest]

    def result(self) -> Probabilities:
        """Wait for the probabilities and return them."""
        try:
            for request in self.requests:
                request.wait()
        except RuntimeError as error:
            raise translate_error(error, "it computed a tile in OpenVINO") from error
        return self.probabilities[: self.count]


class OpenVinoSession(Session):
    """A model in OpenVINO: some infer requests for each stream, which read and write the caller's memory.

    Args:
        compiled: the model.
        card: of the model.
        config: device and tile size.
        precision: the type it computes in.
        streams: tiles that are computed in parallel.
        runtime: name of the runtime.
        weights: the memory which holds the weights of an imported model.
    """

    def __init__(
        self,
        compiled: openvino.CompiledModel,
        card: ModelCard,
        config: SessionConfig,
        precision: str,
        streams: int,
        *,
        runtime: str,
        weights: NDArray[np.uint8] | None = None,
    ) -> None:
        import openvino

        super().__init__(runtime, precision, card, config, version=openvino.get_version())
        self.streams = streams
        self._weights = weights
        self._compiled: openvino.CompiledModel | None = compiled
        self._requests = deque(compiled.create_infer_request() for _ in range(_QUEUE_DEPTH * streams))
        self._compiled_batch = int(compiled.inputs[0].get_partial_shape()[0].get_length())
        self._batch = streams * self._compiled_batch

    def predict(self, tiles: Tiles, batch: int | None = None) -> Probabilities:
        """Return the probabilities of ``tiles``; see ``Session.predict``."""
        return self._submit(tiles).result()

    def predict_stream(self, batches: Iterable[Tiles | None], batch: int | None = None) -> PredictionStream:
        """Yield the probabilities of each batch; see ``Session.predict_stream``."""
        pending: deque[PendingBatch | None] = deque()
        try:
            for tiles in batches:
                pending.append(None if tiles is None else self._submit(tiles))
                if len(pending) == _QUEUE_DEPTH:
                    first = pending.popleft()
                    yield None if first is None else first.result()
            while pending:
                first = pending.popleft()
                yield None if first is None else first.result()
        finally:  # after an error or a cancel: OpenVINO uses the memory of pending batches until they are done
            for first in filter(None, pending):
                with suppress(TerraSporeError):
                    first.result()

    def _submit(self, tiles: Tiles) -> PendingBatch:
        """Start computing ``tiles``, in turns with all infer requests; waits where the next one is still busy."""
        import openvino

        count, size = len(tiles), self._compiled_batch
        tiles = fill_batch(check_tiles(tiles, self.shape, self.dtype), size)
        result = np.empty((len(tiles), self.classes, *self.shape[1:]), np.float32)
        used = []
        try:
            for start in range(0, len(tiles), size):
                request = self._requests[0]
                self._requests.rotate(-1)
                request.wait()
                request.set_input_tensor(openvino.Tensor(tiles[start : start + size], shared_memory=True))
                request.set_output_tensor(openvino.Tensor(result[start : start + size], shared_memory=True))
                request.start_async()
                used.append(request)
        except RuntimeError as error:
            for request in used:  # those which have started use the memory of this call
                with suppress(RuntimeError):
                    request.wait()
            raise translate_error(error, "it computed a tile in OpenVINO") from error
        return PendingBatch(count, tiles, result, used)

    def export_model(self) -> bytes | memoryview:
        """Return the compiled model as bytes."""
        assert self._compiled is not None, "the session is closed"
        blob = self._compiled.export_model()
        return blob if isinstance(blob, bytes) else blob.getbuffer()

    def close(self) -> None:
        """Free the model."""
        self._requests.clear()
        self._compiled = self._weights = None
