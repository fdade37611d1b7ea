"""Coverages of rasters that are too large for one process: traced by partitions, joined over their borders.

First each partition is labelled (``measure``). Regions that touch a border, and those whose merging depends on such
regions, are joined and merged in one process, as numbers alone (``merge``). Then each partition merges its other
regions and traces its arcs (``trace``), which end at its borders (see ``coverage.breaks``). Last, the polygons that
cross borders are assembled from the arcs of all their partitions, which are read one after the other (``join``).
"""
