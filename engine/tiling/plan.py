"""The lattice of tiles over a grid."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import ParameterError
from .axis import TileAxis, make_axis


@dataclass(frozen=True)
class TilePlan:
    """Square tiles over a grid, in rows and columns.

    Attributes:
        rows: the tiles' places down the grid.
        columns: the tiles' places across it.
        tile: pixels along a tile's side.
        overlap: pixels that neighbours share at least.
    """

    rows: TileAxis
    columns: TileAxis
    tile: int
    overlap: int

    @property
    def count(self) -> int:
        """How many tiles there are."""
        return self.rows.count * self.columns.count


def make_plan(width: int, height: int, tile: int, overlap: int, multiple: int = 1) -> TilePlan:
    """Lay tiles over a grid of ``width`` x ``height`` pixels.

    Args:
        width: columns of the grid.
        height: rows of the grid.
        tile: pixels along a tile's side.
        overlap: pixels that neighbours share at least; up to half a tile.
        multiple: the network takes only sizes that are multiples of this.

    Raises:
        ParameterError: tile or overlap cannot be used.
    """
    if tile < 1 or tile % multiple:
        raise ParameterError(f"The tile of {tile} pixels cannot be used: the model takes multiples of {multiple}.")
    if tile > 2**14:
        raise ParameterError(f"The tile of {tile} pixels is too large.", "Choose one of at most 16384 pixels.")
    if not 0 <= overlap <= tile // 2:
        raise ParameterError(
            f"The overlap of {overlap} pixels cannot be used: it must be 0 to half a tile ({tile // 2})."
        )
    return TilePlan(make_axis(height, tile, overlap), make_axis(width, tile, overlap), tile, overlap)
