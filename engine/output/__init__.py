"""Writing what a run produces: whole files under their final names, or none."""
