"""Tiles over a grid, weights that blend them without a seam, and blocks as units of work."""
