"""ONNX Runtime in a process of its own: a crash of a driver ends that process and not the run's.

The process may be of another environment, such as one with ``onnxruntime-gpu``: see ``host.py``.
"""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from ...errors import InferenceError, RuntimeUnavailableError
from ...models.graph import build_graph
from ...models.registry import Model
from ..base import DeviceInfo, SessionConfig
from ..hardware import cpu_name, find_accelerators
from ..onnxruntime import PROVIDERS, OnnxRuntime, not_built, provider_options
from .client import WorkerProcess, WorkerSession

#: Names a Python interpreter that has another build of ONNX Runtime.
PYTHON_VARIABLE = "TERRASPORE_ONNXRUNTIME_PYTHON"


def onnxruntime_python(environment: Mapping[str, str] | None = None) -> Path | None:
    """The interpreter that the variable names; ``None`` for the engine's own."""
    named = (os.environ if environment is None else environment).get(PYTHON_VARIABLE)
    return Path(named) if named else None


class IsolatedOnnxRuntime:
    """The adapter of ONNX Runtime in a process of its own.

    Args:
        python: an interpreter that has it; ``None`` for the engine's own.
    """

    name = "onnxruntime-isolated"
    title = "ONNX Runtime in a process of its own"

    def __init__(self, python: Path | None) -> None:
        self._python = python

    def devices(self) -> list[DeviceInfo]:
        """The devices of ONNX Runtime; those of the other interpreter's build where there is one."""
        if self._python is None:
            return [dataclasses.replace(info, runtime=self.name) for info in OnnxRuntime().devices()]
        try:
            with WorkerProcess(self._python, OnnxRuntime.name) as host:
                providers = host.hello["providers"]
        except InferenceError as error:
            return [DeviceInfo(self.name, "cpu", cpu_name(), error.text)]
        found = [DeviceInfo(self.name, "cpu", cpu_name())]
        for entry in find_accelerators():
            provider, package = PROVIDERS[entry.device]
            reason = "" if provider in providers else not_built(provider, package)
            found.append(DeviceInfo(self.name, entry.device, entry.title, reason))
        return found

    def open(self, model: Model, request: SessionConfig) -> WorkerSession:
        """Load ``model``; errors as of ``Runtime.open``."""
        kind, _, index = request.device.partition(":")
        if kind not in PROVIDERS or (index and not index.isdigit()):
            raise RuntimeUnavailableError(f"ONNX Runtime knows no device '{request.device}'.")
        provider, package = PROVIDERS[kind]
        options, precision = provider_options(kind, int(index or 0), request)
        content = build_graph(model, tile=request.tile).SerializeToString()
        try:
            host = WorkerProcess(self._python or Path(sys.executable), OnnxRuntime.name)
        except InferenceError as error:
            raise RuntimeUnavailableError(f"ONNX Runtime does not start: {error.text}") from error
        try:
            if provider not in host.hello["providers"]:
                raise InferenceError(not_built(provider, package))
            path = host.folder / "model.onnx"
            path.write_bytes(content)
            sizes = {"H": request.tile, "W": request.tile}
            settings = {"model": str(path), "provider": provider, "options": options, "sizes": sizes}
            session = WorkerSession(host, self.name, precision, model.card, request, **settings)
            path.unlink()
            if session.opened["provider"] != provider:
                raise InferenceError(f"{provider} does not start; its libraries or the driver are missing.")
        except InferenceError as error:
            host.close()
            raise RuntimeUnavailableError(f"ONNX Runtime cannot load {model.weights}: {error.text}") from error
        return session
