"""Road networks of rasters that are too large for one process: by partitions, which are joined over their borders."""
