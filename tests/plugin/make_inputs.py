"""Writes the image and the models that the plugin's tests use; run by the engine's Python, which has ONNX.

The road model passes the red band through, so that what is bright in it is road and the right answer is known.
"""

import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import onnx
import rasterio
from affine import Affine
from onnx import TensorProto, helper, numpy_helper

CARD = {
    "format": 1, "architecture": None, "resolution": 1.0, "bands": 3,
    "normalisation": {"scale": 1 / 250, "mean": [0.0] * 3, "std": [1.0] * 3}, "dtype": "uint8", "stretch": False,
    "activation": "none", "tile": 256, "overlap": 32, "multiple": 1, "threshold": 0.5, "weights": "net.onnx",
    "data": "none", "licence": "GPL-3.0-or-later", "split": "none", "metrics": {}, "notes": "", "options": {},
}  # fmt: skip


def write_model(folder, task, weights):
    """The folder of a model that is one 1x1 convolution with ``weights`` (classes, bands)."""
    weights = np.asarray(weights, np.float32)
    classes, bands = weights.shape
    graph = helper.make_graph(
        [helper.make_node("Conv", ["image", "weights"], ["scores"])],
        "pointwise_network",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", bands, "h", "w"])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", classes, "h", "w"])],
        [numpy_helper.from_array(weights[:, :, None, None], "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    data = onnx.ModelProto.SerializeToString(model)
    folder.mkdir(parents=True)
    (folder / "net.onnx").write_bytes(data)
    names = [{"id": i, "name": f"class {i}", "colour": [i * 90, 80, 90]} for i in range(classes)]
    card = {**CARD, "name": folder.name, "title": folder.name, "task": task, "classes": names}
    card["sha256"] = hashlib.sha256(data).hexdigest()
    (folder / "card.json").write_text(json.dumps(card), encoding="utf-8")


def write_image(path):
    """600 x 500 pixels of 1 m with three roads: 600 m, 500 m and 510 m."""
    pixels = np.zeros((3, 500, 600), np.uint8)
    pixels[0], pixels[1] = 30, 120
    pixels[0, 240:252, :] = 245
    pixels[0, :, 300:310] = 245
    pixels[0, 80:90, 50:560] = 240
    profile = {"driver": "GTiff", "count": 3, "height": 500, "width": 600, "dtype": "uint8", "crs": "EPSG:32632"}
    with rasterio.open(path, "w", transform=Affine(1, 0, 500_000, 0, -1, 5_000_500), **profile) as dataset:
        dataset.write(pixels)


if __name__ == "__main__":
    target = Path(sys.argv[1])
    write_model(target / "models" / "bright-is-road", "roads", [[1, 0, 0]])
    write_model(target / "models" / "two-classes", "landcover", [[1, 0, 0], [0, 1, 0]])
    write_model(target / "more" / "own", "segmentation", [[1, 0, 0], [0, 1, 0], [0, 0, 1]])
    write_image(target / "image.tif")
