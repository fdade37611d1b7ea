"""From road probabilities to a road network with topology."""

from .network import RoadSummary, vectorize_roads
from .options import RoadOptions

__all__ = ["RoadOptions", "RoadSummary", "vectorize_roads"]
