"""Write models for tests: ONNX graphs with their cards."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def write_model(folder: Path, graph: onnx.GraphProto, bands: int, classes: int, **fields) -> Path:
    """Write ``graph`` and a card, whose ``fields`` can be given, to ``folder``."""
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    data = onnx.ModelProto.SerializeToString(model)
    (folder / "net.onnx").write_bytes(data)
    card = {
        "format": 1,
        "name": folder.name,
        "title": "A graph of the tests",
        "task": "roads",
        "architecture": None,
        "classes": [{"id": i, "name": f"class {i}", "colour": [i * 40, 80, 90]} for i in range(classes)],
        "resolution": 1.0,
        "bands": bands,
        "normalisation": {"scale": 1 / 250, "mean": [0.0] * bands, "std": [1.0] * bands},
        "dtype": "uint8",
        "stretch": False,
        "activation": "none",
        "tile": 64,
        "overlap": 16,
        "multiple": 1,
        "threshold": 0.5,
        "weights": "net.onnx",
        "sha256": hashlib.sha256(data).hexdigest(),
        "data": "none",
        "licence": "GPL-3.0-or-later",
        "split": "none",
        "metrics": {},
        "notes": "",
        "options": {},
        **fields,
    }
    (folder / "card.json").write_text(json.dumps(card), encoding="utf-8")
    return folder


def make_graph(nodes, bands: int, weights) -> onnx.GraphProto:
    """Make a graph from ``image`` to ``scores``; ``weights`` are its initializers, in the order of the layers."""
    ends = (("image", bands), ("scores", weights[-1].dims[0]))
    image, scores = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", count, "h", "w"]) for name, count in ends
    )
    return helper.make_graph(nodes, "graph", [image], [scores], weights)


def write_linear_model(folder: Path, weights=((1.0, 0.0, 0.0),), *, scale=250.0, **fields) -> Path:
    """Write a model with one 1 x 1 convolution: it gives ``weights @ (value / scale)`` at each pixel.

    Args:
        folder: receives the graph and the card.
        weights: (classes, bands).
        scale: of the values.
        fields: fields of the card that differ.
    """
    weights = np.asarray(weights, np.float32)
    classes, bands = weights.shape
    nodes = [helper.make_node("Conv", ["image", "weights"], ["scores"])]
    graph = make_graph(nodes, bands, [numpy_helper.from_array(weights[:, :, None, None], "weights")])
    fields.setdefault("normalisation", {"scale": 1 / scale, "mean": [0.0] * bands, "std": [1.0] * bands})
    return write_model(folder, graph, bands, classes, **fields)
