"""Match the tensors of a checkpoint with the parameters of a network."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import CheckpointError
from .checkpoint import Array

#: Sizes of a parameter; a name stands for a size that the checkpoint decides (such as "classes").
Shape = tuple[int | str, ...]

# Entries of a checkpoint that are no parameters: the state of optimizers, loss scaling and counters, under the names
# of MindSpore's own cells and callbacks.
_STATE = re.compile(
    r"(?:.*\.)?(?:moment[12s]?|moments|accum|stat|velocity|vhat|adam_[mv]|exp_avg(?:_sq)?|optimizer|opt|ema)\..+"
    r"|(?:.*\.)?(?:beta[12]_power|global_step|learning_rate|weight_decay|momentum|epoch_num|step_num|"
    r"scale_sense|loss_scale|current_iterator_step|last_overflow_iterator_step|good_steps|overflow_count|"
    r"dynamic_lr|num_batches_tracked)"
)
_WRAPPER = re.compile(r"(?:network|module|net|backbone_net|_backbone)\.")


def is_training_state(name: str) -> bool:
    """Whether ``name`` is the state of an optimizer, a loss scale or a counter, and not a parameter."""
    return _STATE.fullmatch(name) is not None


def is_in_modules(name: str, modules: Sequence[str]) -> bool:
    """Whether the parameter ``name`` belongs to one of ``modules``, whose names end with a point, at any depth."""
    return any(f".{module}" in f".{name}" for module in modules)


def match_parameters(
    tensors: Mapping[str, Array], wanted: Mapping[str, Shape], origin: str
) -> dict[str, NDArray[np.float32]]:
    """Find every parameter of a network among the tensors of a checkpoint.

    A leading ``network.``, ``module.`` or ``net.``, which wrappers around a network add, is ignored, and so is the
    state of an optimizer. Nothing else may be left over.

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
        if (parameter := _find_parameter(name, wanted)) is None:
            if not is_training_state(name):
                unexpected.append(name)
        elif parameter in found:
            raise CheckpointError(f"The checkpoint {origin} holds the parameter {parameter} twice.")
        else:
            found[parameter] = tensor
    missing = [name for name in wanted if name not in found]
    differences = [
        text.format(len(names), ", ".join(names[:4]) + (", …" if len(names) > 4 else ""))
        for names, text in ((missing, "{} parameters are missing ({})"), (unexpected, "{} are not known ({})"))
        if names
    ]
    if differences:
        raise CheckpointError(f"The checkpoint {origin} is not of this network: {'; '.join(differences)}.")
    sizes: dict[str, int] = {}
    for name, shape in wanted.items():
        if difference := compare_shapes(found[name].shape, shape, sizes):
            raise CheckpointError(f"The checkpoint {origin} is not of this network: {name} has the shape {difference}.")
    return {name: _to_float32(name, found[name], origin) for name in wanted}


def _to_float32(name: str, tensor: Array, origin: str) -> NDArray[np.float32]:
    if tensor.dtype != np.float64:
        return tensor.astype(np.float32, copy=False)
    if tensor.size and float(np.abs(tensor).max()) > float(np.finfo(np.float32).max):
        raise CheckpointError(f"The checkpoint {origin} cannot be used: {name} holds values beyond float32.")
    return tensor.astype(np.float32)


def _find_parameter(name: str, wanted: Mapping[str, Shape]) -> str | None:
    while name not in wanted:
        prefix = _WRAPPER.match(name)
        if prefix is None:
            return None
        name = name[prefix.end() :]
    return name


def compare_shapes(actual: tuple[int, ...], wanted: Shape, sizes: dict[str, int]) -> str:
    """Describe how a shape differs from the wanted one; empty if it does not. ``sizes`` of names are added to."""
    if len(actual) == len(wanted) and all(
        size == (dim if isinstance(dim, int) else sizes.setdefault(dim, size))
        for size, dim in zip(actual, wanted, strict=True)
    ):
        return ""
    return f"{list(actual)} instead of {[sizes.get(dim, dim) if isinstance(dim, str) else dim for dim in wanted]}"
