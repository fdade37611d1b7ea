"""The inference engine: read, tile, infer, blend, vectorize, write. No QGIS, and no MindSpore at import."""
