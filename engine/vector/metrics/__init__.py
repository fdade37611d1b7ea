"""Measures of road networks, coverages and rasters against the truth."""
