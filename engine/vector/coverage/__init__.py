"""From class rasters to coverages: polygons without gaps and overlaps."""

from .extract import CoverageSummary, vectorize_landcover

__all__ = ["CoverageSummary", "vectorize_landcover"]
