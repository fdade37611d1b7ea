"""Tests of the devices in the machine: each device of each runtime runs a small network."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InferenceError, OutOfMemoryError, RuntimeUnavailableError
from ..models.checkpoint import write_checkpoint
from ..models.infer_card import ModelHints
from ..models.registry import Model, find_model
from .base import DeviceInfo, Probabilities, Runtime, SessionConfig
from .measure import time_per_tile
from .registry import rank_devices

#: Side of the tiles that the small network is run on, in pixels.
TILE = 256
#: Largest difference between the probabilities of two devices.
AGREEMENT = 0.05
_HINTS = ModelHints(
    task="roads", resolution=1.0, mean=(0.5,) * 3, std=(0.5,) * 3, activation="sigmoid", tile=TILE, overlap=0
)
#: Layers: name, channels in and out, stride. The last two are deconvolutions of 2 x 2 with stride 2.
_LAYERS = (("a", 3, 16, 2), ("b", 16, 32, 2), ("c", 32, 32, 1), ("d", 32, 32, 1), ("e", 32, 16, -2), ("f", 16, 1, -2))


@dataclass(frozen=True)
class ProbeResult:
    """What a test of a device gave.

    Args:
        info: the device; its ``reason`` says why it does not work, and is empty where it does.
        precision: what ``auto`` computes in there.
        seconds: for one tile of ``TILE`` pixels square of the small network.
    """

    info: DeviceInfo
    precision: str = ""
    seconds: float | None = None

    @property
    def works(self) -> bool:
        """Whether the device computed the right values."""
        return self.seconds is not None


def probe_devices(runtimes: Mapping[str, Runtime], threads: int | None = None) -> list[ProbeResult]:
    """Run the small network on every device of every runtime.

    Args:
        runtimes: by name.
        threads: processor threads; ``None`` for all cores.
    """
    results: list[ProbeResult] = []
    reference: Probabilities | None = None
    with tempfile.TemporaryDirectory(prefix="terraspore-") as folder:
        models = write_probe_models(Path(folder))
        for runtime in runtimes.values():
            model = models[".onnx" if runtime.graph_process else ".ckpt"]
            for info in runtime.devices():
                result, probabilities = _probe_device(runtime, info, model, threads, reference)
                reference = probabilities if reference is None else reference
                results.append(result)
    return results


def choose_default(results: Sequence[ProbeResult]) -> ProbeResult | None:
    """Return what ``auto`` takes of what works, or ``None`` where no device does."""
    working = {result.info: result for result in results if result.works}
    ranked = rank_devices("auto", "auto", list(working))
    return working[ranked[0]] if ranked else None


def _probe_device(
    runtime: Runtime, info: DeviceInfo, model: Model, threads: int | None, reference: Probabilities | None
) -> tuple[ProbeResult, Probabilities | None]:
    """Run the small network on one device; the probabilities are None where it does not work."""
    if info.reason:
        return ProbeResult(info), None
    tiles = np.random.default_rng(0).integers(0, 256, (2, 3, TILE, TILE), np.uint8)
    config = SessionConfig(info.device, TILE, threads=threads, network_factory=create_probe_network)
    try:
        with runtime.open(model, config) as session:
            probabilities = session.predict(tiles)
            seconds = time_per_tile(session.predict, (3, TILE, TILE), tiles.dtype, session.batch)
            precision = session.precision
    except (RuntimeUnavailableError, InferenceError, OutOfMemoryError) as error:
        return ProbeResult(dataclasses.replace(info, reason=error.text)), None
    differs = reference is not None and np.abs(probabilities - reference).max() > AGREEMENT
    if differs or not np.isfinite(probabilities).all():
        return ProbeResult(dataclasses.replace(info, reason="It computes something else than the others.")), None
    return ProbeResult(info, precision, seconds), probabilities


def write_probe_models(folder: Path) -> dict[str, Model]:
    """Write the small network as ``.onnx`` and as ``.ckpt``; return the models by suffix."""
    import onnx

    weights = _random_weights()
    write_checkpoint(folder / "probe.ckpt", weights)
    (folder / "probe.onnx").write_bytes(onnx.ModelProto.SerializeToString(_build_graph(weights)))
    hints = {".ckpt": dataclasses.replace(_HINTS, architecture="probe"), ".onnx": _HINTS}
    return {suffix: find_model(str(folder / f"probe{suffix}"), [], given) for suffix, given in hints.items()}


def _random_weights() -> dict[str, NDArray[np.float32]]:
    random = np.random.default_rng(11)
    weights = {}
    for name, inward, outward, stride in _LAYERS:
        shape = (inward, outward, 2, 2) if stride < 0 else (outward, inward, 3, 3)
        spread = (2 / (inward * shape[2] * shape[3] / max(-stride, 1) ** 2)) ** 0.5
        weights[f"{name}.weight"] = random.normal(0, spread, shape).astype(np.float32)
    return weights


def _build_graph(weights: Mapping[str, NDArray[np.float32]]) -> Any:
    from onnx import TensorProto, helper, numpy_helper

    nodes, value = [], "image"
    for name, _, _, stride in _LAYERS:
        operator, pads = ("ConvTranspose", [0] * 4) if stride < 0 else ("Conv", [1] * 4)
        inputs = [value, f"{name}.weight"]
        nodes.append(helper.make_node(operator, inputs, [f"{name}.sum"], strides=[abs(stride)] * 2, pads=pads))
        value = f"{name}.relu"
        nodes.append(helper.make_node("Relu", [f"{name}.sum"], [value]))
    nodes.pop()  # the last layer gives logits
    nodes[-1].output[0] = "logits"
    graph = helper.make_graph(
        nodes,
        "probe",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 3, "H", "W"])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", 1, "H", "W"])],
        [numpy_helper.from_array(values, name) for name, values in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def create_probe_network(_name: str, **_options: Any) -> Any:
    """Return the small network as a MindSpore cell, in place of ``create_network``."""
    from collections import OrderedDict

    from mindspore import nn

    layers: dict[str, Any] = {}
    for name, inward, outward, stride in _LAYERS:
        if stride < 0:
            layers[name] = nn.Conv2dTranspose(inward, outward, 2, -stride, pad_mode="valid")
        else:
            layers[name] = nn.Conv2d(inward, outward, 3, stride, pad_mode="pad", padding=1)
        if name != _LAYERS[-1][0]:
            layers[f"{name}_relu"] = nn.ReLU()
    return nn.SequentialCell(OrderedDict(layers))
