"""Values of parameters, read from and written to MindSpore checkpoints (``.ckpt``)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import mindspore as ms
import numpy as np
from mindspore import Parameter, Tensor, nn, ops
from numpy.typing import NDArray

from ..engine.errors import CheckpointError, OutputError
from ..engine.fs.outputs import atomic_output
from ..engine.models.checkpoint import read_checkpoint
from ..engine.models.registry import find_weights

Arrays = dict[str, NDArray[np.generic]]


def parameter_values(parameters: Iterable[Parameter]) -> Arrays:
    """Copies of the parameters' values by name."""
    return {parameter.name: parameter.asnumpy().copy() for parameter in parameters}


def assign(parameter: Parameter, value: NDArray[np.generic]) -> None:
    """Write a value into the parameter's own memory.

    ``Parameter.set_data`` must not be used on a parameter that compiled code has seen: in MindSpore 2.10 the compiled
    code keeps the old memory while ``asnumpy`` shows the new one, so that what is trained is never saved.
    """
    ops.assign(parameter, Tensor(value, parameter.dtype))


def load_parameters(parameters: Iterable[Parameter], values: Mapping[str, NDArray[np.generic]], source: str) -> None:
    """Set each parameter in place to the value of its name.

    Args:
        parameters: what is set.
        values: arrays by name.
        source: where the values come from, for error messages.

    Raises:
        CheckpointError: a value is missing or has another shape.
    """
    for parameter in parameters:
        value = values.get(parameter.name)
        if value is None:
            raise CheckpointError(f"{source} has no {parameter.name!r}; it is of another network or optimizer.")
        if tuple(value.shape) != tuple(parameter.shape):
            raise CheckpointError(
                f"{source} has {parameter.name!r} of shape {tuple(value.shape)}, not {tuple(parameter.shape)}."
            )
        assign(parameter, np.asarray(value))


def load_checkpoint(network: nn.Cell, path: Path, *, partial: bool = False) -> tuple[int, list[str]]:
    """Load a checkpoint into a network, by name; entries that are no parameter of the network are ignored.

    The file is read by the engine, because MindSpore's own reader can crash on a damaged file.

    Args:
        network: its parameters are set in place.
        path: a ``.ckpt``, the folder of a run or of a model, or the name of an installed model.
        partial: whether parameters may be missing or have another shape.

    Returns:
        Number of parameters that were set, and the names of those that were not.

    Raises:
        CheckpointError: the file is missing or damaged, or a parameter is missing or has another shape.
        ModelError: there is no such model.
    """
    path = find_weights(path)
    values = dict(read_checkpoint(path))
    skipped: list[str] = []
    count = 0
    for parameter in network.get_parameters():
        value = values.get(parameter.name)
        if partial and (value is None or tuple(value.shape) != tuple(parameter.shape)):
            skipped.append(parameter.name)
            continue
        load_parameters([parameter], values, str(path))
        count += 1
    if count == 0:
        raise CheckpointError(f"{path} has no parameter of this network.")
    return count, skipped


def save_checkpoint(path: Path, values: Mapping[str, NDArray[np.generic]]) -> None:
    """Write arrays as a MindSpore checkpoint; the file appears complete or not at all.

    Raises:
        OutputError: the file cannot be written.
    """
    with atomic_output(path) as temporary:
        try:
            ms.save_checkpoint(
                [{"name": name, "data": Tensor(value)} for name, value in values.items()], str(temporary)
            )
            temporary.chmod(0o600)  # MindSpore makes its checkpoints read-only, which cannot be flushed
        except RuntimeError as error:
            raise OutputError(f"The weights {path} cannot be written: {error}.") from error
