"""Vectors of rasters: road networks, coverages, their quality metrics, and conflation with existing layers."""
