"""From rasters to vectors: road networks, coverages, their measures, and conflation with existing layers."""
