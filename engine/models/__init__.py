"""Models: cards, weights files and the graphs made of them.

A model is found, chosen or installed by ``registry``. Its card says what it takes and gives (``card``); ``infer_card``
makes one for a weights file without a card. Its weights (``checkpoint``, ``parameters``, ``onnx_file``) become the ONNX
graph that runtimes run (``graph``).
"""

from .registry import Model, choose_model
