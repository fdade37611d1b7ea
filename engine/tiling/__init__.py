"""Tiling: the layout of overlapping tiles, blending without seams, and blocks that a cluster can compute apart."""
