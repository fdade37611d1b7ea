"""Numba kernels of the coverage."""
