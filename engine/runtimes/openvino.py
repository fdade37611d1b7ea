"""OpenVINO: the quickest on Intel processors, and good on others."""

from __future__ import annotations

import dataclasses
import os
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import OutOfMemoryError, RuntimeUnavailableError, TerraSporeError
from ..models.graph import build_graph, graph_identity
from ..models.registry import Model
from .base import DeviceInfo, PredictionStream, Probabilities, SessionConfig, Tiles, check_tiles, translate_error
from .cache import cache_key, load_entry, load_measurements, store_entry, store_measurements
from .hardware import available_cores
from .measure import MAX_CHANGE, MIN_GAIN, change_metric, probability_change, synthetic_tiles

if TYPE_CHECKING:
    import openvino

_HINTS: Mapping[str, str] = {"float32": "f32", "bfloat16": "bf16", "float16": "f16"}
_CAPABILITIES: Mapping[str, str] = {"float32": "FP32", "bfloat16": "BF16", "float16": "FP16"}
_MAX_STREAMS = 8
_TRIALS = 3
#: Batches in the queue at a time: one that is computed, one that follows it at once, one whose result is used.
_AHEAD = 3
#: Side of the tiles on which the effect of a precision is measured, in pixels, where the network takes it.
_TEST_TILE = 256


class OpenVino:
    """The adapter of OpenVINO."""

    name = "openvino"
    title = "OpenVINO"

    def devices(self) -> list[DeviceInfo]:
        """The processor, and Intel's graphics and neural units where OpenVINO finds them."""
        try:
            import openvino  # noqa: F401
        except ImportError as error:
            return [DeviceInfo(self.name, "cpu", "CPU", f"OpenVINO cannot be imported: {error}.")]
        try:
            core = _core()
            names = core.available_devices
            return [DeviceInfo(self.name, _public(name), core.get_property(name, "FULL_DEVICE_NAME")) for name in names]
        except RuntimeError as error:
            return [DeviceInfo(self.name, "cpu", "CPU", f"OpenVINO does not start: {error}.")]

    def open(self, model: Model, request: SessionConfig) -> OpenVinoSession:
        """Load ``model``; errors as of ``Runtime.open``."""
        try:
            import openvino  # noqa: F401
        except ImportError as error:
            raise RuntimeUnavailableError(f"OpenVINO cannot be imported: {error}.") from error
        core = _core()
        names = {_public(name): name for name in core.available_devices}
        if request.device not in names:
            raise RuntimeUnavailableError(
                f"OpenVINO finds no device '{request.device}' here; it finds: {', '.join(sorted(names)) or 'none'}."
            )
        compiler = _Compiler(core, names[request.device], model, request)
        try:
            return _fastest(compiler, _precision(compiler))
        except RuntimeUnavailableError:
            # ONEDNN_MAX_CPU_ISA, which MindSpore needs, takes the shorter types away from OpenVINO too.
            if request.precision != "auto":
                raise
            return _fastest(compiler, "float32")


@cache
def _core() -> openvino.Core:
    """OpenVINO's entry. It looks for hardware when it is made, so there is one for the whole process."""
    import openvino

    return openvino.Core()


def _public(name: str) -> str:
    """``GPU.1`` of OpenVINO is ``gpu:1`` here."""
    return name.lower().replace(".", ":")


@dataclass
class _Compiler:
    """Compiles one model for one device in several ways, and reads its graph at most once."""

    core: openvino.Core
    device: str
    model: Model
    request: SessionConfig
    _graph: openvino.Model | None = None

    @property
    def threads(self) -> int:
        """Processor threads of all streams together."""
        return self.request.threads or available_cores()

    def identity(self, *parts: str) -> str:
        """A file name for what depends on the model, the device, the version of OpenVINO and ``parts``."""
        import openvino

        title = self.core.get_property(self.device, "FULL_DEVICE_NAME")
        machine = (self.device, str(title), os.environ.get("ONEDNN_MAX_CPU_ISA", ""), openvino.get_version())
        settings = (str(self.request.tile), str(self.threads))
        return cache_key("openvino", graph_identity(self.model), *machine, *settings, *parts)

    def session(self, precision: str, streams: int) -> OpenVinoSession:
        """The model compiled for ``precision`` and so many streams, from the cache where it is there."""
        blob = load_entry(self.request.cache, self._blob_name(precision, streams))
        if blob is not None:
            try:
                compiled = _imported(self.core, blob, self.device, self._properties(precision, streams))
                return OpenVinoSession(compiled, self.model, self.request, precision, streams, weights=blob)
            except RuntimeError:  # of another build in spite of the same version: compile anew
                pass
        session = self.compile(precision, streams)
        self.keep(session)
        return session

    def compile(self, precision: str, streams: int, tile: int | None = None) -> OpenVinoSession:
        """The model compiled anew, for tiles of the request's size unless ``tile`` is given."""
        request = self.request if tile is None else dataclasses.replace(self.request, tile=tile)
        compiled = self._compiled(self._properties(precision, streams), request.tile)
        return OpenVinoSession(compiled, self.model, request, precision, streams)

    def keep(self, session: OpenVinoSession) -> None:
        """Put a compiled model into the cache."""
        if self.request.cache is not None:
            store_entry(self.request.cache, self._blob_name(session.precision, session.streams), session.exported())

    def _blob_name(self, precision: str, streams: int) -> str:
        return self.identity(precision, str(streams)) + ".blob"

    def _properties(self, precision: str, streams: int) -> dict[str, Any]:
        properties: dict[str, Any] = {"INFERENCE_PRECISION_HINT": _HINTS[precision]}
        if self.device == "CPU":
            # Streams compute tiles side by side; threads within one wait for each other at every layer.
            properties |= {"NUM_STREAMS": str(streams), "INFERENCE_NUM_THREADS": self.threads}
        return properties

    def _compiled(self, properties: dict[str, Any], tile: int) -> openvino.CompiledModel:
        try:
            if self._graph is None:
                self._graph = self.core.read_model(build_graph(self.model, tile=self.request.tile).SerializeToString())
            count, _, height, width = self._graph.inputs[0].get_partial_shape()
            sized = self._graph.clone()
            if count.is_dynamic or height.is_dynamic or width.is_dynamic:
                # Kernels of a known size are chosen and laid out better than those of any size.
                sized.reshape([1 if count.is_dynamic else count.get_length(), self.model.card.bands, tile, tile])
            return self.core.compile_model(sized, self.device, properties)
        except RuntimeError as error:
            text = (str(error).strip().splitlines() or ["no reason given"])[-1]
            shortage = translate_error(error, "OpenVINO loaded the model")
            if isinstance(shortage, OutOfMemoryError):
                raise shortage from error
            raise RuntimeUnavailableError(f"OpenVINO cannot load {self.model.weights}: {text[:300]}") from error

    def test_tile(self) -> int:
        """A side for tiles that show a precision's effect: small, so that it costs little, where that is allowed."""
        multiple = max(self.model.card.multiple, 32)
        if self.model.weights.suffix.lower() != ".ckpt":
            return self.request.tile  # a graph of others may take one size only
        return min(self.request.tile, -(-_TEST_TILE // multiple) * multiple)


def _imported(
    core: openvino.Core, blob: NDArray[np.uint8], device: str, properties: dict[str, Any]
) -> openvino.CompiledModel:
    """The compiled model in ``blob``, whose weights stay where they are."""
    import openvino

    try:
        return core.import_model(openvino.Tensor(blob, shared_memory=True), device, properties)
    except TypeError:  # before OpenVINO 2025.3
        return core.import_model(blob.tobytes(), device, properties)


def _precision(compiler: _Compiler) -> str:
    """What to compute in: as asked, or under ``auto`` the device's own choice where the results hardly change.

    Raises:
        RuntimeUnavailableError: the device cannot compute in what was asked for.
    """
    asked = compiler.request.precision
    if asked != "auto":
        if _CAPABILITIES[asked] not in compiler.core.get_property(compiler.device, "OPTIMIZATION_CAPABILITIES"):
            raise RuntimeUnavailableError(
                f"OpenVINO does not compute in {asked} on {compiler.request.device}: the hardware does not offer it."
            )
        return asked
    preferred = str(compiler.core.get_property(compiler.device, "INFERENCE_PRECISION_HINT").to_string())
    names = {hint: name for name, hint in _HINTS.items()}
    precision = names.get(preferred, "float32")
    if precision == "float32":
        return precision
    return precision if _change(compiler, precision) < MAX_CHANGE else "float32"


def _change(compiler: _Compiler, precision: str) -> float:
    """How far probabilities move in ``precision``: the card's figure, an earlier measurement, or a new one."""
    figure = change_metric(precision)
    if figure in compiler.model.card.figures:
        return compiler.model.card.figures[figure]
    name, cache = compiler.identity(precision, "change") + ".json", compiler.request.cache
    known = load_measurements(cache, name)
    if figure not in known:
        tile = compiler.test_tile()
        tiles = synthetic_tiles(compiler.model.card, tile)
        exact, reduced = (compiler.compile(kind, 1, tile).predict(tiles) for kind in ("float32", precision))
        known = {figure: probability_change(exact, reduced)}
        store_measurements(cache, name, known)
    return known[figure]


def _fastest(compiler: _Compiler, precision: str) -> OpenVinoSession:
    """The session with the quickest number of streams: measured once, then remembered in the cache."""
    if compiler.device != "CPU" or compiler.threads == 1:
        return compiler.session(precision, 1)
    name = compiler.identity(precision, "streams") + ".json"
    known = load_measurements(compiler.request.cache, name)
    if "streams" in known:
        return compiler.session(precision, int(known["streams"]))
    most = min(compiler.threads, _MAX_STREAMS)
    candidates = [compiler.compile(precision, streams) for streams in sorted({1, 2, 4, most}) if streams <= most]
    seconds = [float("inf")] * len(candidates)
    for _ in range(_TRIALS):  # in turns, so that what else goes on in the machine hits all of them
        seconds = [min(least, _seconds_per_tile(each)) for least, each in zip(seconds, candidates, strict=True)]
    # The threads of one stream wait for each other at every layer, and busily: as soon as a file is read or written
    # beside the network they lose what the trial, which has the machine for itself, cannot show. So fewer streams have
    # to be clearly quicker.
    best = len(candidates) - 1
    for index in reversed(range(best)):
        if seconds[index] < seconds[best] * (1 - MIN_GAIN):
            best = index
    store_measurements(
        compiler.request.cache, name, {"streams": candidates[best].streams, "seconds_per_tile": seconds[best]}
    )
    compiler.keep(candidates[best])
    return candidates[best]


def _seconds_per_tile(session: OpenVinoSession) -> float:
    tiles = np.zeros((session.batch, *session.shape), session.dtype)
    begin = time.perf_counter()
    session.predict(tiles)
    return (time.perf_counter() - begin) / len(tiles)


@dataclass(frozen=True)
class _Flight:
    """Tiles on their way through the network. Their memory and that of the result belong to the requests meanwhile."""

    count: int
    tiles: Tiles
    result: Probabilities
    requests: Sequence[openvino.InferRequest]

    def land(self) -> Probabilities:
        """Wait for the result."""
        try:
            for request in self.requests:
                request.wait()
        except RuntimeError as error:
            raise translate_error(error, "it computed a tile in OpenVINO") from error
        return self.result[: self.count]


class OpenVinoSession:
    """A model in OpenVINO: some infer requests for each stream, reading and writing the caller's memory."""

    runtime = OpenVino.name

    def __init__(
        self,
        compiled: openvino.CompiledModel,
        model: Model,
        request: SessionConfig,
        precision: str,
        streams: int,
        *,
        weights: NDArray[np.uint8] | None = None,
    ) -> None:
        self._weights = weights  # of an imported model lie in the caller's memory
        self.device, self.precision, self.streams = request.device, precision, streams
        self.shape = (model.card.bands, request.tile, request.tile)
        self.dtype = np.dtype(model.card.dtype)
        self._classes = len(model.card.classes)
        self._compiled: openvino.CompiledModel | None = compiled
        self._requests = deque(compiled.create_infer_request() for _ in range(_AHEAD * streams))
        self._fixed = int(compiled.inputs[0].get_partial_shape()[0].get_length())
        self.batch = streams * self._fixed

    def predict(self, tiles: Tiles, batch: int | None = None) -> Probabilities:
        """Probabilities of ``tiles``; see ``Session.predict``."""
        return self._launch(tiles).land()

    def predict_stream(self, batches: Iterable[Tiles | None], batch: int | None = None) -> PredictionStream:
        """Probabilities of ``batches``; see ``Session.predict_stream``."""
        flights: deque[_Flight | None] = deque()
        try:
            for tiles in batches:
                flights.append(None if tiles is None else self._launch(tiles))
                if len(flights) == _AHEAD:
                    flight = flights.popleft()
                    yield None if flight is None else flight.land()
            while flights:
                flight = flights.popleft()
                yield None if flight is None else flight.land()
        finally:  # after an error or a cancel: what is still in the air uses memory that must live until it landed
            for flight in filter(None, flights):
                with suppress(TerraSporeError):
                    flight.land()

    def _launch(self, tiles: Tiles) -> _Flight:
        """Hand ``tiles`` to the requests in turns. One that is still busy is waited for: its result is older."""
        import openvino

        tiles = check_tiles(tiles, self.shape, self.dtype)
        count = len(tiles)
        if count % self._fixed:
            tiles = np.concatenate([tiles, np.zeros((self._fixed - count % self._fixed, *self.shape), self.dtype)])
        result = np.empty((len(tiles), self._classes, *self.shape[1:]), np.float32)
        used = []
        try:
            for begin in range(0, len(tiles), self._fixed):
                request = self._requests[0]
                self._requests.rotate(-1)
                request.wait()
                request.set_input_tensor(openvino.Tensor(tiles[begin : begin + self._fixed], shared_memory=True))
                request.set_output_tensor(openvino.Tensor(result[begin : begin + self._fixed], shared_memory=True))
                request.start_async()
                used.append(request)
        except RuntimeError as error:
            raise translate_error(error, "it computed a tile in OpenVINO") from error
        return _Flight(count, tiles, result, used)

    def exported(self) -> bytes | memoryview:
        """The compiled model as bytes."""
        assert self._compiled is not None, "the session is closed"
        blob = self._compiled.export_model()
        return blob if isinstance(blob, bytes) else blob.getbuffer()

    def close(self) -> None:
        """Free the model."""
        self._requests.clear()
        self._compiled = self._weights = None
