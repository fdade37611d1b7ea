"""Weights and resume states as files."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
from mindspore import Parameter, Tensor, nn, ops
from numpy.typing import NDArray

from ...engine.errors import CheckpointError, OutputError
from ...engine.fs.atomic import atomic_output
from ...engine.models.checkpoint import read_checkpoint

Arrays = dict[str, NDArray[np.generic]]

META = "meta"


def arrays_of(parameters: Iterable[Parameter]) -> Arrays:
    """The parameters' values by name, copied."""
    return {parameter.name: parameter.asnumpy().copy() for parameter in parameters}


def assign(parameter: Parameter, value: NDArray[np.generic]) -> None:
    """Write a value into a parameter's own memory.

    ``Parameter.set_data`` must not be used on a parameter that compiled code has seen: in MindSpore 2.10 the compiled
    code goes on with
    the old memory, and from then on ``asnumpy`` shows the new one, so that what is trained is never saved.
    """
    ops.assign(parameter, Tensor(value, parameter.dtype))


def put(parameters: Iterable[Parameter], values: Mapping[str, NDArray[np.generic]], what: str) -> None:
    """Set each parameter to the value of its name, in place.

    Raises:
        CheckpointError: a value is missing or has another shape; ``what`` names where the values come from.
    """
    for parameter in parameters:
        value = values.get(parameter.name)
        if value is None:
            raise CheckpointError(f"{what} has no {parameter.name!r}; it is of another network or optimizer.")
        if tuple(value.shape) != tuple(parameter.shape):
            raise CheckpointError(
                f"{what} has {parameter.name!r} of shape {tuple(value.shape)}, not {tuple(parameter.shape)}."
            )
        assign(parameter, np.asarray(value))


def save_state(path: Path, groups: Mapping[str, Arrays], meta: Mapping[str, Any]) -> None:
    """Write groups of arrays and plain values as one NPZ file, which appears under its name only when it is complete.

    Raises:
        OutputError: the file cannot be written.
    """
    flat: Arrays = {f"{group}/{name}": value for group, arrays in groups.items() for name, value in arrays.items()}
    flat[META] = np.frombuffer(json.dumps(meta).encode(), np.uint8)
    with atomic_output(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **flat)


def load_state(path: Path) -> tuple[dict[str, Arrays], dict[str, Any]]:
    """Read what ``save_state`` wrote; nothing in the file is executed.

    Raises:
        CheckpointError: the file is damaged.
    """
    groups: dict[str, Arrays] = {}
    try:
        with np.load(path, allow_pickle=False) as file:
            meta: dict[str, Any] = json.loads(bytes(file[META]).decode())
            for key in file.files:
                if key != META:
                    group, _, name = key.partition("/")
                    groups.setdefault(group, {})[name] = file[key]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise CheckpointError(
            f"The training state {path} is damaged.", "Start again with another --out folder."
        ) from error
    return groups, meta


def save_weights(path: Path, values: Mapping[str, NDArray[np.generic]]) -> None:
    """Write weights as a MindSpore checkpoint, complete or not at all.

    Raises:
        OutputError: the file cannot be written.
    """
    with atomic_output(path) as temporary:
        try:
            ms.save_checkpoint(
                [{"name": name, "data": Tensor(value)} for name, value in values.items()], str(temporary)
            )
            # MindSpore writes its checkpoints read-only for the owner alone.
            temporary.chmod(0o644)
        except RuntimeError as error:
            raise OutputError(f"The weights {path} cannot be written: {error}.") from error


def load_weights(network: nn.Cell, path: Path, *, partial: bool = False) -> tuple[int, list[str]]:
    """Put a checkpoint's weights into a network, by name; entries that are no parameter of it are passed over.

    Args:
        network: what takes the weights.
        path: a ``.ckpt``.
        partial: whether parameters may be missing or have another shape.

    Returns:
        How many parameters were set, and the names of those that were not.

    Raises:
        CheckpointError: the file is missing or damaged, or a parameter is missing or has another shape.
    """
    values = read_weights(path)
    left: list[str] = []
    count = 0
    for parameter in network.get_parameters():
        value = values.get(parameter.name)
        if value is not None and tuple(value.shape) == tuple(parameter.shape):
            put([parameter], values, str(path))
            count += 1
        elif partial:
            left.append(parameter.name)
        else:
            put([parameter], values, str(path))
    if count == 0:
        raise CheckpointError(f"{path} has no parameter of this network.")
    return count, left


def read_weights(path: Path) -> Arrays:
    """The arrays of a checkpoint by name, by the engine's own reader: MindSpore's can crash on a damaged file.

    Raises:
        CheckpointError: the file is missing or damaged.
    """
    return dict(read_checkpoint(path))
