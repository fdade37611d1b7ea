"""Vector layers in files: drivers, GeoPackage details and default styles."""
