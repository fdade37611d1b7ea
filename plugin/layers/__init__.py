"""Layers of the project: images of layers for the engine, probability rasters, and results into the layer tree."""
