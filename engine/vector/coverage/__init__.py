"""Coverages of class rasters: polygons that share their borders exactly, without gaps and overlaps."""
