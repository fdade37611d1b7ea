"""Review of the doubtful places of a road network."""
