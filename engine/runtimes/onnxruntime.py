"""ONNX Runtime: on any CPU, and on accelerators where its build has their execution provider."""

from __future__ import annotations

import contextlib
import importlib.util
import sys
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import OutOfMemoryError, RuntimeUnavailableError
from ..models.graph import build_graph
from ..models.registry import Model
from .base import (
    DeviceInfo,
    PredictionStream,
    Probabilities,
    SessionConfig,
    Tiles,
    check_tiles,
    map_batches,
    translate_error,
)
from .hardware import Accelerator, available_cores, cpu_name, find_accelerators
from .measure import choose_batch_size

if TYPE_CHECKING:
    import onnxruntime

#: Device -> (execution provider, package on PyPI whose build has it)
PROVIDERS: Mapping[str, tuple[str, str]] = {
    "cuda": ("CUDAExecutionProvider", "onnxruntime-gpu"),
    "tensorrt": ("TensorrtExecutionProvider", "onnxruntime-gpu"),
    "ascend": ("CANNExecutionProvider", "onnxruntime-cann"),
    "directml": ("DmlExecutionProvider", "onnxruntime-directml"),
    "coreml": ("CoreMLExecutionProvider", "onnxruntime"),
    "cpu": ("CPUExecutionProvider", "onnxruntime"),
}
#: Accelerators that a build's provider needs to be of any use.
_NEEDS = {"cuda": "cuda", "tensorrt": "cuda", "ascend": "ascend"}
_BATCHES = (1, 2, 4, 8)


class OnnxRuntime:
    """The adapter of ONNX Runtime."""

    name = "onnxruntime"
    title = "ONNX Runtime"

    def devices(self) -> list[DeviceInfo]:
        """The processor, every provider of the build, and accelerators that the build has no provider for."""
        accelerators = find_accelerators()
        if not accelerators and sys.platform == "linux":
            # Nothing but the processor can come out of asking the library, which takes long to import.
            reason = "" if importlib.util.find_spec("onnxruntime") else "ONNX Runtime is not installed."
            return [DeviceInfo(self.name, "cpu", cpu_name(), reason)]
        try:
            import onnxruntime
        except ImportError as error:
            return [DeviceInfo(self.name, "cpu", cpu_name(), f"ONNX Runtime cannot be imported: {error}.")]
        found = []
        for device, (provider, package) in PROVIDERS.items():
            present = [entry for entry in accelerators if entry.device == _NEEDS.get(device)]
            built = provider in onnxruntime.get_available_providers()
            if built or present:
                found += self._infos(device, present, "" if built else not_built(provider, package))
        return found

    def _infos(self, device: str, present: list[Accelerator], reason: str) -> list[DeviceInfo]:
        if device == "cpu":
            return [DeviceInfo(self.name, device, cpu_name())]
        if device in _NEEDS and not present:
            return [DeviceInfo(self.name, device, _NEEDS[device], "No such device was found in this machine.")]
        names = [f"{device}:{index}" if index else device for index in range(max(len(present), 1))]
        titles = [entry.title for entry in present] or [device]
        return [DeviceInfo(self.name, name, title, reason) for name, title in zip(names, titles, strict=True)]

    def open(self, model: Model, request: SessionConfig) -> OnnxRuntimeSession:
        """Load ``model``; errors as of ``Runtime.open``."""
        try:
            import onnxruntime
        except ImportError as error:
            raise RuntimeUnavailableError(f"ONNX Runtime cannot be imported: {error}.") from error
        kind, _, index = request.device.partition(":")
        if kind not in PROVIDERS or (index and not index.isdigit()):
            raise RuntimeUnavailableError(f"ONNX Runtime knows no device '{request.device}'.")
        provider, package = PROVIDERS[kind]
        if provider not in onnxruntime.get_available_providers():
            raise RuntimeUnavailableError(not_built(provider, package))
        options, precision = provider_options(kind, int(index or 0), request)
        session = _open(model, request, provider, options)
        if session.get_providers()[0] != provider:
            # ONNX Runtime falls back to the CPU in silence.
            raise RuntimeUnavailableError(
                f"ONNX Runtime could not start {provider}; its libraries or the driver are missing or do not fit."
            )
        return OnnxRuntimeSession(session, model, request, precision)


def not_built(provider: str, package: str) -> str:
    """The sentence for a provider that the build does not have."""
    return f"This build of ONNX Runtime has no {provider}; the package {package} has it."


def provider_options(kind: str, index: int, request: SessionConfig) -> tuple[dict[str, Any], str]:
    """Options of the provider, and the precision that it then computes in.

    Raises:
        RuntimeUnavailableError: the provider has no such precision.
    """
    exact = request.precision in {"auto", "float32"}
    if kind == "cuda" and exact:
        # TensorFloat-32 keeps 10 bits of the mantissa, as float16 does, and float32's range.
        tf32 = request.precision == "auto"
        return {"device_id": index, "use_tf32": int(tf32)}, "tensorfloat32" if tf32 else "float32"
    if kind == "tensorrt" and (exact or request.precision == "float16"):
        half = request.precision == "float16"
        return {"device_id": index, "trt_fp16_enable": half}, "float16" if half else "float32"
    if kind == "ascend" and (exact or request.precision == "float16"):
        mode = "allow_mix_precision" if request.precision == "float16" else "force_fp32"
        return {"device_id": index, "precision_mode": mode}, "float16" if request.precision == "float16" else "float32"
    if exact:
        return ({"device_id": index} if kind == "directml" else {}), "float32"
    raise RuntimeUnavailableError(f"ONNX Runtime on {kind} does not compute in {request.precision}.")


def _open(model: Model, request: SessionConfig, provider: str, options: dict[str, Any]) -> onnxruntime.InferenceSession:
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = request.threads or available_cores()
    settings.log_severity_level = 4
    # With the size known, memory is planned once instead of at every run.
    settings.add_free_dimension_override_by_name("H", request.tile)
    settings.add_free_dimension_override_by_name("W", request.tile)
    if provider == "DmlExecutionProvider":
        settings.enable_mem_pattern = False  # DirectML requires it
    providers: list[Any] = [(provider, options)]
    if provider != "CPUExecutionProvider":
        providers.append("CPUExecutionProvider")  # for single operators that the accelerator lacks
    if provider in {"CUDAExecutionProvider", "TensorrtExecutionProvider"} and hasattr(onnxruntime, "preload_dlls"):
        with contextlib.redirect_stdout(sys.stderr):  # it tells people what it does
            onnxruntime.preload_dlls()  # CUDA's libraries as packages of pip are on no search path
    content = build_graph(model, tile=request.tile).SerializeToString()
    try:
        return onnxruntime.InferenceSession(content, settings, providers=providers)
    except _failures() as error:
        text = (str(error).strip().splitlines() or ["no reason given"])[-1]
        shortage = translate_error(error, "ONNX Runtime loaded the model")
        if isinstance(shortage, OutOfMemoryError):
            raise shortage from error
        raise RuntimeUnavailableError(f"ONNX Runtime cannot load {model.weights}: {text[:300]}") from error


def _failures() -> tuple[type[Exception], ...]:
    """What ONNX Runtime raises: its own classes derive from Exception alone."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    own = [value for value in vars(state).values() if isinstance(value, type) and issubclass(value, Exception)]
    return (*own, RuntimeError, ValueError, MemoryError)


class OnnxRuntimeSession:
    """A model in ONNX Runtime."""

    runtime = OnnxRuntime.name

    def __init__(
        self, session: onnxruntime.InferenceSession, model: Model, request: SessionConfig, precision: str
    ) -> None:
        self.device, self.precision = request.device, precision
        self._session: onnxruntime.InferenceSession | None = session
        self._shape = (model.card.bands, request.tile, request.tile)
        self._dtype = np.dtype(model.card.dtype)
        fixed = session.get_inputs()[0].shape[0]
        self._fixed = fixed if isinstance(fixed, int) else None
        self.batch = self._fixed or choose_batch_size(self.predict, self._shape, self._dtype, _BATCHES)

    def predict(self, tiles: Tiles, batch: int | None = None) -> Probabilities:
        """Probabilities of ``tiles``; see ``Session.predict``."""
        tiles = check_tiles(tiles, self._shape, self._dtype)
        if self._fixed is None:
            return self._run(tiles)
        parts = []
        for begin in range(0, len(tiles), self._fixed):
            part = tiles[begin : begin + self._fixed]
            padding = ((0, self._fixed - len(part)), (0, 0), (0, 0), (0, 0))
            parts.append(self._run(np.pad(part, padding))[: len(part)])
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _run(self, tiles: Tiles) -> Probabilities:
        assert self._session is not None, "the session is closed"
        try:
            result: Probabilities = self._session.run(None, {"image": tiles})[0]
        except _failures() as error:
            raise translate_error(error, "it computed a tile in ONNX Runtime") from error
        return result

    def predict_stream(self, batches: Iterable[Tiles | None], batch: int | None = None) -> PredictionStream:
        """Probabilities of ``batches``, one call for each; see ``Session.predict_stream``."""
        return map_batches(self.predict)(batches)

    def close(self) -> None:
        """Free the model."""
        self._session = None
