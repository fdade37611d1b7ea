"""Blocks of the networks against formulas in plain NumPy."""

from __future__ import annotations

import mindspore as ms
import numpy as np
import pytest
from mindspore import nn
from terraspore.training.networks.anysize import AnySize
from terraspore.training.networks.decoders import DilationBlock
from terraspore.training.networks.deeplabv3 import PyramidPooling
from terraspore.training.networks.dgcnet import CoordinateGraph, DualGraph
from terraspore.training.networks.lednet import Downsampler, shuffle

pytestmark = pytest.mark.mindspore


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)


def pointwise(x: np.ndarray, cell: nn.Cell) -> np.ndarray:
    """A 1x1 convolution on (channels, places)."""
    weight = cell.weight.asnumpy()
    y = weight.reshape(weight.shape[0], -1) @ x
    return y + cell.bias.asnumpy()[:, None] if cell.has_bias else y


def normalised(x: np.ndarray, cell: nn.Cell) -> np.ndarray:
    """Batch normalisation on (channels, places) with moving statistics."""
    gamma, beta, mean, variance = (
        getattr(cell, name).asnumpy()[:, None] for name in ("gamma", "beta", "moving_mean", "moving_variance")
    )
    return (x - mean) / np.sqrt(variance + 1e-5) * gamma + beta


def unsettled(cell: nn.Cell) -> nn.Cell:
    """The cell in evaluation mode, its normalisations with something to do."""
    generator = np.random.default_rng(9)
    for parameter in cell.get_parameters():
        if parameter.name.endswith(("gamma", "moving_variance")):
            parameter.set_data(ms.Tensor(generator.uniform(0.5, 2, parameter.shape).astype(np.float32)))
        elif parameter.name.endswith(("beta", "moving_mean", "bias")):
            parameter.set_data(ms.Tensor(generator.normal(0, 0.5, parameter.shape).astype(np.float32)))
    cell.set_train(False)
    return cell


@pytest.mark.parametrize(("links", "factor"), [(4, 5), (5, 6)])
def test_dilation_block_adds_every_link_to_its_input(links, factor):
    block = DilationBlock(2, links=links)
    for parameter in block.get_parameters():
        weight = np.zeros(parameter.shape, np.float32)
        if weight.ndim == 4:
            weight[0, 0, 1, 1] = weight[1, 1, 1, 1] = 1  # passes each channel through
        parameter.set_data(ms.Tensor(weight))
    x = numbers(1, 2, 5, 5)
    np.testing.assert_allclose(block(ms.Tensor(x)).asnumpy(), np.where(x > 0, factor * x, x), rtol=1e-6)


def test_dilations_double():
    block = DilationBlock(1, links=5)
    dilations = [getattr(block, f"dilate{i}").dilation for i in range(1, 6)]
    assert [d if isinstance(d, int) else d[-1] for d in dilations] == [1, 2, 4, 8, 16]


def test_shuffle_interleaves_the_halves_of_the_channels():
    x = np.arange(6, dtype=np.float32).reshape(1, 6, 1, 1)
    assert shuffle(ms.Tensor(x)).asnumpy().ravel().tolist() == [0, 3, 1, 4, 2, 5]


def test_downsampler_puts_the_pooling_behind_the_convolution():
    cell = Downsampler(2, 5)
    cell.set_train(False)
    x = np.abs(numbers(1, 2, 4, 6))
    pooled = x.reshape(1, 2, 2, 2, 3, 2).max(axis=(3, 5)) / np.sqrt(1 + 1e-3)
    result = cell(ms.Tensor(x)).asnumpy()
    assert result.shape == (1, 5, 2, 3)
    np.testing.assert_allclose(result[:, 3:], pooled, rtol=1e-5)
    assert cell(ms.Tensor(numbers(1, 2, 5, 7))).shape == (1, 5, 3, 4)


def test_coordinate_graph_is_the_published_formula():
    cell = unsettled(CoordinateGraph(6))
    x = numbers(1, 6, 2, 4)
    flat = x.reshape(6, 8)
    key, value, query = (pointwise(flat, c) for c in (cell.node_k, cell.node_v, cell.node_q))
    powers = np.exp(query @ value.T)
    relations = powers / powers.sum(axis=-1, keepdims=True)
    mixed = normalised(pointwise((key.T @ relations).T, cell.conv_wg), cell.bn_wg)
    wanted = np.maximum(flat + normalised(pointwise(mixed, cell.out[0]), cell.out[1]), 0)
    np.testing.assert_allclose(cell(ms.Tensor(x)).asnumpy().reshape(6, 8), wanted, rtol=1e-4, atol=1e-5)


def test_feature_graph_is_the_published_formula():
    cell = unsettled(DualGraph(8))
    x = numbers(1, 8, 3, 2)
    flat = x.reshape(8, 6)
    phi = normalised(pointwise(flat, cell.phi), cell.bn_phi)
    theta = normalised(pointwise(flat, cell.theta), cell.bn_theta)
    nodes = phi @ theta.T
    states = nodes + normalised(pointwise(nodes.T, cell.conv_adj), cell.bn_adj).T
    states = normalised(pointwise(states, cell.conv_wg), cell.bn_wg)
    wanted = np.maximum(flat + normalised(pointwise(states @ theta, cell.conv3), cell.bn3), 0)
    np.testing.assert_allclose(cell.features(ms.Tensor(x)).asnumpy().reshape(8, 6), wanted, rtol=1e-4, atol=1e-5)


def test_pooling_of_the_pyramid_is_the_same_everywhere():
    cell = unsettled(PyramidPooling(3, 4))
    x = numbers(1, 3, 5, 7)
    mean = x.mean(axis=(2, 3)).reshape(3, 1)
    wanted = np.maximum(normalised(pointwise(mean, cell.conv[0]), cell.conv[1]), 0)
    result = cell(ms.Tensor(x)).asnumpy()
    assert result.shape == (1, 4, 5, 7)
    np.testing.assert_allclose(result[0].reshape(4, 35), np.repeat(wanted, 35, axis=1), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("size", [(8, 8), (13, 10), (3, 2)])
def test_any_size_mirrors_and_crops(size):
    cell = AnySize(nn.AvgPool2d(1, 1), 8)  # passes the picture through
    x = numbers(1, 3, *size)
    np.testing.assert_array_equal(cell(ms.Tensor(x)).asnumpy(), x)
