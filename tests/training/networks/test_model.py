"""Any encoder with any decoder."""

from __future__ import annotations

from itertools import product

import mindspore as ms
import numpy as np
import pytest
from terraspore.engine.errors import ParameterError
from terraspore.training.networks.decoders import DECODERS
from terraspore.training.networks.model import create_segmentation_model

pytestmark = pytest.mark.mindspore


@pytest.mark.parametrize(("decoder", "encoder"), list(product(DECODERS, ["resnet18", "resnet50_deep"])))
def test_any_decoder_on_any_encoder(decoder, encoder):
    network = create_segmentation_model(decoder, encoder, num_classes=3, in_channels=4)
    network.set_train(False)
    image = np.random.default_rng(0).normal(size=(1, 4, 64, 96)).astype(np.float32)
    logits = network(ms.Tensor(image))
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
