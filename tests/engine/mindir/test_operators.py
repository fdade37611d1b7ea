"""Every operator: MindSpore's own output against that of the converted graph, at a size it was not exported with."""

from __future__ import annotations

import dataclasses

import numpy as np
import onnxruntime
import pytest
from terraspore.engine.errors import GraphError
from terraspore.engine.mindir import convert, read_mindir

ms = pytest.importorskip("mindspore", reason="MindSpore is not installed")
from mindspore import nn, ops

pytestmark = pytest.mark.mindspore

#: sizes of the exports, and one between them to compare at
EXPORTS = ((1, 4, 12, 17), (3, 4, 21, 26))
OTHER = (2, 4, 15, 22)


class Function(nn.Cell):
    """A plain function as a network."""

    def __init__(self, function) -> None:
        super().__init__()
        self.function = function

    def construct(self, x):
        return self.function(x)


def exported(cell: nn.Cell, shape, folder) -> bytes:
    path = folder / f"{'-'.join(map(str, shape))}.mindir"
    ms.export(cell, ms.Tensor(np.zeros(shape, np.float32)), file_name=str(path), file_format="MINDIR")
    return path.read_bytes()


def compare(cell: nn.Cell, folder, *, exports=EXPORTS, shape=OTHER, atol=1e-5) -> None:
    cell.set_train(False)
    first, *others = [exported(cell, export, folder) for export in exports]
    model = convert(first, variants=others)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    x = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    wanted = cell(ms.Tensor(x)).asnumpy()
    (found,) = session.run(None, {session.get_inputs()[0].name: x})
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=atol)


def randomized(cell: nn.Cell) -> nn.Cell:
    generator = np.random.default_rng(2)
    for parameter in cell.get_parameters():
        parameter.set_data(ms.Tensor(generator.uniform(0.3, 1.2, parameter.shape).astype(np.float32)))
    return cell


CONVOLUTIONS = {
    "uneven padding": lambda: nn.Conv2d(4, 5, 3, pad_mode="pad", padding=(0, 1, 2, 3), has_bias=True),
    "stride and dilation": lambda: nn.Conv2d(4, 5, 3, stride=2, pad_mode="pad", padding=2, dilation=2),
    "tall and wide": lambda: nn.Conv2d(4, 5, (5, 1), pad_mode="pad", padding=(4, 4, 0, 0), dilation=(2, 1)),
    "groups": lambda: nn.Conv2d(4, 8, 3, pad_mode="pad", padding=1, group=4, has_bias=True),
    "same": lambda: nn.Conv2d(4, 5, 4, pad_mode="same"),
    "same with dilation": lambda: nn.Conv2d(4, 5, 3, pad_mode="same", dilation=3),
    "same with stride": lambda: nn.Conv2d(4, 5, 3, stride=2, pad_mode="same"),
    "valid": lambda: nn.Conv2d(4, 5, (2, 3), pad_mode="valid", has_bias=True),
    "one axis": lambda: nn.SequentialCell(Function(_flat), nn.Conv1d(4, 6, 1, pad_mode="valid")),
    "transposed, doubling": lambda: nn.Conv2dTranspose(4, 5, 3, 2, "pad", (1, 0, 1, 0), has_bias=True),
    "transposed, padded": lambda: nn.Conv2dTranspose(4, 5, 4, 2, "pad", 1),
    "transposed, uneven": lambda: nn.Conv2dTranspose(4, 5, 5, 3, "pad", (0, 1, 2, 1)),
    "transposed, valid": lambda: nn.Conv2dTranspose(4, 5, 3, 2, "valid", has_bias=True),
    "transposed, groups": lambda: nn.Conv2dTranspose(4, 4, 3, 2, "pad", 1, group=2),
    "normalisation": lambda: nn.BatchNorm2d(4, eps=1e-2),
    "normalisation of one axis": lambda: nn.SequentialCell(Function(_flat), nn.BatchNorm1d(4)),
}


def _flat(x):
    return x.reshape((x.shape[0], x.shape[1], -1))


@pytest.mark.parametrize("make", CONVOLUTIONS.values(), ids=CONVOLUTIONS.keys())
def test_convolutions(make, tmp_path):
    compare(randomized(make()), tmp_path, atol=1e-4)


POOLINGS = {
    "valid": lambda: nn.MaxPool2d(3, 2, pad_mode="valid"),
    "same": lambda: nn.MaxPool2d(3, 2, pad_mode="same"),
    "padded": lambda: nn.MaxPool2d(3, 2, pad_mode="pad", padding=1),
    "padded, ceil": lambda: nn.MaxPool2d(3, 2, pad_mode="pad", padding=1, ceil_mode=True),
    "average": lambda: nn.AvgPool2d(3, 2, pad_mode="valid"),
    "average, same": lambda: nn.AvgPool2d(3, 2, pad_mode="same"),
    "adaptive": lambda: nn.AdaptiveAvgPool2d(1),
}


@pytest.mark.parametrize("make", POOLINGS.values(), ids=POOLINGS.keys())
def test_poolings(make, tmp_path):
    compare(make(), tmp_path)


def _pooled_twice(x):
    y = x + 1  # the pooling's input is used again behind it
    return ops.interpolate(ops.max_pool2d(y, 2, 2), size=x.shape[2:], mode="bilinear", align_corners=True) + y


def _bilinear(align):
    return lambda x: ops.interpolate(x, size=(9, 31), mode="bilinear", align_corners=align)


def _nearest(x):
    return ops.interpolate(x, size=(24, 51), mode="nearest")


def _doubled(x):
    return ops.interpolate(x, size=(2 * x.shape[2] - 1, x.shape[3] + 1), mode="bilinear", align_corners=True)


def _one_to_many(x):
    return ops.interpolate(x.mean((2, 3), keep_dims=True), size=x.shape[2:], mode="bilinear", align_corners=True)


def _shuffled(x):
    n, c, h, w = x.shape
    return x.reshape((n, 2, c // 2, h, w)).transpose((0, 2, 1, 3, 4)).reshape((n, c, h, w))


def _attention(x):
    n, c, h, w = x.shape
    flat = x.reshape((n, c, h * w))
    relations = ops.softmax(ops.bmm(flat, flat.transpose((0, 2, 1))) / 50, -1)
    return ops.bmm(relations, flat).reshape((n, c, h, w))


def _split(x):
    first, second = ops.split(x, 2, 1)
    return ops.cat((second, first * 2), 1)


def _slice_of_channels(x):
    return x[:, 1:3]


def _every_second_pixel(x):
    return x[:, :, ::2, 1::2]


def _constant_padding(x):
    return ops.pad(x, (1, 2, 0, 3), mode="constant", value=-2.0)


def _mirrored_padding(x):
    return ops.pad(x, (1, 2, 0, 3), mode="reflect")


def _scalars(x):
    return (x * 0.5 + 1) / 3 - 0.25


def _softmax(x):
    return ops.softmax(x, 1)


def _power(x):
    return ops.pow(x, 2.0)


def _largest(x):
    return ops.maximum(x, 0.1)


def _sum(x):
    return x.sum((2, 3))


def _mean(x):
    return x.mean(1, keep_dims=True)


def _new_and_lost_axis(x):
    return ops.squeeze(ops.expand_dims(x, 2) * 2, 2)


def _matrix_product(x):
    return ops.matmul(x, x.transpose((0, 1, 3, 2)))


def _flat_of(x):
    return ops.relu(x).mean((2, 3))


def _minimum(x):
    return ops.minimum(x, 0.3)


def _negative(x):
    return ops.neg(x) - 2


def _root(x):
    return ops.sqrt(ops.exp(x))


def _highest(x):
    return ops.ReduceMax(keep_dims=True)(x, (2, 3))


def _averages(x):
    return ops.ReduceMean()(x, 1)


def _sums(x):
    return ops.ReduceSum()(x, (1, 2))


def _flattened(x):
    return ops.flatten(x.mean((2, 3), keep_dims=True))


def _truncated(x):
    return ops.cast(ops.cast(x * 5, ms.int32), ms.float32)


def _pooled_by_function(x):
    return ops.max_pool2d(x, (3, 2), (2, 1), (1, 0))


def _products(x):
    return x * x / (ops.exp(x) + 1)


def _plain_product(x):
    rows = x[:, :, 0, 0]
    return ops.matmul(rows.transpose((1, 0)), rows)


def _matrix_of_rows(x):
    rows = x[:, :, 0, 0]
    return ops.MatMul(transpose_b=True)(rows, rows * 2)


def _one_column(x):
    return x[:, -1, 2:, 3]


FUNCTIONS = {
    "matrix of rows": _matrix_of_rows,
    "one column": _one_column,
    "products": _products,
    "plain product": _plain_product,
    "smallest": _minimum,
    "negative": _negative,
    "root": _root,
    "highest": _highest,
    "averages": _averages,
    "sums": _sums,
    "flattened": _flattened,
    "cast": _truncated,
    "pooled by a function": _pooled_by_function,
    "bilinear, corners": _bilinear(True),
    "bilinear, halves": _bilinear(False),
    "nearest": _nearest,
    "one pixel to many": _one_to_many,
    "pool and back": _pooled_twice,
    "channel shuffle": _shuffled,
    "attention": _attention,
    "split": _split,
    "slice of channels": _slice_of_channels,
    "every second pixel": _every_second_pixel,
    "constant padding": _constant_padding,
    "mirrored padding": _mirrored_padding,
    "scalars": _scalars,
    "sigmoid": ops.sigmoid,
    "softmax": _softmax,
    "tanh": ops.tanh,
    "exponential": ops.exp,
    "power": _power,
    "largest": _largest,
    "sum": _sum,
    "mean": _mean,
    "new and lost axis": _new_and_lost_axis,
    "matrix product": _matrix_product,
    "flat": _flat_of,
}


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS.keys())
def test_functions(function, tmp_path):
    compare(Function(function), tmp_path)


@pytest.mark.parametrize(
    ("make", "now", "formerly"),
    [
        (lambda: Function(_products), "Div", "RealDiv"),
        (lambda: Function(_averages), "ReduceMean", "MeanExt"),
        (CONVOLUTIONS["transposed, padded"], "Conv2DTranspose", "Conv2DBackpropInput"),
    ],
)
def test_names_of_other_versions(make, now, formerly, tmp_path):
    network = read_mindir(exported(make(), EXPORTS[0], tmp_path))
    nodes = [dataclasses.replace(node, op=formerly if node.op == now else node.op) for node in network.nodes]
    assert formerly in {node.op for node in nodes}
    assert convert(dataclasses.replace(network, nodes=tuple(nodes))).graph.node == convert(network).graph.node


def test_sizes_follow_the_input_where_some_tensor_has_them(tmp_path):
    class Network(nn.Cell):
        def __init__(self):
            super().__init__()
            self.down = nn.Conv2d(4, 4, 3, stride=2, pad_mode="pad", padding=1)

        def construct(self, x):
            small = self.down(x)
            smaller = ops.interpolate(self.down(small), size=small.shape[2:], mode="bilinear", align_corners=True)
            return ops.interpolate(smaller + small, size=x.shape[2:], mode="bilinear", align_corners=True)

    compare(Network(), tmp_path, atol=1e-4)


def test_sizes_that_no_tensor_explains_are_refused(tmp_path):
    first, second = (exported(Function(_doubled), shape, tmp_path) for shape in EXPORTS)
    with pytest.raises(GraphError, match="fixed size"):
        convert(first, variants=[second])


def test_one_export_alone_keeps_its_size_where_sizes_are_in_it(tmp_path):
    free = convert(exported(nn.Conv2d(4, 2, 3, pad_mode="same"), EXPORTS[0], tmp_path))
    bound = convert(exported(Function(_doubled), EXPORTS[1], tmp_path))
    sizes = [[d.dim_param or d.dim_value for d in m.graph.input[0].type.tensor_type.shape.dim] for m in (free, bound)]
    assert sizes == [["batch", 4, "height", "width"], [3, 4, 21, 26]]
    session = onnxruntime.InferenceSession(bound.SerializeToString(), providers=["CPUExecutionProvider"])
    x = np.random.default_rng(1).normal(size=EXPORTS[1]).astype(np.float32)
    np.testing.assert_allclose(
        session.run(None, {session.get_inputs()[0].name: x})[0], _doubled(ms.Tensor(x)).asnumpy(), atol=1e-5
    )


def test_other_networks_are_no_variants(tmp_path):
    first = exported(nn.Conv2d(4, 2, 3), EXPORTS[0], tmp_path)
    second = exported(nn.SequentialCell(nn.Conv2d(4, 2, 3), nn.ReLU()), EXPORTS[1], tmp_path)
    with pytest.raises(GraphError, match="not the same network"):
        convert(first, variants=[second])


def test_operations_that_are_not_known_are_named(tmp_path):
    with pytest.raises(GraphError, match="'Erf'"):
        convert(exported(Function(ops.erf), EXPORTS[0], tmp_path))


def test_training_mode_is_refused(tmp_path):
    cell = nn.BatchNorm2d(4)
    cell.set_train()
    with pytest.raises(GraphError, match="evaluation"):
        convert(exported(cell, EXPORTS[0], tmp_path))


def test_weights_keep_their_names_and_values(tmp_path):
    cell = randomized(nn.SequentialCell(nn.Conv2d(4, 2, 3, has_bias=True), nn.BatchNorm2d(2)))
    cell.set_train(False)
    network = read_mindir(exported(cell, EXPORTS[0], tmp_path))
    assert {p.name for p in network.parameters} == {p.name for p in cell.get_parameters()}
    for parameter in network.parameters:
        np.testing.assert_array_equal(parameter.data, cell.parameters_dict()[parameter.name].asnumpy())


def test_without_weights_they_are_inputs(tmp_path):
    networks = [nn.Conv2d(bands, classes, 3, has_bias=True) for bands, classes in ((4, 2), (5, 3))]
    first, second = (
        exported(cell, (export[0], cell.in_channels, *export[2:]), tmp_path)
        for cell, export in zip(networks, EXPORTS, strict=True)
    )
    model = convert(first, variants=[second], weights=False, output_names=["logits"])
    shapes = {v.name: [d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim] for v in model.graph.input}
    assert next(iter(shapes.values())) == ["batch", "bands", "height", "width"]
    assert shapes["weight"] == ["classes", "bands", 3, 3]
    assert shapes["bias"] == ["classes"]
    assert model.graph.output[0].name == "logits"
    assert "weight" not in {tensor.name for tensor in model.graph.initializer}
