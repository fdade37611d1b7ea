"""Weights that PyTorch's script and the tests make alike, so that only outputs have to be stored."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray


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


def make_image() -> NDArray[np.float32]:
    """Make a normalised image (1, 3, 45, 70)."""
    return np.random.default_rng(1).normal(size=(1, 3, 45, 70)).astype(np.float32)
