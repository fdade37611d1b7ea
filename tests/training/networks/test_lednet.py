"""Parts of LEDNet against plain NumPy."""

from __future__ import annotations

import mindspore as ms
import numpy as np
import pytest
from terraspore.training.networks.lednet import Downsampler, shuffle

pytestmark = pytest.mark.mindspore


def test_shuffle_interleaves_the_halves_of_the_channels():
    x = np.arange(6, dtype=np.float32).reshape(1, 6, 1, 1)
    assert shuffle(ms.Tensor(x)).asnumpy().ravel().tolist() == [0, 3, 1, 4, 2, 5]


def test_downsampler_puts_the_pooling_behind_the_convolution():
    cell = Downsampler(2, 5)
    cell.set_train(False)
    x = np.abs(np.random.default_rng(13).normal(size=(1, 2, 4, 6)).astype(np.float32))
    pooled = x.reshape(1, 2, 2, 2, 3, 2).max(axis=(3, 5)) / np.sqrt(1 + 1e-3)
    result = cell(ms.Tensor(x)).asnumpy()
    assert result.shape == (1, 5, 2, 3)
    np.testing.assert_allclose(result[:, 3:], pooled, rtol=1e-5)
    assert cell(ms.Tensor(np.zeros((1, 2, 5, 7), np.float32))).shape == (1, 5, 3, 4)
