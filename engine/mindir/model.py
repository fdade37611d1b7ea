"""What a MINDIR file holds, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: a constant or attribute: int, float, bool, str, None, a NumPy array, or a tuple of these
Value = Any
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Tensor:
    """A named tensor; ``data`` is None where the file gives only shape and type. A dimension of -1 is unknown."""

    name: str
    shape: Shape
    dtype: np.dtype[Any]
    data: NDArray[Any] | None = None


@dataclass(frozen=True)
class Node:
    """One operation.

    Attributes:
        op: the primitive's name, "Constant" for a constant.
        name: unique within the graph.
        inputs: names of nodes, parameters or graph inputs.
        output: the name under which others refer to the result.
        attributes: of the primitive; a constant has "value".
        shapes: of the result, or of each entry where the result is a tuple; empty where the file does not say.
    """

    op: str
    name: str
    inputs: tuple[str, ...]
    output: str
    attributes: Mapping[str, Value]
    shapes: tuple[Shape, ...]


@dataclass(frozen=True)
class Mindir:
    """A network: one graph without control flow.

    Attributes:
        name: of the graph; the file prefixes every name with it, which is taken off here.
        inputs: what a caller gives.
        outputs: what a caller gets; names of nodes.
        parameters: weights with their data, under the names that checkpoints use.
        nodes: in an order in which they can be computed.
    """

    name: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    parameters: tuple[Tensor, ...]
    nodes: tuple[Node, ...]
