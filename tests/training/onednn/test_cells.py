"""Layers with our convolutions against definitions in NumPy, MindSpore's own layers, and themselves."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from itertools import product
from pathlib import Path

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, nn, ops
from numpy.typing import NDArray
from terraspore.engine.errors import RuntimeUnavailableError
from terraspore.training.networks import create_network
from terraspore.training.networks.layers import conv, conv1d, deconv, deconv_double, max_pool, same_conv, tf_same_conv
from terraspore.training.onednn.cells import replace_convolutions, replace_pooling
from terraspore.training.onednn.library import OperatorLibrary, load_library

pytestmark = pytest.mark.mindspore
Array = NDArray[np.float64]
Gradients = Callable[[Array], list[Array]]

LAYERS = {
    "3x3": lambda: conv(8, 16, 3, padding=1, bias=True),
    "stride": lambda: conv(3, 8, 7, stride=2, padding=3),
    "1x1 of stride 2": lambda: conv(8, 24, 1, stride=2),
    "without padding": lambda: conv(8, 8, (1, 5), bias=True),
    "dilated rows": lambda: same_conv(16, 16, (3, 1), dilation=5, bias=True),
    "dilation": lambda: conv(16, 32, 3, padding=8, dilation=8, bias=True),
    "even kernel": lambda: conv(8, 8, 2, padding=1, bias=True),
    "groups": lambda: conv(16, 16, 3, padding=1, groups=4),
    "depthwise": lambda: conv(16, 16, 3, stride=2, padding=1, groups=16),
    "same": lambda: tf_same_conv(8, 16, 3, stride=2),
    "same, depthwise": lambda: tf_same_conv(24, 24, 5, stride=2, groups=24),
    "one channel": lambda: conv(1, 1, (5, 1), stride=(2, 1), padding=(2, 0), bias=True),
    "transposed, doubling": lambda: deconv_double(16, 8),
    "transposed": lambda: deconv(16, 8, 4, stride=2, padding=1),
    "transposed, unpadded": lambda: deconv(8, 4, 3, stride=2, bias=False),
}


@pytest.fixture(scope="module")
def library() -> OperatorLibrary:
    try:
        return load_library(2)
    except RuntimeUnavailableError as error:
        if "compiler" not in str(error):
            raise
        pytest.skip("There is no C++ compiler.")


def make_gradients(layer: nn.Cell, factor: Array | None = None, *, compiled: bool = False) -> Gradients:
    """Function of x: output of a layer, and gradients of sum(output * factor) by x and by the parameters."""

    def total(image: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        y = layer(image)
        return (y * weights).sum(), y

    derive = ms.value_and_grad(total, 0, layer.trainable_params(), has_aux=True)
    function = ms.jit(derive) if compiled else derive

    def gradients(x: Array) -> list[Array]:
        image = Tensor(x, ms.float32)
        weights = (
            Tensor(1.0, ms.float32) if factor is None else Tensor(np.resize(factor, layer(image).shape), ms.float32)
        )
        (_, y), (dx, parameters) = function(image, weights)
        return [value.asnumpy().astype(np.float64) for value in (y, dx, *parameters)]

    return gradients


def differences(got: list[Array], want: list[Array]) -> list[float]:
    """Largest difference of each array, in units of the largest value."""
    assert [value.shape for value in got] == [value.shape for value in want]
    return [float(np.abs(a - b).max() / max(np.abs(b).max(), 1e-30)) for a, b in zip(got, want, strict=True)]


def define(layer: nn.Cell, x: Array, factor: Array) -> list[Array]:
    """Output and gradients of a layer as ``make_gradients`` gives them, by definition and in float64."""
    w, stride, dilation, groups = layer.weight.asnumpy().astype(np.float64), layer.stride, layer.dilation, layer.group
    transposed = isinstance(layer, nn.Conv2dTranspose)
    wide, kernel = np.array(x.shape[2:]), layer.kernel_size
    reach = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
    pads = np.zeros((2, 2), int)
    if layer.pad_mode == "pad":
        pads[:] = np.resize(layer.padding, 4).reshape(2, 2)
    if transposed:
        full = (wide - 1) * stride + reach
        narrow, wide = wide, full - pads.sum(1)
    elif layer.pad_mode == "same":
        narrow = -(-wide // stride)
        total = np.maximum((narrow - 1) * stride + reach - wide, 0)
        pads = np.stack((total // 2, total - total // 2), 1)
    else:
        narrow = (wide + pads.sum(1) - reach) // stride + 1
    batch, inside, outside = len(x), w.shape[1] * groups, w.shape[0]
    dense = np.zeros((outside, inside, *kernel))  # the weight with zeros between the groups
    for group in range(groups):
        rows, columns = (slice(group * n // groups, (group + 1) * n // groups) for n in (outside, inside))
        dense[rows, columns] = w[rows]

    def each_tap(padded: Array):
        """Kernel positions with the view of the padded wide side that they touch."""
        for i, j in product(*map(range, kernel)):
            top, left = i * dilation[0], j * dilation[1]
            rows = slice(top, top + (narrow[0] - 1) * stride[0] + 1, stride[0])
            yield i, j, padded[:, :, rows, left : left + (narrow[1] - 1) * stride[1] + 1 : stride[1]]

    def correlate(image: Array) -> Array:
        padded = np.pad(image, ((0, 0), (0, 0), *map(tuple, pads)))
        return sum(np.einsum("oc,nchw->nohw", dense[:, :, i, j], view) for i, j, view in each_tap(padded))

    def spread(values: Array) -> Array:
        padded = np.zeros((batch, inside, *(wide + pads.sum(1))))
        for i, j, view in each_tap(padded):
            view += np.einsum("oc,nohw->nchw", dense[:, :, i, j], values)
        return padded[:, :, pads[0, 0] : pads[0, 0] + wide[0], pads[1, 0] : pads[1, 0] + wide[1]]

    y = spread(x) if transposed else correlate(x)
    dy = np.resize(factor, y.shape)
    dx = correlate(dy) if transposed else spread(dy)
    image, values = (dy, x) if transposed else (x, dy)
    padded = np.pad(image, ((0, 0), (0, 0), *map(tuple, pads)))
    dense_gradient = np.zeros_like(dense)
    for i, j, view in each_tap(padded):
        dense_gradient[:, :, i, j] = np.einsum("nohw,nchw->oc", values, view)
    size = inside // groups
    dw = np.concatenate(
        [
            dense_gradient[g * outside // groups : (g + 1) * outside // groups, g * size : (g + 1) * size]
            for g in range(groups)
        ]
    )
    if layer.bias is None:
        return [y, dx, dw]
    return [y + layer.bias.asnumpy().astype(np.float64).reshape(1, -1, 1, 1), dx, dw, dy.sum((0, 2, 3))]


def compare_with_definition(name: str, library: Path, *, in_bfloat16: bool) -> list[float]:
    rng = np.random.default_rng(3)
    layer = LAYERS[name]()
    x = rng.normal(size=(3, layer.in_channels, 21, 26)).astype(np.float32).astype(np.float64)
    factor = rng.normal(size=4001).astype(np.float32).astype(np.float64)
    assert replace_convolutions(layer, library, in_bfloat16=in_bfloat16) == 1
    return differences(make_gradients(layer, factor)(x), define(layer, x, factor))


@pytest.mark.parametrize("name", LAYERS)
def test_layer_and_its_gradients_follow_the_definition(name: str, library: OperatorLibrary) -> None:
    assert max(compare_with_definition(name, library.path, in_bfloat16=False)) < 2e-6


def test_layers_follow_the_definition_with_all_instructions_and_in_bfloat16(library: OperatorLibrary) -> None:
    # In a process of its own, because oneDNN's limit can be lifted only before it computes anything.
    environment = {key: value for key, value in os.environ.items() if key != "ONEDNN_MAX_CPU_ISA"}
    command = [sys.executable, __file__]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=400, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["limit"] == "AVX2"
    assert max(found["float32"].values()) < 4e-6  # a single bias is a sum of positive and negative values
    assert found["bfloat16"].keys() == (LAYERS.keys() if found["has_bfloat16"] else set())
    # A product of two rounded numbers is off by up to 2**-7 of itself; errors of a sum are independent.
    assert all(1e-5 < value < 2e-2 for value in found["bfloat16"].values())


@pytest.mark.parametrize("name", ["groups", "transposed, doubling"])
def test_compiled_layer_gives_the_same(name: str, library: OperatorLibrary) -> None:
    layer = LAYERS[name]()
    replace_convolutions(layer, library.path, in_bfloat16=False)
    x = np.random.default_rng(0).normal(size=(2, 16, 9, 9))
    for plain, compiled in zip(make_gradients(layer)(x), make_gradients(layer, compiled=True)(x), strict=True):
        np.testing.assert_array_equal(plain, compiled)


def test_one_dimensional_convolution(library: OperatorLibrary) -> None:
    layer = conv1d(8, 6)
    x = np.random.default_rng(0).normal(size=(2, 8, 30))
    want = make_gradients(layer)(x)
    assert replace_convolutions(layer, library.path, in_bfloat16=False) == 1
    assert max(differences(make_gradients(layer)(x), want)) < 2e-6


def test_network_and_its_gradients_are_those_of_mindspore_and_repeat_to_the_bit(library: OperatorLibrary) -> None:
    ms.set_seed(0)
    network = create_network("linknet", num_classes=2)
    network.set_train(False)
    x = np.random.default_rng(0).normal(size=(2, 3, 64, 64))
    names = [parameter.name for parameter in network.get_parameters()]
    want = make_gradients(network)(x)
    convolutions = sum(isinstance(cell, nn.Conv2d | nn.Conv2dTranspose) for _, cell in network.cells_and_names())
    assert replace_convolutions(network, library.path, in_bfloat16=False) == convolutions
    assert [parameter.name for parameter in network.get_parameters()] == names
    gradients = make_gradients(network, compiled=True)
    got = gradients(x)
    assert differences(got[:1], want[:1])[0] < 1e-5
    norms = [np.sqrt(sum(float((value**2).sum()) for value in values[2:])) for values in (got, want)]
    assert norms[0] == pytest.approx(norms[1], rel=1e-5)
    for one, other in zip(got, gradients(x), strict=True):
        np.testing.assert_array_equal(one, other)


def test_images_of_another_size_and_batch_follow(library: OperatorLibrary) -> None:
    layer = LAYERS["3x3"]()
    want = [layer(ops.ones((batch, 8, size, size + 3))).asnumpy() for batch, size in ((1, 9), (5, 40), (1, 9))]
    replace_convolutions(layer, library.path, in_bfloat16=False)
    got = [layer(ops.ones((batch, 8, size, size + 3))).asnumpy() for batch, size in ((1, 9), (5, 40), (1, 9))]
    for one, other in zip(got, want, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-5)


@pytest.mark.parametrize("ceil", [False, True])
@pytest.mark.parametrize("size", [(8, 9), (11, 14)])
@pytest.mark.parametrize(("kernel", "stride", "padding"), [(3, 2, 1), (2, 2, 1), (3, 3, 0)])
def test_padded_pooling_is_that_of_mindspore(
    kernel: int, stride: int, padding: int, size: tuple[int, int], ceil: bool, library: OperatorLibrary
) -> None:
    layer = max_pool(kernel, stride=stride, padding=padding, ceil=ceil)
    rng = np.random.default_rng(1)
    x, factor = rng.normal(size=(2, 3, *size)), rng.normal(size=101)
    want = make_gradients(layer, factor)(x)
    assert replace_pooling(layer, library.path) == int(padding > 0 or ceil)
    for got in make_gradients(layer, factor)(x), make_gradients(layer, factor, compiled=True)(x):
        for one, other in zip(got, want, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-6)


def test_input_smaller_than_the_kernel_is_refused(library: OperatorLibrary) -> None:
    layer = LAYERS["without padding"]()
    replace_convolutions(layer, library.path, in_bfloat16=False)
    with pytest.raises(ValueError, match="smaller than the kernel"):
        layer(ops.ones((1, 8, 9, 4)))


@pytest.mark.parametrize("name", ["groups", "transposed"])
def test_input_of_other_channels_is_refused(name: str, library: OperatorLibrary) -> None:
    layer = LAYERS[name]()
    replace_convolutions(layer, library.path, in_bfloat16=False)
    with pytest.raises(ValueError, match="input of 5 channels does not fit a convolution of 16 channels"):
        layer(ops.ones((1, 5, 9, 9)))


@pytest.mark.parametrize("kind", [ms.float16, ms.float64])
def test_input_of_another_type_is_refused(kind: ms.Type, library: OperatorLibrary) -> None:
    layer = LAYERS["3x3"]()
    replace_convolutions(layer, library.path, in_bfloat16=False)
    with pytest.raises(TypeError, match=f"float32, not {kind}.*train.convolution=mindspore"):
        layer(ops.ones((1, 8, 9, 9), kind))


if __name__ == "__main__":
    ms.set_context(mode=ms.PYNATIVE_MODE, device_target="CPU")
    operators = load_library(2)
    print(
        json.dumps(
            {
                "limit": os.environ["ONEDNN_MAX_CPU_ISA"],
                "has_bfloat16": operators.has_bfloat16,
                "float32": {n: max(compare_with_definition(n, operators.path, in_bfloat16=False)) for n in LAYERS},
                "bfloat16": {
                    n: max(compare_with_definition(n, operators.path, in_bfloat16=True))
                    for n in LAYERS
                    if operators.has_bfloat16
                },
            }
        )
    )
