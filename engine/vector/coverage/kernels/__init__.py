"""Kernels of the coverage: runs of pixels, minimum mapping unit, arcs, rings, simplification (see ``jit``)."""
