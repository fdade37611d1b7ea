"""From an image to results: plan a run, compute its tiles, write the outputs, and resume it."""
