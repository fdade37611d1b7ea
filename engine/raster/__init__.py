"""Rasters in and out: opening untrusted images, grids, strips of pixels, probability rasters and GeoTIFFs."""
