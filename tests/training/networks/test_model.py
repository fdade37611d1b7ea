"""Any encoder with any decoder, and images of any size."""

from __future__ import annotations

from itertools import product

import mindspore as ms
import numpy as np
import pytest
from mindspore import nn
from terraspore.engine.errors import ParameterError
from terraspore.training.networks.decoders import DECODERS
from terraspore.training.networks.model import PadToMultiple, create_segmentation_model

pytestmark = pytest.mark.mindspore


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize(("decoder", "encoder"), list(product(DECODERS, ["resnet18", "resnet50_deep"])))
def test_any_decoder_on_any_encoder(decoder, encoder):
    network = create_segmentation_model(decoder, encoder, num_classes=3, in_channels=4)
    network.set_train(False)
    logits = network(ms.Tensor(noise(1, 4, 64, 96)))
    assert logits.shape == (1, 3, 64, 96)
    assert np.isfinite(logits.asnumpy()).all()
    assert {name.partition(".")[0] for name in (p.name for p in network.get_parameters())} <= {
        "encoder",
        "decoder",
        "head",
        "auxiliary_head",
    }


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("unet", "resnet34"), "decoder named"),
        (("dlinknet", "vgg"), "encoder named"),
        (("dlinknet", "resnet34", 8), "output stride 32, not 8"),
        (("deeplabv3", "resnet34", 4), "8 or 16 or 32, not 4"),
    ],
)
def test_pairs_that_do_not_exist_are_refused(arguments, part):
    decoder, encoder, *stride = arguments
    with pytest.raises(ParameterError, match=part):
        create_segmentation_model(decoder, encoder, num_classes=1, output_stride=stride[0] if stride else None)


@pytest.mark.parametrize("size", [(8, 8), (13, 10), (3, 2)])
def test_padding_mirrors_and_crops(size):
    cell = PadToMultiple(nn.AvgPool2d(1, 1), 8)  # passes the image through
    x = noise(1, 3, *size)
    np.testing.assert_array_equal(cell(ms.Tensor(x)).asnumpy(), x)
