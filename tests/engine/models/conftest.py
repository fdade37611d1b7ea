"""A small network without weights, its weights, and cards."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from terraspore.engine.models.card import ClassInfo, ModelCard, Normalisation

CARD = ModelCard(
    name="tiny",
    title="A tiny network",
    task="segmentation",
    architecture="tiny",
    classes=(ClassInfo(0, "nothing", (0, 0, 0)), ClassInfo(1, "something", (255, 80, 0))),
    resolution=0.5,
    bands=3,
    normalisation=Normalisation(1 / 255, (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)),
    dtype="uint8",
    stretch=True,
    activation="softmax",
    tile=32,
    overlap=8,
    multiple=2,
    threshold=0.5,
    weights="tiny.ckpt",
    sha256="0" * 64,
    data="random numbers",
    licence="GPL-3.0-or-later",
    split="none",
    metrics={"iou": 0.25},
)


@pytest.fixture
def card():
    return CARD


@pytest.fixture
def tiny_graph():
    """Conv with stride 2, ReLU, deconv back, 1x1 conv to as many classes as the weights have."""
    parameters = {
        "encoder.weight": (8, "bands", 3, 3),
        "encoder.bias": (8,),
        "decoder.weight": (8, 4, 2, 2),
        "head.weight": ("classes", 4, 1, 1),
        "head.bias": ("classes",),
    }
    nodes = [
        helper.make_node("Conv", ["image", "encoder.weight", "encoder.bias"], ["a"], strides=[2, 2], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("ConvTranspose", ["b", "decoder.weight"], ["c"], strides=[2, 2]),
        helper.make_node("Conv", ["c", "head.weight", "head.bias"], ["logits"]),
    ]
    inputs = [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", "bands", "h", "w"])]
    inputs += [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in parameters.items()]
    outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", "classes", "h", "w"])]
    graph = helper.make_graph(nodes, "tiny", inputs, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {"architecture": "tiny", "options": "{}", "multiple": "2"})
    return model


@pytest.fixture
def tiny_weights():
    random = np.random.default_rng(3)
    shapes = {
        "encoder.weight": (8, 3, 3, 3),
        "encoder.bias": (8,),
        "decoder.weight": (8, 4, 2, 2),
        "head.weight": (2, 4, 1, 1),
        "head.bias": (2,),
    }
    return {name: random.normal(0, 0.5, shape).astype(np.float32) for name, shape in shapes.items()}


@pytest.fixture
def graphs(tmp_path, tiny_graph):
    """A folder of weightless graphs that holds the tiny one."""
    folder = tmp_path / "graphs"
    folder.mkdir()
    onnx.save(tiny_graph, folder / "tiny.onnx")
    return folder


@pytest.fixture
def with_sha256():
    """A function that puts the SHA-256 of a weights file into a card."""

    def put(card, weights):
        return replace(card, weights=weights.name, sha256=hashlib.sha256(weights.read_bytes()).hexdigest())

    return put


@pytest.fixture
def make_network():
    """A function that makes a foreign network."""
    return network


def network(kind=TensorProto.FLOAT, opset=17, names=("image", "probability"), extra_output=False):
    """A 1x1 convolution that adds up and subtracts the two bands, with names that collide with the built graph's."""
    image, scores = names
    dtype = helper.tensor_dtype_to_np_dtype(kind)
    weights = np.array([[1, 1], [1, -1]], dtype).reshape(2, 2, 1, 1)
    nodes = [helper.make_node("Conv", [image, "w"], [scores])]
    outputs = [helper.make_tensor_value_info(scores, kind, ["n", 2, "h", "w"])]
    if extra_output:
        nodes.append(helper.make_node("Relu", [scores], ["again"]))
        outputs.append(helper.make_tensor_value_info("again", kind, ["n", 2, "h", "w"]))
    graph = helper.make_graph(
        nodes,
        "pair",
        [helper.make_tensor_value_info(image, kind, ["n", 2, "h", "w"])],
        outputs,
        [numpy_helper.from_array(weights, "w")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
