"""Numba kernels of road extraction."""
