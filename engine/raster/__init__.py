"""Rasters in and out: checked sources, the grid that a network sees, stretched rows of pixels, verified writers."""
