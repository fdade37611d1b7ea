"""Training chips from rasters and vector layers."""

from .cutter import ChipsSummary, cut_chips
from .request import ChipsRequest

__all__ = ["ChipsRequest", "ChipsSummary", "cut_chips"]
