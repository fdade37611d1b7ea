"""Which tensor of a checkpoint is which parameter of a network."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import CheckpointError
from .checkpoint import Array

#: A dimension of a parameter: a size, or a name for one that the checkpoint decides (such as "classes").
Shape = tuple[int | str, ...]

# What training leaves in a checkpoint beside the network: state of optimizers, loss scaling and counters, under
# the names that MindSpore's own cells and callbacks give them.
_STATE = re.compile(
    r"(?:.*\.)?(?:moment[12s]?|moments|accum|stat|velocity|vhat|adam_[mv]|exp_avg(?:_sq)?|optimizer|opt|ema)\..+"
    r"|(?:.*\.)?(?:beta[12]_power|global_step|learning_rate|weight_decay|momentum|epoch_num|step_num|"
    r"scale_sense|loss_scale|current_iterator_step|last_overflow_iterator_step|good_steps|overflow_count|"
    r"dynamic_lr|num_batches_tracked)"
)
_WRAPPER = re.compile(r"(?:network|module|net|backbone_net|_backbone)\.")


def is_training_state(name: str) -> bool:
    """Whether ``name`` is that of an optimizer's, loss scale's or counter's entry, not of a parameter."""
    return _STATE.fullmatch(name) is not None


def is_of_parts(name: str, parts: Sequence[str]) -> bool:
    """Whether ``name`` is of one of ``parts``, which end with a point, at any depth."""
    return any(f".{part}" in f".{name}" for part in parts)


def match_parameters(
    tensors: Mapping[str, Array], wanted: Mapping[str, Shape], origin: str
) -> dict[str, NDArray[np.float32]]:
    """Find every parameter of a network among the tensors of a checkpoint.

    A leading ``network.``, ``module.`` or ``net.``, which wrappers around a network add, is passed over, and
    so is the state of an optimizer. Nothing else may be left over.

    Args:
        tensors: of the checkpoint.
        wanted: shape by parameter name. A dimension given by a name takes any size, the same everywhere.
        origin: names the checkpoint in errors.

    Returns:
        float32 arrays by parameter name, in the order of ``wanted``.

    Raises:
        CheckpointError: parameters are missing, left over, there twice, or of another shape.
    """
    found: dict[str, Array] = {}
    unexpected: list[str] = []
    for name, tensor in tensors.items():
        if (parameter := _parameter_of(name, wanted)) is None:
            if not is_training_state(name):
                unexpected.append(name)
        elif parameter in found:
            raise CheckpointError(f"The checkpoint {origin} holds the parameter {parameter} twice.")
        else:
            found[parameter] = tensor
    missing = [name for name in wanted if name not in found]
    if missing or unexpected:
        raise CheckpointError(
            f"The checkpoint {origin} is not of this network: " + "; ".join(_differences(missing, unexpected)) + "."
        )
    _check_shapes(found, wanted, origin)
    return {name: _single(name, found[name], origin) for name in wanted}


def _single(name: str, tensor: Array, origin: str) -> NDArray[np.float32]:
    if tensor.dtype != np.float64:
        return tensor.astype(np.float32, copy=False)
    if tensor.size and float(np.abs(tensor).max()) > float(np.finfo(np.float32).max):
        raise CheckpointError(f"The checkpoint {origin} cannot be used: {name} holds values beyond float32.")
    return tensor.astype(np.float32)


def _parameter_of(name: str, wanted: Mapping[str, Shape]) -> str | None:
    while name not in wanted:
        prefix = _WRAPPER.match(name)
        if prefix is None:
            return None
        name = name[prefix.end() :]
    return name


def _differences(missing: Sequence[str], unexpected: Sequence[str]) -> Iterable[str]:
    if missing:
        yield f"{len(missing)} parameters are missing ({_some(missing)})"
    if unexpected:
        yield f"{len(unexpected)} are not known ({_some(unexpected)})"


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:4]) + (", …" if len(names) > 4 else "")


def _check_shapes(found: Mapping[str, Array], wanted: Mapping[str, Shape], origin: str) -> None:
    sizes: dict[str, int] = {}
    for name, shape in wanted.items():
        actual = found[name].shape
        fits = len(actual) == len(shape) and all(
            size == (dim if isinstance(dim, int) else sizes.setdefault(dim, size))
            for size, dim in zip(actual, shape, strict=True)
        )
        if not fits:
            expected = [sizes.get(dim, dim) if isinstance(dim, str) else dim for dim in shape]
            raise CheckpointError(
                f"The checkpoint {origin} is not of this network: {name} has the shape {list(actual)} "
                f"instead of {expected}."
            )
