"""Layers against values worked out by hand or by plain NumPy."""

from __future__ import annotations

import mindspore as ms
import numpy as np
import pytest
from mindspore import nn
from terraspore.training.networks import create_network, layers
from terraspore.training.networks.layers import SeededDropout, batch_key, bind_dropout, hash_integers, tf_same_conv

pytestmark = pytest.mark.mindspore


def test_stem_pools_differ_by_one_pixel():
    ramp = ms.Tensor(np.arange(64, dtype=np.float32).reshape(1, 1, 8, 8))
    same = layers.stem_max_pool("same")(ramp).asnumpy()[0, 0, 0]
    symmetric = layers.stem_max_pool("symmetric")(ramp).asnumpy()[0, 0, 0]
    assert same.tolist() == [18, 20, 22, 23]
    assert symmetric.tolist() == [9, 11, 13, 15]


def test_halving_max_pool_keeps_a_last_odd_row():
    x = ms.Tensor(np.arange(9, dtype=np.float32).reshape(1, 1, 3, 3))
    assert layers.halving_max_pool()(x).asnumpy()[0, 0].tolist() == [[4, 5], [7, 8]]


def transposed(x: np.ndarray, weight: np.ndarray, stride: int, padding: int, output_padding: int) -> np.ndarray:
    """PyTorch's ConvTranspose2d by its definition: every input value stamps the kernel onto the output."""
    _, height, width = x.shape
    _, channels, kernel, _ = weight.shape
    full = np.zeros(
        (channels, (height - 1) * stride + kernel + output_padding, (width - 1) * stride + kernel + output_padding)
    )
    for row in range(height):
        for column in range(width):
            stamp = np.tensordot(x[:, row, column], weight, axes=(0, 0))
            full[:, row * stride : row * stride + kernel, column * stride : column * stride + kernel] += stamp
    end_row, end_column = full.shape[1] - padding, full.shape[2] - padding
    return full[:, padding:end_row, padding:end_column]


@pytest.mark.parametrize(
    ("make", "kernel", "stride", "padding", "output_padding"),
    [
        (lambda: layers.deconv_double(3, 2, bias=False), 3, 2, 1, 1),
        (lambda: layers.deconv(3, 2, 4, stride=2, padding=1, bias=False), 4, 2, 1, 0),
        (lambda: layers.deconv(3, 2, 3, stride=2, bias=False), 3, 2, 0, 0),
        (lambda: layers.deconv(3, 2, 2, stride=2, bias=False), 2, 2, 0, 0),
        (lambda: layers.deconv(3, 2, 3, stride=1, padding=1, bias=False), 3, 1, 1, 0),
    ],
)
def test_transposed_convolutions_are_pytorchs(make, kernel, stride, padding, output_padding):
    generator = np.random.default_rng(3)
    weight = generator.normal(size=(3, 2, kernel, kernel)).astype(np.float32)
    x = generator.normal(size=(3, 4, 5)).astype(np.float32)
    cell = make()
    cell.weight.set_data(ms.Tensor(weight))
    result = cell(ms.Tensor(x[None])).asnumpy()[0]
    np.testing.assert_allclose(result, transposed(x, weight, stride, padding, output_padding), atol=1e-5)


def test_dilated_convolution_of_one_dimension_keeps_the_size():
    cell = layers.same_conv(1, 1, (3, 1), dilation=2)
    cell.weight.set_data(ms.Tensor(np.array([1, 10, 100], np.float32).reshape(1, 1, 3, 1)))
    column = ms.Tensor(np.arange(1, 6, dtype=np.float32).reshape(1, 1, 5, 1))
    assert cell(column).asnumpy().ravel().tolist() == [310, 420, 531, 42, 53]


def test_resize_keeps_corners():
    x = ms.Tensor(np.array([[0, 3]], np.float32).reshape(1, 1, 1, 2))
    assert layers.resize(x, (1, 4)).asnumpy().ravel().tolist() == pytest.approx([0, 1, 2, 3])


def test_one_dimensional_convolution_has_the_documented_shape():
    assert layers.conv1d(5, 7).weight.shape == (7, 5, 1, 1)


def bind_layers(*cells: SeededDropout) -> tuple[nn.SequentialCell, ms.Parameter]:
    network = nn.SequentialCell(*cells)
    network.set_train(True)
    key = bind_dropout(network)
    assert key is not None
    return network, key


def apply_dropout(cell: nn.Cell, key: ms.Parameter, number: int, x: np.ndarray) -> np.ndarray:
    ms.ops.assign(key, ms.Tensor(number, ms.int64))
    return cell(ms.Tensor(x)).asnumpy()


def test_the_hash_is_the_published_one() -> None:
    def reference(x: int) -> int:
        for _ in range(2):
            x = ((x ^ (x >> 16)) * 0x45D9F3B) % 2**32
        return x ^ (x >> 16)

    values = [0, 1, 2, 12345, 2**31, 2**32 - 1]
    assert hash_integers(ms.Tensor(values, ms.int64)).asnumpy().tolist() == [reference(value) for value in values]


@pytest.mark.parametrize("probability", [0.03, 0.3, 0.7])
def test_share_and_scale_of_remaining_elements(probability: float) -> None:
    network, key = bind_layers(SeededDropout(probability, "element"))
    y = apply_dropout(network, key, batch_key(1, 2, 0), np.ones((4, 16, 32, 32), np.float32))
    assert (y > 0).mean() == pytest.approx(1 - probability, abs=0.01)  # five standard deviations of 65536 draws
    assert np.unique(y) == pytest.approx([0, 1 / (1 - probability)])
    # Neighbours along every axis are independent of each other.
    mask = y > 0
    for axis in range(4):
        both = (mask & np.roll(mask, 1, axis)).mean()
        assert both == pytest.approx((1 - probability) ** 2, abs=0.012)


def test_whole_channels_are_dropped_and_their_gradient_too() -> None:
    network, key = bind_layers(SeededDropout(0.5, "channel"))
    x = np.random.default_rng(0).uniform(1, 2, (8, 32, 3, 5)).astype(np.float32)
    y = apply_dropout(network, key, 7, x)
    mask = (y != 0).all((2, 3))
    assert ((y == 0).all((2, 3)) | mask).all()
    assert np.array_equal(y[mask], 2 * x[mask])
    assert 80 < mask.sum() < 176
    gradient = ms.grad(network)(ms.Tensor(x)).asnumpy()
    assert np.array_equal(gradient, np.where(mask[:, :, None, None], np.float32(2), np.float32(0)) * np.ones_like(x))


def test_whole_samples_are_dropped() -> None:
    network, key = bind_layers(SeededDropout(0.25, "sample"))
    x = np.random.default_rng(0).uniform(1, 2, (256, 2, 3, 5)).astype(np.float32)
    y = apply_dropout(network, key, 7, x)
    mask = (y != 0).all((1, 2, 3))
    assert ((y == 0).all((1, 2, 3)) | mask).all()
    assert y[mask] == pytest.approx(x[mask] / 0.75)
    assert mask.mean() == pytest.approx(0.75, abs=0.1)


def test_masks_follow_from_key_and_layer() -> None:
    one, two = SeededDropout(0.5, "element"), SeededDropout(0.5, "element")
    _, key = bind_layers(one, two)
    x = np.ones((2, 8, 16, 16), np.float32)
    first = apply_dropout(one, key, batch_key(5, 0, 0), x)
    others = [apply_dropout(one, key, batch_key(*numbers), x) for numbers in ((5, 1, 0), (5, 0, 1), (6, 0, 0))]
    others.append(apply_dropout(two, key, batch_key(5, 0, 0), x))
    for other in others:
        assert abs(np.corrcoef(first.ravel() > 0, other.ravel() > 0)[0, 1]) < 0.08
    assert np.array_equal(apply_dropout(one, key, batch_key(5, 0, 0), x), first)


@pytest.mark.parametrize(
    ("name", "count"), [("lednet", 13), ("dgcnet50", 1), ("deeplabv3_resnet50", 1), ("linknet", 0)]
)
def test_all_dropout_of_a_network_follows_from_the_key(name: str, count: int) -> None:
    network = create_network(name, num_classes=2)
    key = bind_dropout(network)
    cells = [cell for _, cell in network.cells_and_names()]
    dropouts = [cell for cell in cells if isinstance(cell, SeededDropout)]
    assert [layer.number for layer in dropouts] == list(range(count))
    assert all(layer.key is key for layer in dropouts)
    assert not any(isinstance(cell, nn.Dropout | nn.Dropout1d | nn.Dropout2d | nn.Dropout3d) for cell in cells)
    assert "dropout_key" not in [parameter.name for parameter in network.get_parameters()]


def test_compiled_code_takes_a_new_key() -> None:
    network, key = bind_layers(SeededDropout(0.5, "element"))
    x = np.ones((1, 4, 8, 8), np.float32)
    compiled = ms.jit(network)
    first, second = apply_dropout(compiled, key, 1, x), apply_dropout(compiled, key, 2, x)
    assert not np.array_equal(first, second)
    assert np.array_equal(apply_dropout(compiled, key, 1, x), first)
    assert np.array_equal(apply_dropout(network, key, 2, x), second)


def test_nothing_is_dropped_in_evaluation_and_nothing_is_stored() -> None:
    network, key = bind_layers(SeededDropout(0.9, "channel"))
    network.set_train(False)
    x = np.ones((1, 4, 2, 2), np.float32)
    assert np.array_equal(apply_dropout(network, key, 3, x), x)
    assert list(network.get_parameters()) == []
    assert bind_dropout(nn.SequentialCell(nn.ReLU())) is None
    for unit in ("element", "channel", "sample"):
        alone = SeededDropout(0.5, unit)
        alone.set_train(True)
        y = alone(ms.Tensor(np.ones((64, 2, 2, 2), np.float32))).asnumpy()
        assert np.unique(y).tolist() == [0, 2]
        assert {"element": True, "channel": False, "sample": False}[unit] == bool(np.ptp(y, axis=(2, 3)).any())
        assert (unit == "sample") == (not np.ptp(y, axis=(1, 2, 3)).any())


@pytest.mark.parametrize(("size", "kernel", "stride"), [(8, 3, 2), (7, 3, 2), (8, 5, 2), (9, 5, 2), (6, 5, 1)])
def test_tensorflow_pads_the_smaller_half_first(size, kernel, stride):
    cell = tf_same_conv(2, 2, kernel, stride=stride, groups=2)
    x = np.random.default_rng(size).normal(size=(1, 2, size, size)).astype(np.float32)
    count = -(-size // stride)
    total = max((count - 1) * stride + kernel - size, 0)
    padded = np.pad(x, ((0, 0), (0, 0), *[(total // 2, total - total // 2)] * 2))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (kernel, kernel), (2, 3))[:, :, ::stride, ::stride]
    wanted = np.einsum("nchwij,cij->nchw", windows, cell.weight.asnumpy()[:, 0])
    assert wanted.shape[2] == count
    np.testing.assert_allclose(cell(ms.Tensor(x)).asnumpy(), wanted, atol=1e-5)
