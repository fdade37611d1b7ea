"""Road networks and coverages of rasters too large for one process: by partitions, joined over their borders."""
