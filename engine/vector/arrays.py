"""Types of the arrays in the vector code, by dtype, and what is done with arrays in many places."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

Flags = NDArray[np.bool_]
Bits = NDArray[np.uint8]
Labels = NDArray[np.int32]
Ints = NDArray[np.int64]
#: Integers of any size.
AnyInts = NDArray[np.integer[Any]]
Floats = NDArray[np.float64]
Geometries = NDArray[np.object_]
Lines = NDArray[np.object_]

#: Columns of the same length, a ``NamedTuple``.
Table = TypeVar("Table", bound=tuple[Any, ...])


def make_offsets(sizes: ArrayLike) -> Ints:
    """Return where runs of some sizes begin (and, last, end), int64 (n + 1,)."""
    return np.concatenate(([0], np.cumsum(sizes))).astype(np.int64, copy=False)


def find_sorted(values: NDArray[Any], wanted: NDArray[Any]) -> tuple[Ints, Flags]:
    """Find wanted values among ascending ones: the index of each, and whether it is there."""
    if not values.size:
        return np.zeros(wanted.shape, np.int64), np.zeros(wanted.shape, np.bool_)
    index = np.minimum(np.searchsorted(values, wanted), values.size - 1)
    return index, values[index] == wanted


def concatenate_tables(tables: Sequence[Table]) -> Table:
    """Concatenate tables, column by column; at least one."""
    return type(tables[0])(*map(np.concatenate, zip(*tables, strict=True)))


def take_rows(table: Table, rows: Ints | Flags) -> Table:
    """Take some rows of all columns of a table."""
    return type(table)(*(column[rows] for column in table))
