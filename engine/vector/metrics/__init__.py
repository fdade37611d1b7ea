"""Quality metrics of road networks, coverages and rasters against a reference."""
