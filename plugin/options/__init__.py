"""Settings > Options > TerraSpore."""
