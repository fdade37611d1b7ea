"""The runs that PyTorch's script and the tests make alike, so that only results have to be stored."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SHAPE = (4, 3, 64, 96)
ODD = (45, 70)
STEPS = 5


@dataclass(frozen=True)
class Case:
    """A network and how it is trained: by SGD with a momentum of 0.9, which does not enlarge rounding as Adam does.

    Attributes:
        classes: channels of the output.
        loss: bce_dice, ce or ohem.
        rate: the learning rate.
        size: height and width of the image that logits are compared on.
    """

    classes: int
    loss: str
    rate: float = 0.01
    size: tuple[int, int] = (64, 96)


CASES = {
    "dlinknet34": Case(1, "bce_dice"),
    "dlinknet_efficientnet_lite2": Case(1, "bce_dice"),
    "linknet34": Case(1, "bce_dice"),
    "linknet": Case(5, "ce"),
    "lednet": Case(6, "ce", rate=1e-5, size=ODD),
    "dgcnet50": Case(5, "ohem", rate=1e-5, size=ODD),
    "deeplabv3_resnet50": Case(5, "ce", rate=1e-5, size=ODD),
    "deeplabv3plus_resnet50": Case(5, "ce", rate=1e-5, size=ODD),
}
MOMENTUM, DECAY = 0.9, 1e-4
OHEM_THRESHOLD, OHEM_KEEP, AUXILIARY, IGNORE = 0.7, 4000, 0.4, 255


def make_weights(shapes: Iterable[tuple[str, tuple[int, ...]]]) -> dict[str, NDArray[np.float32]]:
    """Make arrays from the names and shapes of PyTorch's tensors: variances around 1, kernels by their fan-in."""
    arrays = {}
    for index, (name, shape) in enumerate(entry for entry in shapes if not entry[0].endswith("num_batches_tracked")):
        random = np.random.default_rng(index)
        if name.endswith("running_var") or (name.endswith("weight") and len(shape) == 1):
            values = random.uniform(0.5, 1.5, shape)
        elif len(shape) > 1:
            values = random.normal(0, (2 / np.prod(shape[1:])) ** 0.5, shape)
        else:
            values = random.normal(0.1, 0.2, shape)
        arrays[name] = values.astype(np.float32)
    return arrays


def make_image(size: tuple[int, int] = ODD) -> NDArray[np.float32]:
    """Make a normalised image (1, 3, H, W)."""
    return np.random.default_rng(1).normal(size=(1, 3, *size)).astype(np.float32)


def make_batch(case: Case, step: int) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Make normalised images (N, 3, H, W) with labels (N, H, W), stripes of classes with a tenth of it ignored."""
    random = np.random.default_rng([7, step])
    count, _, height, width = SHAPE
    labels = (np.arange(width) // 8 + random.integers(0, 9, (count, height, 1)) // 4) % max(2, case.classes)
    images = random.normal(size=SHAPE) + labels[:, None] * 0.3
    labels = np.where(random.random(labels.shape) < 0.1, IGNORE, labels)
    return images.astype(np.float32), labels.astype(np.int32)
