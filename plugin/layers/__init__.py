"""Layers of the project: online layers to files, results into the layer tree."""
