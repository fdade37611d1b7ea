"""Vector files: the table of formats, writers of layers, GeoPackage details and default styles."""
