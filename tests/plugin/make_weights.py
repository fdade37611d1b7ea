"""Writes bare weights files, good and bad, into a folder; run by the engine's Python."""

import shutil
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, external_data_helper, helper, numpy_helper
from terraspore.engine.models.checkpoint import write_checkpoint
from terraspore.engine.models.graph import GRAPHS, parameter_shapes


def pointwise_network():
    """A 1x1 convolution and a sigmoid, three bands to one class."""
    weights = np.full((1, 3, 1, 1), 0.5, np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["image", "weights"], ["scores"]),
            helper.make_node("Sigmoid", ["scores"], ["probability"]),
        ],
        "pointwise_network",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, "h", "w"])],
        [helper.make_tensor_value_info("probability", TensorProto.FLOAT, ["n", 1, "h", "w"])],
        [numpy_helper.from_array(weights, "weights")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def main(folder):
    generator = np.random.default_rng(0)
    model = pointwise_network()
    (folder / "good.onnx").write_bytes(model.SerializeToString())
    external_data_helper.convert_model_to_external_data(model, location="outside.bin", size_threshold=0)
    onnx.save(model, folder / "external.onnx")
    (folder / "text.onnx").write_text("this is no model")
    (folder / "picture.onnx").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(1000))
    free = {"bands": 3, "classes": 1}
    shapes = {
        name: tuple(free.get(size, size) for size in shape)
        for name, shape in parameter_shapes(onnx.load(GRAPHS / "linknet34.onnx")).items()
    }
    tensors = {name: (generator.standard_normal(shape) * 0.01).astype(np.float16) for name, shape in shapes.items()}
    for name, value in tensors.items():
        if "variance" in name or name.endswith("gamma"):
            tensors[name] = np.ones_like(value)
    write_checkpoint(folder / "good.ckpt", tensors)
    data = (folder / "good.ckpt").read_bytes()
    (folder / "cut.ckpt").write_bytes(data[: len(data) // 2])
    (folder / "empty.ckpt").write_bytes(b"")
    start = next(iter(tensors.values())).tobytes()[:16]
    (folder / "nan.ckpt").write_bytes(data.replace(start, np.full(8, np.nan, np.float16).tobytes(), 1))
    write_checkpoint(folder / "other.ckpt", {"something.else": np.zeros(3, np.float32)})
    (folder / "random.mindir").write_bytes(generator.integers(0, 256, 2000, np.uint8).tobytes())
    (folder / "torch.pth").write_bytes(b"PK\x03\x04" + bytes(100))
    (folder / "broken.zip").write_bytes(b"PK\x03\x04" + bytes(100))
    tests = Path(__file__).parents[1]
    shutil.copyfile(tests / "plugin" / "data" / "road.mindir", folder / "good.mindir")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
