"""Models for benchmarks: a trivial one, and untrained ones of any architecture. Their results are meaningless."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from terraspore.engine.models.card import ClassInfo, ModelCard, Normalisation, Task, write_card
from terraspore.engine.models.checkpoint import write_checkpoint
from terraspore.engine.models.graph import graph_path, parameter_shapes
from terraspore.engine.models.onnx_file import load_onnx
from terraspore.engine.models.registry import Model, model_folders, read_model, scan_models

TILE, OVERLAP = 512, 64


def trivial_model(folder: Path) -> Model:
    """Create a model with one 1 x 1 convolution: the mean of the bands is the probability of the only class."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    graph = helper.make_graph(
        [helper.make_node("Conv", ["image", "weight"], ["probability"])],
        "trivial",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 3, "H", "W"])],
        [helper.make_tensor_value_info("probability", TensorProto.FLOAT, ["N", 1, "H", "W"])],
        [numpy_helper.from_array(np.full((1, 3, 1, 1), 1 / 3, np.float32), "weight")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    content = onnx.ModelProto.SerializeToString(model)
    return _write(folder / "trivial", "weights.onnx", content, architecture=None, activation="none", names=("grey",))


def untrained_model(folder: Path, architecture: str, names: Sequence[str] = ("road",)) -> Model:
    """Create a network with seeded random weights of the usual scale."""
    random = np.random.default_rng(3)
    sizes = {"classes": len(names), "bands": 3}
    shapes = parameter_shapes(load_onnx(graph_path(architecture, {})))
    tensors: dict[str, NDArray[Any]] = {}
    for name, shape in shapes.items():
        # LEDNet's first convolution and the parallel pooling of the bands have 32 channels together.
        shape = tuple(sizes.get(dim, 29) if isinstance(dim, str) else dim for dim in shape)
        tensors[name] = _initial(name, shape, random)
    path = folder / "untrained.ckpt"
    folder.mkdir(parents=True, exist_ok=True)
    write_checkpoint(path, tensors)
    content = path.read_bytes()
    path.unlink()
    activation = "sigmoid" if len(names) == 1 else "softmax"
    return _write(folder / architecture, "weights.ckpt", content, architecture, activation, names)


def bundled_model(architecture: str, task: Task) -> Model | None:
    """Return the bundled model of this architecture, or None."""
    models = scan_models(model_folders()).models
    fits = (model for model in models if (model.card.architecture, model.card.task) == (architecture, task))
    return next(fits, None)


def _initial(name: str, shape: tuple[int, ...], random: np.random.Generator) -> NDArray[np.float32]:
    kind = name.rsplit(".", maxsplit=1)[-1]
    if kind in {"gamma", "moving_variance"}:
        return np.ones(shape, np.float32)
    if len(shape) < 2:
        return np.zeros(shape, np.float32)
    return random.normal(0, (2 / np.prod(shape[1:])) ** 0.5, shape).astype(np.float32)


def _write(
    folder: Path, weights: str, content: bytes, architecture: str | None, activation: Any, names: Sequence[str]
) -> Model:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / weights).write_bytes(content)
    card = ModelCard(
        name=folder.name,
        title="For benchmarks",
        task="roads" if len(names) == 1 else "landcover",
        architecture=architecture,
        classes=tuple(ClassInfo(i + 1, name, (40 * i, 255 - 40 * i, 90)) for i, name in enumerate(names)),
        resolution=1.0,
        bands=3,
        normalisation=Normalisation(1 / 255, (0.0,) * 3, (1.0,) * 3),
        dtype="uint8",
        stretch=True,
        activation=activation,
        tile=TILE,
        overlap=OVERLAP,
        multiple=32,
        threshold=0.5,
        weights=weights,
        sha256=hashlib.sha256(content).hexdigest(),
        data="none",
        licence="GPL-3.0-or-later",
        split="none",
    )
    write_card(folder / "card.json", card)
    return read_model(folder)
