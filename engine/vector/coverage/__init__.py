"""From class rasters to coverages: polygons without gaps and overlaps."""

from .extract import CoverageSummary, vectorize_landcover
from .options import CoverageOptions

__all__ = ["CoverageOptions", "CoverageSummary", "vectorize_landcover"]
