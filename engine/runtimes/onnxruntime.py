"""ONNX Runtime: on any CPU, and on accelerators where its build has their execution provider.

It runs in the engine's process, or isolated in a worker process, which may belong to another environment such as one
with ``onnxruntime-gpu``: a crash of a driver then ends the worker and not the run.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..concurrency import available_cores
from ..errors import InferenceError, RuntimeUnavailableError
from ..models.card import ModelCard
from ..models.graph import build_graph
from ..models.registry import Model
from .base import (
    DeviceInfo,
    GraphProcess,
    Probabilities,
    Session,
    SessionConfig,
    Tiles,
    check_tiles,
    predict_in_batches,
    translate_error,
    translate_load_error,
)
from .hardware import Accelerator, cpu_name, find_accelerators, list_hardware
from .measure import choose_batch_size
from .worker.client import WorkerProcess, WorkerSession, start_worker

if TYPE_CHECKING:
    import onnxruntime

#: Names a Python interpreter that has another build of ONNX Runtime.
PYTHON_VARIABLE = "TERRASPORE_ONNXRUNTIME_PYTHON"
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
    graph_process: GraphProcess = "engine"

    def devices(self) -> list[DeviceInfo]:
        """Return the processor, every provider of the build, and accelerators without a provider in the build."""
        accelerators = find_accelerators()
        if not accelerators and sys.platform == "linux":
            # Only the processor can be used, and the library takes long to import.
            reason = "" if importlib.util.find_spec("onnxruntime") else "ONNX Runtime is not installed."
            return [DeviceInfo(self.name, "cpu", cpu_name(), reason)]
        try:
            import onnxruntime
        except ImportError as error:
            return [DeviceInfo(self.name, "cpu", cpu_name(), f"ONNX Runtime cannot be imported: {error}.")]
        providers = onnxruntime.get_available_providers()
        found = []
        for device, (provider, package) in PROVIDERS.items():
            present = [entry for entry in accelerators if entry.device == _NEEDS.get(device)]
            if provider in providers or present:
                found += self._describe(device, present, "" if provider in providers else _not_built(provider, package))
        return found

    def _describe(self, device: str, present: list[Accelerator], reason: str) -> list[DeviceInfo]:
        if device == "cpu":
            return [DeviceInfo(self.name, device, cpu_name())]
        if device in _NEEDS and not present:
            return [DeviceInfo(self.name, device, _NEEDS[device], "No such device was found in this machine.")]
        titles = enumerate([entry.title for entry in present] or [device])
        return [DeviceInfo(self.name, f"{device}:{i}" if i else device, title, reason) for i, title in titles]

    def open(self, model: Model, config: SessionConfig) -> OnnxRuntimeSession:
        """Load ``model``; errors as of ``Runtime.open``."""
        try:
            import onnxruntime
        except ImportError as error:
            raise RuntimeUnavailableError(f"ONNX Runtime cannot be imported: {error}.") from error
        kind, index = _parse_device(config.device)
        provider, package = PROVIDERS[kind]
        if provider not in onnxruntime.get_available_providers():
            raise RuntimeUnavailableError(_not_built(provider, package))
        options, precision = provider_options(kind, index, config)
        session = _create_session(self.title, model, config, provider, options)
        if session.get_providers()[0] != provider:
            # ONNX Runtime falls back to the CPU without an error.
            raise RuntimeUnavailableError(
                f"ONNX Runtime could not start {provider}; its libraries or the driver are missing or do not fit."
            )
        return OnnxRuntimeSession(session, model.card, config, precision, runtime=self.name)


def _parse_device(device: str) -> tuple[str, int]:
    """Return the kind and the number of a device such as ``cuda:1``.

    Raises:
        RuntimeUnavailableError: ONNX Runtime has no such device.
    """
    kind, _, index = device.partition(":")
    if kind not in PROVIDERS or (index and not index.isdigit()):
        raise RuntimeUnavailableError(f"ONNX Runtime knows no device '{device}'.")
    return kind, int(index or 0)


def _not_built(provider: str, package: str) -> str:
    """Return the sentence for a provider which the build does not have."""
    return f"This build of ONNX Runtime has no {provider}; the package {package} has it."


def provider_options(kind: str, index: int, config: SessionConfig) -> tuple[dict[str, Any], str]:
    """Return the options of the provider, and the precision that it then computes in.

    Args:
        kind: of device, a key of ``PROVIDERS``.
        index: number of the device.
        config: with the precision asked for.

    Raises:
        RuntimeUnavailableError: the provider has no such precision.
    """
    exact = config.precision in {"auto", "float32"}
    half = config.precision == "float16"
    if kind == "cuda" and exact:
        # TensorFloat-32 keeps 10 bits of the mantissa, as float16 does, and float32's range.
        tf32 = config.precision == "auto"
        return {"device_id": index, "use_tf32": int(tf32)}, "tensorfloat32" if tf32 else "float32"
    if kind == "tensorrt" and (exact or half):
        return {"device_id": index, "trt_fp16_enable": half}, "float16" if half else "float32"
    if kind == "ascend" and (exact or half):
        mode = "allow_mix_precision" if half else "force_fp32"
        return {"device_id": index, "precision_mode": mode}, "float16" if half else "float32"
    if exact:
        return ({"device_id": index} if kind == "directml" else {}), "float32"
    raise RuntimeUnavailableError(f"ONNX Runtime on {kind} does not compute in {config.precision}.")


def _create_session(
    title: str, model: Model, config: SessionConfig, provider: str, options: dict[str, Any]
) -> onnxruntime.InferenceSession:
    import onnxruntime

    onnxruntime.disable_telemetry_events()  # of the builds for Windows
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = config.threads or available_cores()
    settings.log_severity_level = 4
    # With the size known, memory is planned once instead of at every run.
    settings.add_free_dimension_override_by_name("H", config.tile)
    settings.add_free_dimension_override_by_name("W", config.tile)
    if provider == "DmlExecutionProvider":
        settings.enable_mem_pattern = False  # DirectML requires it
    providers: list[Any] = [(provider, options)]
    if provider != "CPUExecutionProvider":
        providers.append("CPUExecutionProvider")  # for single operators that the accelerator lacks
    if provider in {"CUDAExecutionProvider", "TensorrtExecutionProvider"} and hasattr(onnxruntime, "preload_dlls"):
        with contextlib.redirect_stdout(sys.stderr):  # it prints what it does
            onnxruntime.preload_dlls()  # CUDA's libraries from pip packages are on no search path
    content = build_graph(model, tile=config.tile).SerializeToString()
    try:
        return onnxruntime.InferenceSession(content, settings, providers=providers)
    except _library_errors() as error:
        raise translate_load_error(error, title, model.weights) from error


def _library_errors() -> tuple[type[Exception], ...]:
    """Return what ONNX Runtime raises: its own classes derive from Exception alone."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    own = [value for value in vars(state).values() if isinstance(value, type) and issubclass(value, Exception)]
    return (*own, RuntimeError, ValueError, MemoryError)


class OnnxRuntimeSession(Session):
    """A model in ONNX Runtime, whose own session is given."""

    def __init__(
        self,
        session: onnxruntime.InferenceSession,
        card: ModelCard,
        config: SessionConfig,
        precision: str,
        *,
        runtime: str,
    ) -> None:
        import onnxruntime

        super().__init__(runtime, precision, card, config, version=onnxruntime.__version__)
        self._session: onnxruntime.InferenceSession | None = session
        fixed = session.get_inputs()[0].shape[0]
        self._fixed_batch = fixed if isinstance(fixed, int) else None
        self._batch = self._fixed_batch or choose_batch_size(self.predict, self.shape, self.dtype, _BATCHES)

    def predict(self, tiles: Tiles, batch: int | None = None) -> Probabilities:
        """Return the probabilities of ``tiles``; see ``Session.predict``."""
        tiles = check_tiles(tiles, self.shape, self.dtype)
        return predict_in_batches(self._compute, tiles, self._fixed_batch or len(tiles))

    def _compute(self, tiles: Tiles) -> Probabilities:
        assert self._session is not None, "the session is closed"
        try:
            result: Probabilities = self._session.run(None, {"image": tiles})[0]
        except _library_errors() as error:
            raise translate_error(error, "it computed a tile in ONNX Runtime") from error
        return result

    def close(self) -> None:
        """Free the model."""
        self._session = None


class IsolatedOnnxRuntime:
    """The adapter of ONNX Runtime in a worker process.

    Args:
        python: an interpreter that has it; ``None`` for the one that ``PYTHON_VARIABLE`` names, else the engine's own.
    """

    name = "onnxruntime-isolated"
    title = "ONNX Runtime in a process of its own"
    graph_process: GraphProcess = "worker"

    def __init__(self, python: Path | None = None) -> None:
        named = os.environ.get(PYTHON_VARIABLE)
        self._python = python or (Path(named) if named else None)

    def devices(self) -> list[DeviceInfo]:
        """Return the devices of ONNX Runtime; those of the other interpreter's build where there is one."""
        if self._python is None:
            return [dataclasses.replace(info, runtime=self.name) for info in OnnxRuntime().devices()]
        try:
            with WorkerProcess(self._python, OnnxRuntime.name) as worker:
                providers = worker.greeting["providers"]
        except InferenceError as error:
            return [DeviceInfo(self.name, "cpu", cpu_name(), error.text)]
        missing = {device: "" if names[0] in providers else _not_built(*names) for device, names in PROVIDERS.items()}
        return [DeviceInfo(self.name, device, title, missing[device]) for device, title in list_hardware()]

    def open(self, model: Model, config: SessionConfig) -> WorkerSession:
        """Load ``model``; errors as of ``Runtime.open``."""
        kind, index = _parse_device(config.device)
        provider, package = PROVIDERS[kind]
        options, precision = provider_options(kind, index, config)
        content = build_graph(model, tile=config.tile).SerializeToString()
        python = self._python or Path(sys.executable)
        with start_worker(python, OnnxRuntime.name, OnnxRuntime.title, model.weights) as worker:
            if provider not in worker.greeting["providers"]:
                raise InferenceError(_not_built(provider, package))
            path = worker.write_file("model.onnx", content)
            sizes = {"H": config.tile, "W": config.tile}
            arguments = {"model": str(path), "provider": provider, "options": options, "sizes": sizes}
            session = WorkerSession(worker, self.name, precision, model.card, config, arguments=arguments)
            worker.remove_file(path)
            if session.answer["provider"] != provider:
                raise InferenceError(f"{provider} does not start; its libraries or the driver are missing.")
        return session
