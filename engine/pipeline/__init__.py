"""From an image to results: reading, inference and writing at the same time."""
