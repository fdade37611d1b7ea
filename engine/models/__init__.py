"""Models: cards, weights files, graphs, and the catalogue that finds them."""

from .card import ClassInfo, ModelCard, Normalisation, read_card, write_card
from .registry import Model, find_model, list_models

__all__ = ["ClassInfo", "Model", "ModelCard", "Normalisation", "find_model", "list_models", "read_card", "write_card"]
