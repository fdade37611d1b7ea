"""Converted weights compute and train as in PyTorch, whose values ``make_parity.py`` stored (docs/networks.md)."""

from __future__ import annotations

from pathlib import Path

import mindspore as ms
import numpy as np
import pytest

from .parity import VALUES, compare, create_converted
from .parity_cases import CASES, make_image

pytestmark = pytest.mark.mindspore

PAGE = Path(__file__).parents[3] / "docs" / "networks.md"
#: Networks with batch norms over few values, whose steps enlarge rounding.
UNSTEADY = ("lednet", "dgcnet50", "deeplabv3_resnet50", "deeplabv3plus_resnet50")


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_logits_losses_and_gradients_are_those_of_pytorch(name):
    found = compare(name)
    assert found.logits < 5e-5
    assert found.losses[0] < 2e-6
    assert found.losses.max() < (2e-4 if name in UNSTEADY else 5e-6)
    assert found.norms[0] < 2e-3
    assert found.norms.max() < 2e-2
    assert found.trained < 5e-3
    assert f"| `{name}` |" in PAGE.read_text("utf-8")


def test_lednets_former_epsilon_gives_other_logits():
    with np.load(VALUES) as file:
        shapes, wanted = list(file["lednet.shapes"]), file["lednet.logits"]
    former = create_converted("lednet", shapes, CASES["lednet"].classes, pyramid_eps=1e-5)
    logits = former(ms.Tensor(make_image(CASES["lednet"].size))).asnumpy()[:, :, ::4, ::4]
    assert np.abs(logits - wanted).max() > 1e-4 * np.abs(wanted).max()


def test_efficientnet_pads_and_normalises_as_the_published_one():
    with np.load(VALUES) as file:
        shapes, wanted = list(file["efficientnet_lite0.shapes"]), file["efficientnet_lite0.features"]
    network = create_converted("dlinknet_efficientnet_lite0", shapes, 1)
    feature = network.encoder(ms.Tensor(make_image()))[4].asnumpy()
    assert wanted.std() > 0.01, "nothing to compare"
    np.testing.assert_allclose(feature, wanted, atol=1e-4 * np.abs(wanted).max())
