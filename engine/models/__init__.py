"""Models: cards, weights files and the graphs made of them.

A model is found, chosen or installed by ``registry``. Its card says what it takes and gives (``card``); ``infer_card``
makes one for a weights file without a card. Its weights (``checkpoint``, ``parameters``, ``onnx_file``) become the ONNX
graph that runtimes run (``graph``, ``preprocessing_graph``).
"""

from .card import ClassInfo, ModelCard, Normalisation, read_card, write_card
from .registry import Model, choose_model, find_model, scan_models

__all__ = [
    "ClassInfo",
    "Model",
    "ModelCard",
    "Normalisation",
    "choose_model",
    "find_model",
    "read_card",
    "scan_models",
    "write_card",
]
