"""Finished arcs that wait for the regions on either side to be complete."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ...fs.spool import ArraySpool, SpooledArray
from .arcs import ANCHOR, Arcs, concatenate

Flags = NDArray[np.bool_]

#: Bytes of arcs that wait in memory for a later block of rows; more go to a file.
SPILL_BYTES = 64_000_000


@dataclass
class Bucket:
    """Arcs of regions that end in one block of rows, each with the sides (left, right) that do."""

    held: list[tuple[Arcs, Flags]] = field(default_factory=list)
    parked: list[list[SpooledArray]] = field(default_factory=list)


class ArcStore:
    """Arcs by the block of ``ANCHOR`` rows in which the regions on their sides end.

    A region is put together with all others that end within the same block, so that the order of polygons does not
    depend on the strips.

    Args:
        rows: rows of the raster.
        region_last: last row of each region; region 0 is outside and gets no polygon.
        spill: where arcs go for which there is no room.
    """

    def __init__(self, rows: int, region_last: NDArray[np.int32], spill: ArraySpool) -> None:
        self.last_block = rows // ANCHOR
        self._block = np.minimum((region_last + 1) // ANCHOR, self.last_block).astype(np.int32)
        self._block[0] = -1
        self._spill = spill
        self._buckets: dict[int, Bucket] = {}
        self._bytes = 0

    def add(self, arcs: Arcs, now: int) -> None:
        """Take finished arcs; ``now`` is the block that is being traced."""
        if not len(arcs):
            return
        due = self._block[arcs.sides]
        for value in np.unique(due[due >= 0]).tolist():
            wanted = due == value
            index = np.flatnonzero(wanted[:, 0] | wanted[:, 1])
            part = arcs if len(index) == len(arcs) else arcs.take(index)
            self._buckets.setdefault(value, Bucket()).held.append((part, wanted[index]))
            if value > now:
                self._bytes += part.size
        if self._bytes > SPILL_BYTES:
            self._park(now)

    def take(self, block: int) -> tuple[Arcs, Flags] | None:
        """The arcs of all regions that end in a block, and which of their sides do; None where there are none."""
        # What waits for the next block counts as being traced from now on.
        self._bytes -= sum(arcs.size for arcs, _ in self._buckets.get(block + 1, Bucket()).held)
        bucket = self._buckets.pop(block, None)
        if bucket is None:
            return None
        parts = []
        for parked in bucket.parked:
            *arrays, flags = self._spill.read(parked)
            parts.append((Arcs(*arrays), flags))
        parts += bucket.held
        return concatenate([arcs for arcs, _ in parts]), np.concatenate([flags for _, flags in parts])

    def _park(self, now: int) -> None:
        """Write what waits for a later block to the file."""
        for value, bucket in self._buckets.items():
            if value > now:
                bucket.parked += [self._spill.append((*arcs.arrays, flags)) for arcs, flags in bucket.held]
                bucket.held.clear()
        self._bytes = 0
