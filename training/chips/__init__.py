"""Training chips from rasters and vector layers."""

from .cutter import ChipsRequest, ChipsSummary, cut_chips

__all__ = ["ChipsRequest", "ChipsSummary", "cut_chips"]
