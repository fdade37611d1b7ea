"""MindSpore Lite, in a worker process with an interpreter of its own: see ``worker/host.py``."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InferenceError, RuntimeUnavailableError
from ..models.graph import build_graph, graph_identity
from ..models.registry import Model
from .base import DeviceInfo, GraphProcess, SessionConfig
from .cache import cache_key, load_entry, store_entry
from .hardware import list_hardware
from .worker.client import WorkerProcess, WorkerSession, start_worker

if TYPE_CHECKING:
    import onnx

#: Names a Python interpreter that has MindSpore Lite.
PYTHON_VARIABLE = "TERRASPORE_LITE_PYTHON"
_DEVICES = ("cpu", "cuda", "ascend")


class MindSporeLite:
    """The adapter of MindSpore Lite.

    Args:
        python: an interpreter that has it; ``None`` for the one that ``PYTHON_VARIABLE`` names, else the engine's own
            if it fits.
    """

    name = "mindspore-lite"
    title = "MindSpore Lite"
    graph_process: GraphProcess = "worker"

    def __init__(self, python: Path | None = None) -> None:
        own = sys.executable if importlib.util.find_spec("mindspore_lite") else ""
        found = os.environ.get(PYTHON_VARIABLE) or own
        self._python = python or (Path(found) if found else None)

    def devices(self) -> list[DeviceInfo]:
        """Return the processor and the accelerators of this machine, with the reason where they cannot be tried."""
        reason = ""
        if self._python is None:
            reason = f"MindSpore Lite is not installed, and {PYTHON_VARIABLE} names no interpreter that has it."
        elif not self._python.is_file():
            reason = f"{PYTHON_VARIABLE} names {self._python}, which is not there."
        return [DeviceInfo(self.name, device, title, reason) for device, title in list_hardware()]

    def open(self, model: Model, config: SessionConfig) -> WorkerSession:
        """Load ``model``; errors as of ``Runtime.open``."""
        kind, _, index = config.device.partition(":")
        if self._python is None:
            raise RuntimeUnavailableError(f"{PYTHON_VARIABLE} names no interpreter that has MindSpore Lite.")
        if kind not in _DEVICES or (index and not index.isdigit()):
            raise RuntimeUnavailableError(f"MindSpore Lite knows no device '{config.device}'.")
        half = config.precision == "float16" and kind != "cpu"
        if config.precision not in {"auto", "float32"} and not half:
            raise RuntimeUnavailableError(f"MindSpore Lite on {kind} does not compute in {config.precision}.")
        with start_worker(self._python, self.name, self.title, model.weights) as worker:
            mindir = _convert(worker, model, config, kind)
            arguments = {"model": str(mindir), "device": kind, "index": int(index or 0), "half": half}
            precision = "float16" if half else "float32"
            session = WorkerSession(worker, self.name, precision, model.card, config, arguments=arguments)
            worker.remove_file(mindir)
        return session


def _convert(worker: WorkerProcess, model: Model, config: SessionConfig, kind: str) -> Path:
    """Convert the model to a MINDIR of the worker's version of MindSpore Lite, or take it from the cache.

    Returns:
        The file, in the worker's folder.
    """
    settings = (str(config.tile), kind, str(worker.greeting["version"]))
    name = cache_key("mindspore-lite", graph_identity(model), *settings) + ".mindir"
    known = load_entry(config.cache, name)
    if known is not None:
        return worker.write_file("model.mindir", known.data)
    graph = adapt_graph(build_graph(model, tile=config.tile), config.tile)
    source = worker.write_file("model.onnx", graph.SerializeToString())
    path = worker.folder / "model.mindir"
    worker.call("convert", source=str(source), target=str(path), device=kind)
    worker.remove_file(source)
    if not path.is_file():
        raise InferenceError("The converter of MindSpore Lite wrote no file.")
    if config.cache is not None:
        store_entry(config.cache, name, path.read_bytes())
    return path


def adapt_graph(graph: onnx.ModelProto, tile: int) -> onnx.ModelProto:
    """Rewrite ``graph`` in place for MindSpore Lite's converter.

    Sizes are fixed to one tile. The converter refuses the attribute ``dilations`` of MaxPool even where all of them
    are 1, and knows no defaults of the attributes of convolutions.
    """
    from onnx import helper

    for value in (graph.graph.input[0], graph.graph.output[0]):
        dims = value.type.tensor_type.shape.dim
        for axis, size in ((0, 1), (2, tile), (3, tile)):
            dims[axis].dim_value = size
    shapes = {tensor.name: list(tensor.dims) for tensor in graph.graph.initializer}
    for node in graph.graph.node:
        if node.op_type == "MaxPool":
            kept = [entry for entry in node.attribute if entry.name != "dilations" or set(entry.ints) != {1}]
            del node.attribute[:]
            node.attribute.extend(kept)
        if node.op_type in {"Conv", "ConvTranspose"} and len(shapes.get(node.input[1], ())) == 4:
            present = {attribute.name for attribute in node.attribute}
            defaults: dict[str, int | list[int]] = {
                "kernel_shape": shapes[node.input[1]][2:],
                "dilations": [1, 1],
                "strides": [1, 1],
                "group": 1,
            }
            if "auto_pad" not in present:
                defaults["pads"] = [0, 0, 0, 0]
            node.attribute.extend(
                helper.make_attribute(name, value) for name, value in defaults.items() if name not in present
            )
    return graph
