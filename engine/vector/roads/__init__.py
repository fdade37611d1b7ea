"""Road extraction: from a raster of road probabilities to a road network with topology.

``extract.vectorize_roads`` is the entry; ``extract.build_graph`` lists the steps: centre lines (``mask``,
``centerlines``), tracing (``graph``), cleaning (``cleaning``), closing gaps (``gaps``). ``lines``, ``areas`` and
``layers`` make and write the features.
"""
