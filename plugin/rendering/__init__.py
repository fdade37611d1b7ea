"""Online and other layers that are no files: fetched tile by tile into a temporary raster, off the GUI thread."""
