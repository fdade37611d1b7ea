"""Numba kernels of the road network."""
