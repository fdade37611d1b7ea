"""From road probabilities to a road network with topology."""
