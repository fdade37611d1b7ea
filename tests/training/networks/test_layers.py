"""Layers against values worked out by hand or by plain NumPy."""

from __future__ import annotations

import mindspore as ms
import numpy as np
import pytest
from terraspore.training.networks import layers

pytestmark = pytest.mark.mindspore


def test_stem_pools_differ_by_one_pixel():
    ramp = ms.Tensor(np.arange(64, dtype=np.float32).reshape(1, 1, 8, 8))
    same = layers.stem_max_pool("same")(ramp).asnumpy()[0, 0, 0]
    symmetric = layers.stem_max_pool("symmetric")(ramp).asnumpy()[0, 0, 0]
    assert same.tolist() == [18, 20, 22, 23]
    assert symmetric.tolist() == [9, 11, 13, 15]


def test_pooling_in_halves_keeps_a_last_odd_row():
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
