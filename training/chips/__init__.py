"""Training chips from rasters and vector layers."""

from .cut import ChipsRequest, ChipsSummary, cut_chips

__all__ = ["ChipsRequest", "ChipsSummary", "cut_chips"]
