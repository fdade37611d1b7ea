"""The mean of the weights of several trainings of one network, without MindSpore."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...engine.errors import CheckpointError, ParameterError
from ...engine.models.checkpoint import read_checkpoint
from ...engine.models.parameters import is_training_state

Array = NDArray[Any]


def average_checkpoints(paths: Sequence[Path], weights: Sequence[float] = ()) -> dict[str, Array]:
    """Average the parameters of checkpoints, statistics of batch norms included, but no state of an optimizer.

    Args:
        paths: two or more checkpoints of the same network.
        weights: of the checkpoints, above 0, relative to each other; equal unless given.

    Returns:
        The means by name, of the types in the first file. What is no floating-point number has to be equal in all.

    Raises:
        CheckpointError: a file is damaged, or of another network than the first one.
        ParameterError: there are less than two files, or the weights do not fit.
    """
    if len(paths) < 2:
        raise ParameterError("A mean is that of two or more checkpoints.")
    if weights and (len(weights) != len(paths) or not all(0 < weight < np.inf for weight in weights)):
        raise ParameterError(f"The {len(paths)} checkpoints need as many weights, numbers above 0.")
    # By the largest one first, because the sum of very large weights is infinite.
    relative = np.asarray(weights or (1.0,) * len(paths)) / max(weights, default=1.0)
    shares = relative / relative.sum()
    first = _read_parameters(paths[0])
    sums = {
        name: np.multiply(value, shares[0], dtype=np.float64)
        for name, value in first.items()
        if value.dtype.kind == "f"
    }
    for path, share in zip(paths[1:], shares[1:], strict=True):
        values = _read_parameters(path)
        _check_same_network(first, values, paths[0], path)
        for name in sums:
            sums[name] += np.multiply(values[name], share, dtype=np.float64)
    return {name: sums[name].astype(value.dtype) if name in sums else value for name, value in first.items()}


def _read_parameters(path: Path) -> dict[str, Array]:
    """Read a checkpoint without the state of an optimizer."""
    values = read_checkpoint(path, wanted=lambda name: not is_training_state(name))
    if not values:
        raise CheckpointError(f"{path} holds the state of an optimizer, but no parameter of a network.")
    return values


def _check_same_network(first: dict[str, Array], other: dict[str, Array], path: Path, other_path: Path) -> None:
    """Raise ``CheckpointError`` where names or shapes differ, or values that have no mean."""
    subject = f"{other_path} is of another network than {path}"
    for name in [*(first.keys() - other.keys()), *(other.keys() - first.keys())]:
        lacking = path if name in other else other_path
        raise CheckpointError(f"{subject}: {lacking} has no {name!r}.")
    for name, value in first.items():
        if value.shape != other[name].shape:
            shapes = f"{list(other[name].shape)} instead of {list(value.shape)}"
            raise CheckpointError(f"{subject}: {name!r} has the shape {shapes}.")
        if value.dtype.kind != "f" and not np.array_equal(value, other[name]):
            raise CheckpointError(f"{name!r} differs between {path} and {other_path}, but has no mean.")
