"""Every decoder against its row of the table, and parts of them against formulas in plain NumPy."""

from __future__ import annotations

import mindspore as ms
import numpy as np
import pytest
from mindspore import nn
from terraspore.training.networks.decoders import DECODERS, create_decoder
from terraspore.training.networks.decoders.aspp import ASPPPooling
from terraspore.training.networks.decoders.dlinknet import DilatedCenter
from terraspore.training.networks.decoders.dual_graph import CoordinateGraph, DualGraph
from terraspore.training.networks.encoders import create_encoder
from terraspore.training.networks.options import NetworkOptions

pytestmark = pytest.mark.mindspore


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)


def pointwise(x: np.ndarray, cell: nn.Cell) -> np.ndarray:
    """A 1x1 convolution on (channels, positions)."""
    weight = cell.weight.asnumpy()
    y = weight.reshape(weight.shape[0], -1) @ x
    return y + cell.bias.asnumpy()[:, None] if cell.has_bias else y


def normalised(x: np.ndarray, cell: nn.Cell) -> np.ndarray:
    """Batch normalisation on (channels, positions) with moving statistics."""
    gamma, beta, mean, variance = (
        getattr(cell, name).asnumpy()[:, None] for name in ("gamma", "beta", "moving_mean", "moving_variance")
    )
    return (x - mean) / np.sqrt(variance + 1e-5) * gamma + beta


def with_statistics(cell: nn.Cell) -> nn.Cell:
    """The cell in evaluation mode, its normalisations and biases with random values."""
    generator = np.random.default_rng(9)
    for parameter in cell.get_parameters():
        if parameter.name.endswith(("gamma", "moving_variance")):
            parameter.set_data(ms.Tensor(generator.uniform(0.5, 2, parameter.shape).astype(np.float32)))
        elif parameter.name.endswith(("beta", "moving_mean", "bias")):
            parameter.set_data(ms.Tensor(generator.normal(0, 0.5, parameter.shape).astype(np.float32)))
    cell.set_train(False)
    return cell


class RecordedOptions:
    """Options that record which of them were read."""

    def __init__(self):
        self.read = set()

    def __getattr__(self, name):
        self.read.add(name)
        return getattr(NetworkOptions, name)


@pytest.mark.parametrize(("name", "spec"), DECODERS.items())
def test_every_decoder_has_what_its_row_says(name, spec):
    options = RecordedOptions()
    decoder = create_decoder(name, create_encoder("resnet18", NetworkOptions()), options)
    assert options.read == {*spec.options, *spec.choices} - {"output_stride"}
    assert set(spec.light_defaults) <= set(spec.options)
    assert (decoder.create_auxiliary_head(2) is not None) == spec.has_auxiliary_head


@pytest.mark.parametrize(("count", "factor"), [(4, 5), (5, 6)])
def test_dilated_center_adds_every_result_to_its_input(count, factor):
    block = DilatedCenter(2, count=count)
    for parameter in block.get_parameters():
        weight = np.zeros(parameter.shape, np.float32)
        if weight.ndim == 4:
            weight[0, 0, 1, 1] = weight[1, 1, 1, 1] = 1  # passes each channel through
        parameter.set_data(ms.Tensor(weight))
    x = numbers(1, 2, 5, 5)
    np.testing.assert_allclose(block(ms.Tensor(x)).asnumpy(), np.where(x > 0, factor * x, x), rtol=1e-6)


def test_dilations_double():
    block = DilatedCenter(1, count=5)
    dilations = [getattr(block, f"dilate{i}").dilation for i in range(1, 6)]
    assert [d if isinstance(d, int) else d[-1] for d in dilations] == [1, 2, 4, 8, 16]


def test_coordinate_graph_is_the_published_formula():
    cell = with_statistics(CoordinateGraph(6))
    x = numbers(1, 6, 2, 4)
    flat = x.reshape(6, 8)
    key, value, query = (pointwise(flat, c) for c in (cell.node_k, cell.node_v, cell.node_q))
    powers = np.exp(query @ value.T)
    relations = powers / powers.sum(axis=-1, keepdims=True)
    mixed = normalised(pointwise((key.T @ relations).T, cell.conv_wg), cell.bn_wg)
    wanted = np.maximum(flat + normalised(pointwise(mixed, cell.out[0]), cell.out[1]), 0)
    np.testing.assert_allclose(cell(ms.Tensor(x)).asnumpy().reshape(6, 8), wanted, rtol=1e-4, atol=1e-5)


def test_feature_graph_is_the_published_formula():
    cell = with_statistics(DualGraph(8))
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
    cell = with_statistics(ASPPPooling(3, 4))
    x = numbers(1, 3, 5, 7)
    mean = x.mean(axis=(2, 3)).reshape(3, 1)
    wanted = np.maximum(normalised(pointwise(mean, cell.conv[0]), cell.conv[1]), 0)
    result = cell(ms.Tensor(x)).asnumpy()
    assert result.shape == (1, 4, 5, 7)
    np.testing.assert_allclose(result[0].reshape(4, 35), np.repeat(wanted, 35, axis=1), rtol=1e-4, atol=1e-6)
