"""MindSpore Lite, in an interpreter of its own: see ``host.py``."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InferenceError, RuntimeUnavailableError
from ..models.graph import build_graph, graph_identity
from ..models.registry import Model
from .base import DeviceInfo, SessionConfig
from .cache import cache_key, load_entry, store_entry
from .hardware import cpu_name, find_accelerators
from .worker.client import WorkerProcess, WorkerSession

if TYPE_CHECKING:
    import onnx

#: Names a Python interpreter that has MindSpore Lite.
PYTHON_VARIABLE = "TERRASPORE_LITE_PYTHON"
_DEVICES = ("cpu", "cuda", "ascend")


def lite_python(environment: Mapping[str, str] | None = None) -> Path | None:
    """The interpreter that has MindSpore Lite: the one that the variable names, else this one if it has it."""
    variables = os.environ if environment is None else environment
    if named := variables.get(PYTHON_VARIABLE):
        return Path(named)
    return Path(sys.executable) if importlib.util.find_spec("mindspore_lite") else None


class MindSporeLite:
    """The adapter of MindSpore Lite.

    Args:
        python: an interpreter that has it; ``None`` where there is none.
    """

    name = "mindspore-lite"
    title = "MindSpore Lite"

    def __init__(self, python: Path | None) -> None:
        self._python = python

    def devices(self) -> list[DeviceInfo]:
        """The processor and accelerators of this machine, with the reason where they cannot be tried."""
        reason = ""
        if self._python is None:
            reason = f"MindSpore Lite is not installed, and {PYTHON_VARIABLE} names no interpreter that has it."
        elif not self._python.is_file():
            reason = f"{PYTHON_VARIABLE} names {self._python}, which is not there."
        found = [DeviceInfo(self.name, "cpu", cpu_name(), reason)]
        found += [DeviceInfo(self.name, entry.device, entry.title, reason) for entry in find_accelerators()]
        return found

    def open(self, model: Model, request: SessionConfig) -> WorkerSession:
        """Load ``model``; errors as of ``Runtime.open``."""
        kind, _, index = request.device.partition(":")
        if self._python is None:
            raise RuntimeUnavailableError(f"{PYTHON_VARIABLE} names no interpreter that has MindSpore Lite.")
        if kind not in _DEVICES or (index and not index.isdigit()):
            raise RuntimeUnavailableError(f"MindSpore Lite knows no device '{request.device}'.")
        half = request.precision == "float16" and kind != "cpu"
        if request.precision not in {"auto", "float32"} and not half:
            raise RuntimeUnavailableError(f"MindSpore Lite on {kind} does not compute in {request.precision}.")
        try:
            host = WorkerProcess(self._python, self.name)
        except InferenceError as error:
            raise RuntimeUnavailableError(f"MindSpore Lite does not start: {error.text}") from error
        try:
            mindir = _converted(host, model, request, kind)
            settings = {"model": str(mindir), "device": kind, "index": int(index or 0), "half": half}
            precision = "float16" if half else "float32"
            session = WorkerSession(host, self.name, precision, model.card, request, **settings)
            mindir.unlink()
            return session
        except InferenceError as error:
            host.close()
            raise RuntimeUnavailableError(f"MindSpore Lite cannot load {model.weights}: {error.text}") from error


def _converted(host: WorkerProcess, model: Model, request: SessionConfig, kind: str) -> Path:
    """The model as a MINDIR of this version of MindSpore Lite, in the host's folder; from the cache if it is there."""
    path = host.folder / "model.mindir"
    settings = (str(request.tile), kind, str(host.hello["version"]))
    name = cache_key("mindspore-lite", graph_identity(model), *settings) + ".mindir"
    known = load_entry(request.cache, name)
    if known is not None:
        path.write_bytes(known.data)
        return path
    source = host.folder / "model.onnx"
    source.write_bytes(for_lite(build_graph(model, tile=request.tile), request.tile).SerializeToString())
    host.ask(do="convert", source=str(source), target=str(path), device=kind)
    source.unlink()
    if not path.is_file():
        raise InferenceError("The converter of MindSpore Lite wrote no file.")
    if request.cache is not None:
        store_entry(request.cache, name, path.read_bytes())
    return path


def for_lite(graph: onnx.ModelProto, tile: int) -> onnx.ModelProto:
    """Make ``graph`` what MindSpore Lite's converter takes, in place.

    Sizes are fixed to one tile. The converter refuses the attribute ``dilations`` of MaxPool even where all of them
    are 1, and knows no defaults of the attributes of convolutions.
    """
    for value in (graph.graph.input[0], graph.graph.output[0]):
        dims = value.type.tensor_type.shape.dim
        for place, size in ((0, 1), (2, tile), (3, tile)):
            dims[place].dim_value = size
    shapes = {tensor.name: list(tensor.dims) for tensor in graph.graph.initializer}
    for node in graph.graph.node:
        names = {attribute.name for attribute in node.attribute}
        if node.op_type == "MaxPool" and "dilations" in names:
            kept = [attribute for attribute in node.attribute if not _is_default_dilation(attribute)]
            del node.attribute[:]
            node.attribute.extend(kept)
        if node.op_type in {"Conv", "ConvTranspose"} and len(shapes.get(node.input[1], ())) == 4:
            node.attribute.extend(_defaults(shapes[node.input[1]][2:], names))
    return graph


def _defaults(kernel: list[int], present: set[str]) -> list[onnx.AttributeProto]:
    """The attributes of a convolution that are not ``present``, with the values that they then have."""
    from onnx import helper

    values: dict[str, int | list[int]] = {"kernel_shape": kernel, "dilations": [1, 1], "strides": [1, 1], "group": 1}
    if "auto_pad" not in present:
        values["pads"] = [0, 0, 0, 0]
    return [helper.make_attribute(name, value) for name, value in values.items() if name not in present]


def _is_default_dilation(attribute: onnx.AttributeProto) -> bool:
    return attribute.name == "dilations" and set(attribute.ints) == {1}
